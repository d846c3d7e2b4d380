"""Deliver a planned month as Cost Management exports it: in parts and then a manifest, each run in its own folder.

In overwrite mode the folder of the run before is deleted. Without partitions there is one file and no manifest.
"""

import csv
import gzip
import io
import json
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, cast
from uuid import NAMESPACE_URL, uuid5

import pyarrow as pa
import pyarrow.parquet as pq

from cloud_costs.demo.sample_bill.azure.bill import AzureBill
from cloud_costs.demo.sample_bill.azure.columns import Cell, DataSet, Row, data_sets, sub_account
from cloud_costs.demo.sample_bill.azure.plan import ZERO, AzureLine, plan_lines
from cloud_costs.demo.sample_bill.bill import days_in, delivered_at
from cloud_costs.demo.sample_bill.files import replacing, write_text
from cloud_costs.demo.sample_bill.truth import Truth, TruthRow

BATCH = 20_000
NUMBER = re.compile(
    r"(?:x_)?(?:\w*(?:cost|price|quantity|exchangerate|blocksize|rate|cost\w*currency)|exchangeratepricingtobilling)"
)
TIMES = {
    *("date", "usagedatetime", "billingperiodstartdate", "billingperiodenddate"),
    *("billingperiodstart", "billingperiodend", "chargeperiodstart", "chargeperiodend"),
}


def write_month(bill: AzureBill, month: date, bucket_dir: Path, *, version: int = 1) -> Truth:
    """Write one run of each export of a month below `bucket_dir`, the root of the container, and return its truth."""
    month = month.replace(day=1)
    tally = _Tally(bill)
    for number, data_set in enumerate(data_sets(bill, month)):
        root = bill.amortized_root if number else bill.root
        lines = plan_lines(bill, month, version)
        # The lines are planned again for each data set, and are the same each time.
        watched = tally.watch(lines) if not number else lines
        rows = (row for row in map(data_set.row_of, watched) if row is not None)
        tally.raw_lines += _write_run(bill, root, data_set, rows, month, version, bucket_dir)
    return tally.truth(month, version, run_id(bill.root, month, version))


def write_export(bill: AzureBill, months: Sequence[date], bucket_dir: Path) -> list[Truth]:
    """Write all months, and return the truth of the newest runs; with create-new, the first month has an older run."""
    truths = []
    for index, month in enumerate(months):
        if index == 0 and bill.layout == "create-new":
            write_month(bill, month, bucket_dir)
        truths.append(write_month(bill, month, bucket_dir, version=2 if index == 0 else 1))
    return truths


def run_id(root: str, month: date, version: int) -> str:
    """Return the GUID of a run."""
    return str(uuid5(NAMESPACE_URL, f"{root} {month} {version}"))


def range_folder(root: str, month: date) -> str:
    """Return the key of a month's folder; the end of its range is inclusive."""
    return f"{root}/{month:%Y%m%d}-{month.replace(day=days_in(month)):%Y%m%d}"


def run_folder(bill: AzureBill, root: str, month: date, version: int) -> str:
    """Return the key of a run's folder."""
    folder, run = range_folder(root, month), run_id(root, month, version)
    if bill.layout == "create-new":
        folder += f"/{delivered_at(month, version):%Y%m%d%H%M}"
    return f"{folder}/{run}"


