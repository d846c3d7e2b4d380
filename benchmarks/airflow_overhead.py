"""What Airflow costs on top: 24 changed small months with the real scheduler and LocalExecutor, and without them.

The run of the DAG is measured from its start to its end, as Airflow notes them, and the library on the same months
in one process. All of it is on this machine: Airflow's processes, its metadata and the cost tables in one
PostgreSQL, and moto for S3.
"""

import json
import os
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import psutil
import psycopg
import yaml

from benchmarks.list_manifests import s3_server
from benchmarks.results import ROOT, Options, Result
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.demo import local_airflow
from cloud_costs.demo.sample_bill import Bill, write_month
from cloud_costs.months import MonthRange, next_month
from cloud_costs.publishing.plan import list_manifests
from cloud_costs.publishing.sync import load_months
from cloud_costs.storage.s3 import S3Storage

MONTHS = 24
BILL = Bill(lines=200, files=1)
BUCKET = "billing"
SOURCE = Source(name="cup", format="aws_cur", uri=f"s3://{BUCKET}/{BILL.prefix}/{BILL.report}/")
AIRFLOW_DATABASE, COSTS_DATABASE = "bench_airflow", "bench_costs"
KEY = "benchmark"
DAG = "/api/v2/dags/cloud_costs"
SECONDS_TO_RUN = 1800
SECONDS_TO_SETTLE = 10
NOT_INHERITED = ("AIRFLOW", "AWS_", "CLOUD_COSTS_", "LOAD_POOL", "PG", "POSTGRES_", "SYNC_SCHEDULE")


@dataclass(frozen=True)
class _Run:
    """Seconds of a run of the DAG, and the CPU seconds of all of Airflow's processes meanwhile."""

    seconds: float
    cpu: float


def run(options: Options) -> list[Result]:
    """Return Airflow's own seconds for each month: the median of runs that load every month again, less the library."""
    with TemporaryDirectory(dir=options.work) as work, _databases(options), s3_server() as url:
        folder = Path(work)
        _deliver(url, folder / "bucket")
        pairs = []
        with _airflow(options, url, folder) as airflow:
            # The scheduled run makes the tables, and so does the library's first.
            airflow.unpause()
            _load_all(options, url)
            for _ in range(options.runs):
                library = _load_all(options, url)
                pairs.append((airflow.run_dag(), library))
    return [
        Result(
            "Airflow's own time for a month",
            median(dag.seconds - library for dag, library in pairs) / MONTHS,
            "s",
            at_most=3,
            headline=True,
            note=f"{MONTHS} months, LocalExecutor, {os.cpu_count()} cores",
            details={
                "dag_seconds": [dag.seconds for dag, _ in pairs],
                "library_seconds": [library for _, library in pairs],
            },
        ),
        Result("CPU of Airflow, its tasks among it, for a month", median(dag.cpu for dag, _ in pairs) / MONTHS, "s"),
    ]


def _load_all(options: Options, url: str) -> float:
    """Load every month in this process, and return the seconds."""
    database = Database(lambda: psycopg.connect(options.server.uri(COSTS_DATABASE)), "library", "benchmark")
    apply_schema(database)
    client = boto3.Session(KEY, KEY, region_name="us-east-1").client("s3", endpoint_url=url)
    storage = S3Storage(client, "benchmark")
    began = time.perf_counter()
    plan = list_manifests(database, [SOURCE], lambda source: storage, MonthRange(), force=True)
    outcome = load_months(database, {SOURCE.name: SOURCE}, lambda source: storage, plan)
    if len(outcome.published) != MONTHS:
        raise RuntimeError(f"the library failed: {outcome.failed}")
    return time.perf_counter() - began


def _deliver(url: str, folder: Path) -> None:
    client = boto3.Session(KEY, KEY, region_name="us-east-1").client("s3", endpoint_url=url)
    client.create_bucket(Bucket=BUCKET)
    month = date(2023, 1, 1)
    for _ in range(MONTHS):
        write_month(BILL, month, folder)
        month = next_month(month)
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), BUCKET, path.relative_to(folder).as_posix())


