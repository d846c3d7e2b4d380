"""The layout of a Data Export (CUR 2.0 or FOCUS) in its bucket.

Data and metadata are in separate folders, with a folder for each billing period, and below it in create-new mode one
for each execution. With an empty prefix, the keys begin with the export's name. AWS publishes no schema of the
manifest, so it has the members that public readers use.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cloud_costs.demo.sample_bill.bill import Bill, delivered_at, month_end, month_start
from cloud_costs.demo.sample_bill.tables import Column

_CSV_TYPES = {"double": "OptionalBigDecimal"}


def delivery_id(bill: Bill, month: date, version: int) -> str:
    """Return the execution id."""
    return str(uuid5(NAMESPACE_URL, f"{bill.bucket}/{bill.root}/{month:%Y-%m}/{version}"))


def data_key(bill: Bill, month: date, version: int, number: int) -> str:
    """Return the key of a data file; the first has the number 1."""
    folder = _folder(bill, month, "data")
    if bill.layout == "create-new":
        folder += f"/{_execution(bill, month, version)}"
    return f"{folder}/{bill.report}-{number:05d}.{bill.suffix}"


def manifest_keys(bill: Bill, month: date, version: int) -> list[str]:
    """Return the keys of the manifest, the one that every delivery overwrites last."""
    folder, name = _folder(bill, month, "metadata"), f"{bill.report}-Manifest.json"
    if bill.layout == "overwrite":
        return [f"{folder}/{name}"]
    return [f"{folder}/{_execution(bill, month, version)}/{name}", f"{folder}/{name}"]


def manifest(bill: Bill, month: date, version: int, columns: Sequence[Column], keys: list[str]) -> dict[str, Any]:
    """Return the content of the manifest of the data files `keys`. AWS publishes no schema of it."""
    instant = "%Y-%m-%dT%H:%M:%S.000Z"
    export = uuid5(NAMESPACE_URL, f"{bill.bucket}/{bill.root}")
    is_parquet = bill.file_type == "parquet"
    return {
        "executionId": delivery_id(bill, month, version),
        "exportArn": f"arn:aws:bcm-data-exports:us-east-1:{bill.payer}:export/{bill.report}-{export}",
        "billingPeriod": {
            "start": month_start(month).strftime(instant),
            "end": month_end(month).strftime(instant),
        },
        "columns": [
            {
                "name": column.name,
                "type": column.type if is_parquet else _CSV_TYPES.get(column.type, "OptionalString"),
            }
            for column in columns
        ],
        "dataFiles": [_data_file(bill, key) for key in keys],
    }


def write_month_litter(bill: Bill, month: date, columns: Sequence[Column], bucket_dir: Path) -> None:
    """Write nothing: Data Exports leave nothing else behind."""


def write_litter(bill: Bill, bucket_dir: Path) -> None:
    """Write nothing: Data Exports leave nothing else behind."""


def _folder(bill: Bill, month: date, kind: str) -> str:
    return f"{bill.root.removeprefix('/')}/{kind}/BILLING_PERIOD={month:%Y-%m}"


def _execution(bill: Bill, month: date, version: int) -> str:
    return f"{delivered_at(month, version):%Y-%m-%dT%H:%M:%S}.337Z-{delivery_id(bill, month, version)}"


def _data_file(bill: Bill, key: str) -> str | dict[str, str]:
    if bill.data_files == "object":
        return {"bucket": bill.bucket, "key": key}
    return key if bill.data_files == "key" else f"s3://{bill.bucket}/{key}"
