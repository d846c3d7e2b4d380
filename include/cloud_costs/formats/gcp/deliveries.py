"""`gcp_billing`: the billing export, as a scheduled query of BigQuery writes it to a bucket.

Google writes the billing export only to BigQuery. A scheduled query of the customer copies it to Cloud Storage; this
project ships one, `docs/providers/google/export.sql`. Each run writes each invoice month to a folder of its own:

    <prefix>/invoice_month=202501/20250203T021500Z/part-000000000000.parquet …
    <prefix>/invoice_month=202501/20250203T021500Z/_SUCCESS-000000000000.json       last

The marker is a JSON line, `{"invoice_month": "202501", "rows": "34", "billed": [{"currency": "USD", "cost": "5.5"}]}`.
Integers and decimals are strings, as BigQuery writes 64 bit integers, so that no reader rounds them. A `cost` that is
null promises nothing (the query says when).

EXPORT DATA numbers the files that it writes. Some may be empty, also among those of the marker, so a run is complete
when one marker file holds bytes. The newest complete run is the delivery, and its folder's name is the version.
BigQuery does not say how many files it wrote. The number of rows and the sum of the costs prove that none is missing.

Sources: BigQuery's documentation, "Export table data to Cloud Storage" and "Export statements in GoogleSQL".
"""

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from cloud_costs.errors import DeliveryError
from cloud_costs.formats.delivery import Delivery, Manifest
from cloud_costs.formats.manifests import data_files, listed_folders, read_content
from cloud_costs.months import MonthRange, month_label
from cloud_costs.storage.files import Folder, Storage, StoredFile, folder_name, labelled
from cloud_costs.storage.threads import in_threads

FILE_TYPES = (
    ".parquet",
    ".json",
    ".jsonl",
    ".ndjson",
    ".json.gz",
    ".jsonl.gz",
    ".ndjson.gz",
    ".csv",
    ".csv.gz",
    ".csv.zip",
    ".zip",
)
# invoice_month=202501, and what others call such a folder: 202501, 2025-01, month=2025-01.
MONTH = re.compile(r"(?:[A-Za-z_]+=)?([12][0-9]{3})-?(0[1-9]|1[0-2])")
RUN_TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z")
MARKER = re.compile(r"_SUCCESS(-[0-9]+)?\.json")
# BigQuery's longest decimal, BIGNUMERIC, has 77 digits.
MOST_DIGITS = 80


def _decimal(value: object) -> object:
    """Return a decimal that is written as a text. A JSON number would be a float, and not what BigQuery summed."""
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(E-?[0-9]{1,2})?", value):
        raise ValueError("a decimal in quotes is expected, such as '12.34'")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("no decimal") from None
    if len(number.as_tuple().digits) > MOST_DIGITS:
        raise ValueError(f"more than {MOST_DIGITS} digits")
    return number


def _count(value: object) -> object:
    """Return a count: BigQuery writes integers of 64 bits as texts."""
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,18}", str(value)):
        raise ValueError("a count is expected, such as '34'")
    return int(str(value))


class _Billed(BaseModel):
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    cost: Annotated[Decimal, BeforeValidator(_decimal)] | None = None


class _Content(BaseModel):
    """The promises of a marker. It promises nothing about a currency that it leaves out."""

    invoice_month: str
    rows: Annotated[int, BeforeValidator(_count)]
    billed: list[_Billed] = []


def find_manifests(source: str, uri: str, storage: Storage, months: MonthRange) -> list[Manifest]:
    """Return the marker of the newest complete run of each month, oldest month first."""
    with labelled(source):
        root = storage.list_folder(uri)
        folders = _months(root)
        wanted = [month for month in sorted(folders) if month in months]
        newest = in_threads(lambda month: _newest_marker(source, month, folders[month], storage), wanted)
    _refuse_nothing(source, root, folders)
    return [Manifest(source, month, file) for month, file in zip(wanted, newest, strict=True) if file]


def find_months(source: str, uri: str, storage: Storage, months: MonthRange) -> list[Manifest]:
    """Return a made-up manifest for each month, for a bucket that holds data files and no markers."""
    with labelled(source):
        root = storage.list_folder(uri)
        folders = _months(root)
        wanted = {month: folder for month, folder in sorted(folders.items()) if month in months}
        found = listed_folders(source, wanted, storage, FILE_TYPES, _age)
    _refuse_nothing(source, root, folders)
    return found


def read_version(manifest: Manifest, storage: Storage) -> str:
    """Return the name of the run's folder."""
    return folder_name(manifest.file.folder)


def read_delivery(manifest: Manifest, storage: Storage) -> Delivery:
    """Read the marker and find the files beside it.

    Raises `DeliveryError` for a marker that is not valid or of another month, and for a run without data files.
    """
    content = read_content(manifest, storage, _Content, "a marker of the shipped query")
    where = f"{manifest.label}: manifest {manifest.file.uri}"
    if content.invoice_month != f"{manifest.billing_month:%Y%m}":
        raise DeliveryError(f"{where} is of the invoice month {content.invoice_month!r}")
    currencies = [one.currency for one in content.billed]
    if len(set(currencies)) < len(currencies):
        raise DeliveryError(f"{where} names a currency twice")
    with labelled(manifest.label):
        files = data_files(storage.list_folder(manifest.file.folder), FILE_TYPES)
    if not files:
        raise DeliveryError(f"{where} promises {content.rows} rows, but no data file is beside it")
    billed = {one.currency: one.cost for one in content.billed if one.cost is not None}
    return Delivery(manifest, read_version(manifest, storage), tuple(files), rows=content.rows, billed=billed)


def _months(root: Folder) -> dict[date, str]:
    return {
        date(int(match[1]), int(match[2]), 1): folder
        for folder in root.folders
        if (match := MONTH.fullmatch(folder_name(folder)))
    }


def _newest_marker(source: str, month: date, uri: str, storage: Storage) -> StoredFile | None:
    """Return the marker of the newest run that has one; the newest run itself may still be writing."""
    runs = sorted(storage.list_folder(uri).folders, key=_run_order, reverse=True)
    for run in runs:
        if marker := _marker(source, month, storage.list_folder(run)):
            return marker
    return None


def _run_order(uri: str) -> tuple[bool, str]:
    name = folder_name(uri)
    return RUN_TIME.fullmatch(name) is not None, name


def _marker(source: str, month: date, run: Folder) -> StoredFile | None:
    markers = [file for file in run.files if MARKER.fullmatch(file.name) and file.size]
    if len(markers) > 1:
        names = ", ".join(file.name for file in markers)
        raise DeliveryError(
            f"{source} {month_label(month)}: {run.uri} holds the markers of several runs ({names}); let each run "
            "write to a folder of its own"
        )
    return markers[0] if markers else None


def _age(name: str, modified: datetime) -> tuple[str, datetime]:
    return (name if RUN_TIME.fullmatch(name) else "", modified)


def _refuse_nothing(source: str, root: Folder, folders: dict[date, str]) -> None:
    if not folders:
        seen: Sequence[str] = [folder_name(one) + "/" for one in root.folders] + [file.name for file in root.files]
        there = ", ".join(seen[:5]) + (", …" if len(seen) > 5 else "") if seen else "nothing"
        raise DeliveryError(
            f"{source}: no delivery below {root.uri}; expected folders such as invoice_month=202501/; found {there}"
        )