def _write_run(
    bill: AzureBill, root: str, data_set: DataSet, rows: Iterator[Row], month: date, version: int, bucket_dir: Path
) -> int:
    """Write the files of one run, and return how many lines they have."""
    folder = run_folder(bill, root, month, version)
    modified = delivered_at(month, version)
    if bill.layout == "single":
        name = f"{root.rsplit('/', 1)[-1]}_{run_id(root, month, version)}.{bill.suffix}"
        key = f"{range_folder(root, month)}/{name}"
        count = _write_file(bill, data_set, rows, bucket_dir, key)
        _set_modified(bucket_dir / key, modified)
        return count
    if bill.layout == "overwrite":
        shutil.rmtree(bucket_dir / range_folder(root, month), ignore_errors=True)
    share = max(1, bill.lines // bill.files)
    blobs = []
    for number in range(bill.files):
        key = f"{folder}/part_{number}_0001.{bill.suffix}"
        part = rows if number == bill.files - 1 else islice(rows, share)
        count = _write_file(bill, data_set, part, bucket_dir, key)
        size = (bucket_dir / key).stat().st_size
        blobs.append({"blobName": key, "byteCount": size, "dataRowCount": count, "headerRowCount": 1})
    key = f"{folder}/manifest.json"
    write_text(bucket_dir, key, json.dumps(_manifest(bill, root, month, version, blobs), indent=2))
    _set_modified(bucket_dir / key, modified)
    return sum(cast(int, blob["dataRowCount"]) for blob in blobs)


def _set_modified(path: Path, instant: datetime) -> None:
    os.utime(path, (instant.timestamp(), instant.timestamp()))


def _manifest(bill: AzureBill, root: str, month: date, version: int, blobs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    data_set = "FocusCost" if bill.format == "azure_focus" else "ActualCost"
    end = month + timedelta(days=days_in(month) - 1)
    return {
        "manifestVersion": "2024-04-01",
        "byteCount": sum(blob["byteCount"] for blob in blobs),
        "blobCount": len(blobs),
        "dataRowCount": sum(blob["dataRowCount"] for blob in blobs),
        "exportConfig": {
            "exportName": root.rsplit("/", 1)[-1],
            "type": "AmortizedCost" if root == bill.amortized_root else data_set,
            "dataVersion": bill.focus_version if bill.format == "azure_focus" else "2023-12-01-preview",
            "apiVersion": "2023-07-01-preview",
        },
        "deliveryConfig": {
            "partitionData": True,
            "dataOverwriteBehavior": "OverwritePreviousReport" if bill.layout == "overwrite" else "CreateNewReport",
            "fileFormat": "Parquet" if bill.file_type == "parquet" else "Csv",
            "compressionMode": bill.compression if bill.file_type == "csv" else "snappy",
        },
        "runInfo": {
            "executionType": "Scheduled",
            "submittedTime": f"{delivered_at(month, version):%Y-%m-%dT%H:%M:%SZ}",
            "runId": run_id(root, month, version),
            "startDate": f"{month:%Y-%m-%d}T00:00:00",
            "endDate": f"{end:%Y-%m-%d}T00:00:00",
        },
        "blobs": list(blobs),
    }


def _write_file(bill: AzureBill, data_set: DataSet, rows: Iterable[Row], bucket_dir: Path, key: str) -> int:
    with replacing(bucket_dir, key) as path:
        if bill.file_type == "parquet":
            return _write_parquet(bill, data_set, rows, path)
        with _opened(bill, path) as binary, io.TextIOWrapper(binary, "utf-8-sig", newline="") as file:
            writer = csv.writer(file, lineterminator="\r\n")
            writer.writerow(data_set.columns)
            count = 0
            for row in rows:
                writer.writerow([_text(row.get(name), data_set.is_american) for name in data_set.columns])
                count += 1
    return count


@contextmanager
def _opened(bill: AzureBill, path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing, without a clock time in it: the same content always has the same bytes."""
    with path.open("wb") as raw:
        if bill.compression == "none":
            yield raw
        else:
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
                yield cast(IO[bytes], file)


def _text(cell: Cell, is_american: bool) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(cell, date):
        return f"{cell:%m/%d/%Y}" if is_american else f"{cell:%Y-%m-%d}"
    return cell


def _write_parquet(bill: AzureBill, data_set: DataSet, rows: Iterable[Row], path: Path) -> int:
    """Write a row group for each batch; absent texts are '', absent numbers NULL."""
    rows = iter(rows)
    first = list(islice(rows, BATCH))
    schema = _schema(bill, data_set)
    count = 0
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        for batch in _batches(chain(first, rows)):
            arrays = [pa.array([_cell(row.get(name.name), name.type) for row in batch], name.type) for name in schema]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(batch)
    return count


def _schema(bill: AzureBill, data_set: DataSet) -> Any:
    number = pa.decimal128(38, 18) if bill.decimals == "decimal" else pa.float64()
    return pa.schema([(name, _arrow_type(name, number)) for name in data_set.columns])


def _arrow_type(name: str, number: Any) -> Any:
    if name.lower() in TIMES:
        return pa.timestamp("us")
    return number if NUMBER.fullmatch(name.lower()) else pa.string()


def _cell(cell: Cell, kind: Any) -> Any:
    if cell is None or isinstance(cell, str):
        return (cell or "") if kind == pa.string() else None
    if type(cell) is date:
        return datetime.combine(cell, datetime.min.time())
    return float(cell) if kind == pa.float64() and isinstance(cell, Decimal) else cell


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


@dataclass
class _Sums:
    billed: Decimal = ZERO
    effective: Decimal = ZERO
    list_cost: Decimal = ZERO
    lines: int = 0


@dataclass
class _Tally:
    """The sums of the lines that pass through it, which become the truth."""

    bill: AzureBill
    groups: defaultdict[tuple[str, str | None, str, str], _Sums] = field(default_factory=lambda: defaultdict(_Sums))
    invoices: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    raw_lines: int = 0
    raw_cost: Decimal = ZERO

    def watch(self, lines: Iterable[AzureLine]) -> Iterator[AzureLine]:
        """Pass the lines on, adding them up."""
        for line in lines:
            self._add(line)
            yield line

    def _add(self, line: AzureLine) -> None:
        self.raw_cost += line.actual or ZERO
        both = self.bill.format == "azure_focus" or self.bill.amortized
        if not both and line.actual is None:
            return
        billed, effective = (line.billed, line.effective) if both else (line.actual or ZERO, line.actual or ZERO)
        sums = self.groups[line.meter.service, sub_account(self.bill, line), line.category, line.profile.currency]
        sums.billed += billed
        sums.effective += effective
        sums.list_cost += line.list_cost
        sums.lines += 1
        invoice = f"G{line.day:%y%m}{line.profile.currency}" if self.bill.agreement == "MCA" else ""
        self.invoices[invoice] += billed

    def truth(self, month: date, version: int, delivery_id: str) -> Truth:
        groups = sorted(self.groups.items(), key=lambda group: str(group[0]))
        rows = tuple(
            TruthRow(
                month, service, account, category, currency, sums.billed, sums.effective, sums.list_cost, sums.lines
            )
            for (service, account, category, currency), sums in groups
        )
        currencies = sorted({row.currency for row in rows})
        return Truth(
            month, version, delivery_id, "+".join(currencies), rows, self.raw_lines, self.raw_cost,
            negation_lines=0, split_lines=0, split_cost=ZERO, invoices=dict(sorted(self.invoices.items())),
        )  # fmt: skip
