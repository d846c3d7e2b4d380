"""Deliver a planned month as AWS does: in chunks, and then a manifest.

In overwrite mode, a delivery with fewer chunks than the one before leaves the surplus files behind, so only the
manifest tells which files count. Every file is written under a temporary name and renamed.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from cloud_costs.demo.sample_bill import cur_delivery, data_exports
from cloud_costs.demo.sample_bill.bill import Bill, Format, file_count
from cloud_costs.demo.sample_bill.csv_files import csv_writer
from cloud_costs.demo.sample_bill.cur import cur_table
from cloud_costs.demo.sample_bill.cur2 import cur2_table
from cloud_costs.demo.sample_bill.files import replacing, write_text
from cloud_costs.demo.sample_bill.focus_export import focus_table
from cloud_costs.demo.sample_bill.parquet_files import parquet_writer
from cloud_costs.demo.sample_bill.plan import plan_lines
from cloud_costs.demo.sample_bill.tables import Column, Row, Table
from cloud_costs.demo.sample_bill.truth import Tally, Truth

BATCH_LINES = 20_000


class Family(Protocol):
    """The keys and manifests that a family of formats has in common. A module is an instance of it."""

    def delivery_id(self, bill: Bill, month: date, version: int) -> str:
        """Return the id of a delivery."""

    def data_key(self, bill: Bill, month: date, version: int, number: int) -> str:
        """Return the key of a data file; the first has the number 1."""

    def manifest_keys(self, bill: Bill, month: date, version: int) -> list[str]:
        """Return the keys of the manifest, the one that every delivery overwrites last."""

    def manifest(
        self, bill: Bill, month: date, version: int, columns: Sequence[Column], keys: list[str]
    ) -> dict[str, Any]:
        """Return the content of the manifest of the data files `keys`."""

    def write_month_litter(self, bill: Bill, month: date, columns: Sequence[Column], bucket_dir: Path) -> None:
        """Write the other files that AWS leaves beside a month's data."""

    def write_litter(self, bill: Bill, bucket_dir: Path) -> None:
        """Write the other files that AWS leaves beside an export."""


_FORMATS: dict[Format, tuple[Family, Callable[[Bill, date], Table]]] = {
    "aws_cur": (cur_delivery, cur_table),
    "aws_cur2": (data_exports, cur2_table),
    "aws_focus": (data_exports, focus_table),
}


def write_month(bill: Bill, month: date, bucket_dir: Path, *, version: int = 1) -> Truth:
    """Write one delivery of a month below `bucket_dir`, the root of the bucket, and return what it means."""
    month = month.replace(day=1)
    family, table_of = _FORMATS[bill.format]
    table, tally = table_of(bill, month), Tally(bill)
    lines = tally.watch(plan_lines(bill, month, version))
    rows = (row for line in lines for row in table.rows_of(line))
    keys = []
    for number, chunk in enumerate(
        _chunks(rows, max(1, bill.lines // file_count(bill, version)), file_count(bill, version)), 1
    ):
        keys.append(family.data_key(bill, month, version, number))
        with replacing(bucket_dir, keys[-1]) as path, _writer(bill, table, path, keys[-1]) as write:
            for batch in chunk:
                write(batch)
    family.write_month_litter(bill, month, table.columns, bucket_dir)
    manifest = json.dumps(family.manifest(bill, month, version, table.columns, keys), indent=2)
    for key in family.manifest_keys(bill, month, version):
        write_text(bucket_dir, key, manifest)
    return tally.truth(month, version, family.delivery_id(bill, month, version))


def write_export(bill: Bill, months: Sequence[date], bucket_dir: Path) -> list[Truth]:
    """Write all months, and other files that AWS leaves in such a bucket; return the truth of the newest deliveries.

    In create-new mode the first month is delivered twice, so that an old delivery is in the bucket too.
    """
    write_text(bucket_dir, "aws-programmatic-access-test-object", "")
    truths = []
    for index, month in enumerate(months):
        version = 1
        if index == 0 and bill.layout == "create-new":
            write_month(bill, month, bucket_dir, version=version)
            version = 2
        truths.append(write_month(bill, month, bucket_dir, version=version))
    _FORMATS[bill.format][0].write_litter(bill, bucket_dir)
    return truths


def _writer(bill: Bill, table: Table, path: Path, key: str) -> AbstractContextManager[Callable[[Sequence[Row]], None]]:
    if bill.file_type == "parquet":
        return parquet_writer(path, table, bill.timestamps)
    member = PurePosixPath(key).name.removesuffix(".zip")
    return csv_writer(path, table, bill.compression, member)


def _chunks(rows: Iterator[Row], share: int, count: int) -> Iterator[Iterator[list[Row]]]:
    """Yield the batches of each file. Files have `share` rows, and the last one has the rest."""
    for number in range(1, count + 1):
        batches = _batches(rows if number == count else islice(rows, share))
        first = next(batches, None)
        if first is None:
            return
        yield _chained(first, batches)


def _chained(first: list[Row], others: Iterator[list[Row]]) -> Iterator[list[Row]]:
    yield first
    yield from others


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH_LINES)):
        yield batch
