"""Delivers a planned month as AWS delivers a legacy CUR in Parquet: chunks, manifest, and the litter around
them.

AWS writes no NULL: a missing string is '' and a missing number 0.0. Timestamps are milliseconds in UTC. A
delivery in overwrite mode with fewer chunks than the one before leaves the surplus files behind, so only
the manifest tells which count. Every file is written under a temporary name and renamed, the manifest last.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pyarrow as pa
import pyarrow.parquet as pq

from cloud_costs.sample_bill.bill import (
    Bill,
    assembly_id,
    data_key,
    file_count,
    manifest_keys,
    month_end,
    month_start,
    range_key,
    report_key,
)
from cloud_costs.sample_bill.catalog import Values
from cloud_costs.sample_bill.columns import CATEGORIES, ColumnType, column_names, column_type
from cloud_costs.sample_bill.lines import Line
from cloud_costs.sample_bill.plan import plan_lines
from cloud_costs.sample_bill.truth import Tally, Truth

BATCH_LINES = 20_000

_TYPES: dict[ColumnType, Any] = {
    "string": pa.string(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("ms", tz="UTC"),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write_month(bill: Bill, month: date, bucket_dir: Path, *, version: int = 1) -> Truth:
    """Write one delivery of a month below `bucket_dir`, the root of the bucket, and return what it means."""
    month = month.replace(day=1)
    tally = Tally("line_item_net_unblended_cost" if bill.net else "line_item_unblended_cost")
    keys = _write_data(bill, month, version, bucket_dir, tally.watch(plan_lines(bill, month, version)))
    if bill.layout == "overwrite":
        key = f"{range_key(bill, month)}/{bill.report}-create-table.sql"
        _write_text(bucket_dir, key, _create_table(bill, month))
    manifest = json.dumps(_manifest(bill, month, version, keys), indent=2)
    for key in manifest_keys(bill, month, version):
        _write_text(bucket_dir, key, manifest)
    return tally.truth(bill, month, version)


def write_export(bill: Bill, months: Sequence[date], bucket_dir: Path) -> list[Truth]:
    """Write all months and what else AWS leaves in such a bucket; return the truth of the newest
    deliveries.

    In create-new mode the first month is delivered twice, so that an assembly which no longer counts is in
    the bucket.
    """
    _write_text(bucket_dir, "aws-programmatic-access-test-object", "")
    truths = []
    for index, month in enumerate(months):
        version = 1
        if index == 0 and bill.layout == "create-new":
            write_month(bill, month, bucket_dir, version=version)
            version = 2
        truths.append(write_month(bill, month, bucket_dir, version=version))
    if bill.layout == "overwrite":
        _write_athena_litter(bill, bucket_dir)
    return truths


def _write_data(bill: Bill, month: date, version: int, bucket_dir: Path, lines: Iterator[Line]) -> list[str]:
    """Write the lines in chunks of nearly equal size; the last takes what is over."""
    schema = pa.schema([(name, _TYPES[column_type(name)]) for name in column_names(month, bill.net)])
    files = file_count(bill, version)
    share = max(1, bill.lines // files)
    keys = []
    for number in range(1, files + 1):
        chunk = lines if number == files else islice(lines, share)
        batch = list(islice(chunk, BATCH_LINES))
        if not batch:
            break
        keys.append(data_key(bill, month, version, number))
        with _replacing(bucket_dir, keys[-1]) as path, _parquet_writer(path, schema) as writer:
            while batch:
                writer.write_table(_table([line.values for line in batch], schema), row_group_size=BATCH_LINES)
                batch = list(islice(chunk, BATCH_LINES))
    return keys


def _parquet_writer(path: Path, schema: pa.Schema) -> Any:
    return pq.ParquetWriter(path, schema, compression="snappy", coerce_timestamps="ms", store_schema=False)


def _table(rows: list[Values], schema: pa.Schema) -> Any:
    return pa.Table.from_arrays([_array(rows, name, schema.field(name).type) for name in schema.names], schema=schema)


def _array(rows: list[Values], name: str, arrow_type: Any) -> Any:
    kind = column_type(name)
    if kind == "string":
        return pa.array([row.get(name, "") for row in rows], arrow_type)
    if kind == "double":
        return pa.array([float(row[name]) if name in row else 0.0 for row in rows], arrow_type)  # type: ignore[arg-type]
    milliseconds: dict[datetime, int] = _Milliseconds(_to_milliseconds)
    return pa.array([milliseconds[row[name]] for row in rows], pa.int64()).cast(arrow_type)  # type: ignore[index]


def _to_milliseconds(instant: datetime) -> int:
    return int((instant - _EPOCH).total_seconds()) * 1000


class _Milliseconds(dict[datetime, int]):
    """A cache of conversions: a batch has few distinct instants."""

    def __init__(self, convert: Callable[[datetime], int]) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, instant: datetime) -> int:
        self[instant] = self._convert(instant)
        return self[instant]


def _manifest(bill: Bill, month: date, version: int, keys: list[str]) -> dict[str, Any]:
    instant = "%Y%m%dT%H%M%S.000Z"
    return {
        "assemblyId": assembly_id(month, version),
        "account": bill.payer,
        "columns": [
            {"category": CATEGORIES[name], "name": name, "type": column_type(name).upper()}
            for name in column_names(month, bill.net)
        ],
        "charset": "UTF-8",
        "compression": "Parquet",
        "contentType": "Parquet",
        "reportId": uuid5(NAMESPACE_URL, f"{bill.bucket}/{report_key(bill)}").hex,
        "reportName": bill.report,
        "billingPeriod": {
            "start": month_start(month).strftime(instant),
            "end": month_end(month).strftime(instant),
        },
        "bucket": bill.bucket,
        "reportKeys": keys,
        "additionalArtifactKeys": [],
    }


def _create_table(bill: Bill, month: date) -> str:
    columns = ",\n".join(f"    {name} {column_type(name).upper()}" for name in column_names(month, bill.net))
    location = f"s3://{bill.bucket}/{report_key(bill)}/{bill.report}/"
    return f"CREATE EXTERNAL TABLE IF NOT EXISTS cur (\n{columns}\n)\nSTORED AS PARQUET\nLOCATION '{location}'\n"


def _write_athena_litter(bill: Bill, bucket_dir: Path) -> None:
    folder = f"{report_key(bill)}/{bill.report}"
    _write_text(bucket_dir, f"{folder}/crawler-cfn.yml", "AWSTemplateFormatVersion: 2010-09-09\n")
    status = pa.table({"status": ["READY"]})
    with _replacing(bucket_dir, f"{folder}/cost_and_usage_data_status/cost_and_usage_data_status.parquet") as path:
        pq.write_table(status, path, compression="snappy", store_schema=False)


def _write_text(bucket_dir: Path, key: str, text: str) -> None:
    with _replacing(bucket_dir, key) as path:
        path.write_text(text, encoding="utf-8")


@contextmanager
def _replacing(bucket_dir: Path, key: str) -> Iterator[Path]:
    """Give a temporary path that takes the key's place when all went well; a leading slash of a key has no
    folder.
    """
    target = bucket_dir / key.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
