"""The layout of a legacy Cost and Usage Report in its bucket: keys, manifest, and the litter around them.

A range is `YYYYMMDD-YYYYMMDD` with an exclusive end. Parquet in overwrite mode has the Athena integration: its files
are in Hive-style folders with an unpadded month. CSV files are in the range's folder. With an empty prefix, AWS's keys
begin with a slash.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pyarrow as pa
import pyarrow.parquet as pq

from cloud_costs.demo.sample_bill.bill import Bill, delivered_at, month_end, month_start
from cloud_costs.demo.sample_bill.files import replacing, write_text
from cloud_costs.demo.sample_bill.tables import Column

_CSV_TYPES = {"string": "OptionalString", "double": "OptionalBigDecimal", "timestamp": "DateTime"}
_ALWAYS_THERE = {
    "identity/LineItemId": "String",
    "identity/TimeInterval": "Interval",
    "lineItem/UnblendedCost": "BigDecimal",
}


def delivery_id(bill: Bill, month: date, version: int) -> str:
    """Return the assembly id: AWS uses the UTC time of assembly."""
    return f"{delivered_at(month, version):%Y%m%dT%H%M%SZ}"


def data_key(bill: Bill, month: date, version: int, number: int) -> str:
    """Return the key of a data file. Parquet has AWS's Athena integration, with folders by year and month."""
    if bill.layout == "create-new":
        folder = f"{_range_key(bill, month)}/{delivery_id(bill, month, version)}"
    elif bill.file_type == "parquet":
        folder = f"{bill.root}/{bill.report}/year={month.year}/month={month.month}"
    else:
        folder = _range_key(bill, month)
    return f"{folder}/{bill.report}-{number:05d}.{bill.suffix}"


def manifest_keys(bill: Bill, month: date, version: int) -> list[str]:
    """Return the keys of the manifest, the one that every delivery overwrites last."""
    name = f"{bill.report}-Manifest.json"
    latest = f"{_range_key(bill, month)}/{name}"
    if bill.layout == "overwrite":
        return [latest]
    return [f"{_range_key(bill, month)}/{delivery_id(bill, month, version)}/{name}", latest]


def manifest(bill: Bill, month: date, version: int, columns: Sequence[Column], keys: list[str]) -> dict[str, Any]:
    """Return the content of the manifest of the data files `keys`, as the AWS CUR user guide shows it."""
    instant = "%Y%m%dT%H%M%S.000Z"
    is_parquet = bill.file_type == "parquet"
    return {
        "assemblyId": delivery_id(bill, month, version),
        "account": bill.payer,
        "columns": [
            {
                "category": column.category,
                "name": column.name.removeprefix(f"{column.category}/"),
                "type": column.type.upper() if is_parquet else _csv_type(column),
            }
            for column in columns
        ],
        "charset": "UTF-8",
        "compression": "Parquet" if is_parquet else bill.compression.upper(),
        "contentType": "Parquet" if is_parquet else "text/csv",
        "reportId": uuid5(NAMESPACE_URL, f"{bill.bucket}/{bill.root}").hex,
        "reportName": bill.report,
        "billingPeriod": {
            "start": month_start(month).strftime(instant),
            "end": month_end(month).strftime(instant),
        },
        "bucket": bill.bucket,
        "reportKeys": keys,
        "additionalArtifactKeys": [],
    }


def write_month_litter(bill: Bill, month: date, columns: Sequence[Column], bucket_dir: Path) -> None:
    """Write the files that the Athena integration leaves beside a month."""
    if _has_athena(bill):
        fields = ",\n".join(f"    {column.name} {column.type.upper()}" for column in columns)
        location = f"s3://{bill.bucket}/{bill.root}/{bill.report}/"
        ddl = f"CREATE EXTERNAL TABLE IF NOT EXISTS cur (\n{fields}\n)\nSTORED AS PARQUET\nLOCATION '{location}'\n"
        write_text(bucket_dir, f"{_range_key(bill, month)}/{bill.report}-create-table.sql", ddl)


def write_litter(bill: Bill, bucket_dir: Path) -> None:
    """Write the files that the Athena integration leaves beside an export."""
    if not _has_athena(bill):
        return
    folder = f"{bill.root}/{bill.report}"
    write_text(bucket_dir, f"{folder}/crawler-cfn.yml", "AWSTemplateFormatVersion: 2010-09-09\n")
    status = pa.table({"status": ["READY"]})
    with replacing(bucket_dir, f"{folder}/cost_and_usage_data_status/cost_and_usage_data_status.parquet") as path:
        pq.write_table(status, path, compression="snappy", store_schema=False)


def _has_athena(bill: Bill) -> bool:
    return bill.layout == "overwrite" and bill.file_type == "parquet"


def _range_key(bill: Bill, month: date) -> str:
    return f"{bill.root}/{month_start(month):%Y%m%d}-{month_end(month):%Y%m%d}"


def _csv_type(column: Column) -> str:
    return _ALWAYS_THERE.get(column.name) or _CSV_TYPES[column.type]
