"""`list_manifests` on a quiet day: five sources of 36 months each, and nothing changed, against a local S3 server."""

import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from statistics import median
from typing import Any

import boto3
import psycopg

from benchmarks.results import Options, Result
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.formats.aws.cur import find_manifests
from cloud_costs.months import MonthRange, next_month
from cloud_costs.publishing.plan import list_manifests
from cloud_costs.storage.s3 import S3Storage

SOURCES = 5
YEARS = (2022, 2023, 2024)
MONTHS = SOURCES * len(YEARS) * 12
FILES = 4
BUCKET = "billing"
SCHEMA = "bench_list_manifests"
SECONDS_TO_START = 60
EVERY_MONTH = MonthRange()


def run(options: Options) -> list[Result]:
    """Return the median seconds of a plan, and its requests for each month."""
    database = Database(lambda: psycopg.connect(options.server.uri()), SCHEMA, "benchmark")
    sources = [Source(name=f"source_{n}", format="aws_cur", uri=f"s3://{BUCKET}/p/report_{n}/") for n in range(SOURCES)]
    try:
        with s3_server() as url:
            _deliver(url)
            apply_schema(database)
            for source in sources:
                _note_published(database, source, _storage(url, []))
            runs = [_measure(database, sources, url) for _ in range(options.runs)]
    finally:
        with psycopg.connect(options.server.uri(), autocommit=True) as connection:
            connection.execute(f"drop schema if exists {SCHEMA}, {SCHEMA}_staging cascade")
    seconds, requests = [run[0] for run in runs], runs[0][1]
    return [
        Result(
            "list_manifests, 5 sources of 36 months, nothing changed",
            median(seconds),
            "s",
            at_most=5,
            headline=True,
            note=f"{requests['ListObjectsV2']} LIST",
            details={"seconds": seconds, "requests": dict(requests), "server": "moto"},
        ),
        Result("objects read for a month that did not change", requests["GetObject"] / MONTHS, "GET", at_most=1),
    ]


def _measure(database: Database, sources: list[Source], url: str) -> tuple[float, Counter[str]]:
    seen: list[str] = []
    began = time.perf_counter()
    plan = list_manifests(database, sources, lambda source: _storage(url, seen), EVERY_MONTH)
    seconds = time.perf_counter() - began
    if Counter(month.decision for month in plan.months) != {"unchanged": MONTHS}:
        raise RuntimeError("\n".join(plan.lines()))
    return seconds, Counter(seen)


def _session() -> Any:
    return boto3.Session("benchmark", "benchmark", region_name="us-east-1")


def _storage(url: str, seen: list[str]) -> S3Storage:
    """Return a storage that notes the operation of every request."""
    session = _session()
    client = session.client("s3", endpoint_url=url)
    client.meta.events.register("before-call.s3.*", lambda model, **_: seen.append(model.name))
    return S3Storage(client, "benchmark")


def _deliver(url: str) -> None:
    """Write what a listing sees: manifests and data files without content, as AWS lays out Athena's reports."""
    client = _session().client("s3", endpoint_url=url)
    client.create_bucket(Bucket=BUCKET)
    for number in range(SOURCES):
        report = f"report_{number}"
        for month in (date(year, month, 1) for year in YEARS for month in range(1, 13)):
            keys = [f"{month:%Y%m%d}-{next_month(month):%Y%m%d}/{report}-Manifest.json"]
            data = f"{report}/year={month.year}/month={month.month}"
            keys += [f"{data}/{report}-{file:05d}.snappy.parquet" for file in range(FILES)]
            for key in keys:
                client.put_object(Bucket=BUCKET, Key=f"p/{report}/{key}", Body=b"{}")


def _note_published(database: Database, source: Source, storage: S3Storage) -> None:
    with database.session() as connection:
        for manifest in find_manifests(source.name, source.uri, storage, EVERY_MONTH):
            connection.execute(
                f"""
                insert into {SCHEMA}.load_history
                (source, format, billing_period, version, manifest_uri, manifest_etag, status)
                values (%s, %s, %s, 'v1', %s, %s, 'published')
                """,  # noqa: S608  # the schema is this module's own
                [source.name, source.format, manifest.billing_month, manifest.file.uri, manifest.file.etag],
            )


@contextmanager
def s3_server() -> Iterator[str]:
    """Run moto in a process of its own, and yield its address."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