@contextmanager
def _databases(options: Options) -> Iterator[None]:
    names = (AIRFLOW_DATABASE, COSTS_DATABASE)
    with psycopg.connect(options.server.uri(), autocommit=True) as connection:
        for name in names:
            connection.execute(f'drop database if exists "{name}" with (force)')
            connection.execute(f'create database "{name}"')
        try:
            yield
        finally:
            for name in names:
                connection.execute(f'drop database "{name}" with (force)')


class _Airflow:
    """The Airflow that runs, through its REST API and its metadata."""

    def __init__(self, options: Options, running: local_airflow.Airflow, password: str) -> None:
        self._metadata = options.server.uri(AIRFLOW_DATABASE)
        self._leader = running.pid
        self._url = f"http://127.0.0.1:{running.port}"
        self._token = ""
        self._token = self._call("/auth/token", {"username": "admin", "password": password})["access_token"]

    def unpause(self) -> None:
        """Let the scheduled run begin, and return when it has ended."""
        self._call(DAG, {"is_paused": False}, method="PATCH")
        self._wait("scheduled__%")

    def run_dag(self) -> _Run:
        """Load every month again."""
        time.sleep(SECONDS_TO_SETTLE)
        before = self._cpu()
        run_id = self._call(f"{DAG}/dagRuns", {"conf": {"force": True}, "logical_date": None})["dag_run_id"]
        seconds = self._wait(run_id)
        return _Run(seconds, self._cpu() - before)

    def _wait(self, run_id: str) -> float:
        deadline = time.monotonic() + SECONDS_TO_RUN
        while time.monotonic() < deadline:
            with psycopg.connect(self._metadata) as connection:
                row = connection.execute(
                    "select state, extract(epoch from end_date - start_date)::float8 from dag_run where run_id like %s",
                    [run_id],
                ).fetchone()
            if row and row[0] == "success":
                return float(row[1])
            if row and row[0] == "failed":
                break
            time.sleep(0.5)
        raise RuntimeError(f"the run {run_id} did not succeed")

    def _cpu(self) -> float:
        """Return the CPU seconds of all processes of the session, and of those of their children that have ended."""
        seconds = 0.0
        for process in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                if os.getsid(process.pid) == self._leader:
                    seconds += sum(process.cpu_times()[:4])
        return seconds

    def _call(self, path: str, body: Any, *, method: str = "POST") -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(self._url + path, json.dumps(body).encode(), headers, method=method)  # noqa: S310
        # No proxy: the environment may name one that does not know this machine.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return json.load(answer)


@contextmanager
def _airflow(options: Options, url: str, folder: Path) -> Iterator[_Airflow]:
    """Start Airflow as `make up` does, with a home of its own and the DAG paused."""
    password = secrets.token_urlsafe(12)
    (folder / "passwords.json").write_text(json.dumps({"admin": password}))
    source = SOURCE.model_dump(mode="json", include={"name", "format", "uri"})
    (folder / "sources.yaml").write_text(yaml.safe_dump({"sources": [source]}))
    environment = _environment(options, url, folder)
    subprocess.run(
        [local_airflow.PROGRAM, "db", "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL, cwd=folder
    )
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    running = folder / "airflow.json"
    try:
        started = local_airflow.start(environment, port, running, folder / "airflow.log", lambda: _has_dag(options))
        yield _Airflow(options, started, password)
    finally:
        local_airflow.stop(running)


def _has_dag(options: Options) -> bool:
    with psycopg.connect(options.server.uri(AIRFLOW_DATABASE)) as connection:
        return connection.execute("select 1 from dag where dag_id = 'cloud_costs'").fetchone() is not None


def _environment(options: Options, url: str, folder: Path) -> dict[str, str]:
    server = options.server
    costs = {"conn_type": "postgres", "host": str(server.socket_dir), "port": server.port, "login": "postgres"}
    aws = {"endpoint_url": url, "region_name": "us-east-1"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return inherited | {
        "PYTHONPATH": str(ROOT / "include"),
        "CLOUD_COSTS_CONFIG": str(folder / "sources.yaml"),
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps({"conn_type": "aws", "login": KEY, "password": KEY, "extra": aws}),
        "AIRFLOW_CONN_COSTS_DB": json.dumps({**costs, "schema": COSTS_DATABASE}),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "true",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.uri(AIRFLOW_DATABASE).replace("://", "+psycopg2://", 1),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    }
