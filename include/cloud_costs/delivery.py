"""Deliveries: one complete version of one billing month of one source."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from cloud_costs.months import MonthRange, month_label
from cloud_costs.storage import Storage, StoredFile


@dataclass(frozen=True)
class Manifest:
    """The newest manifest of one billing month, found by listing; its content is not read yet."""

    source: str
    billing_month: date
    file: StoredFile

    @property
    def label(self) -> str:
        return f"{self.source} {month_label(self.billing_month)}"


@dataclass(frozen=True)
class Delivery:
    """What a manifest pins: the version and the data files, each found and measured."""

    manifest: Manifest
    version: str
    files: tuple[StoredFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all data files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Format:
    """How one kind of export is listed and read; `cloud_costs.formats.FORMATS` names them all.

    `find_manifests(source, uri, storage, months)` returns the newest manifest of each month in the range.
    `read_version(manifest, storage)` returns the version id that the manifest names.
    `read_delivery(manifest, storage)` reads the manifest and finds every file that it lists.
    `find_months` is `find_manifests` for a bucket that holds no manifests.
    `mapping` names the SQL in `include/sql/focus`, `billed` the raw column that no file may lack; `raw_name` and
    `csv_type` give a CSV column its name and its PostgreSQL type.
    """

    find_manifests: Callable[[str, str, Storage, MonthRange], list[Manifest]]
    read_version: Callable[[Manifest, Storage], str]
    read_delivery: Callable[[Manifest, Storage], Delivery]
    find_months: Callable[[str, str, Storage, MonthRange], list[Manifest]]
    mapping: str
    billed: str
    raw_name: Callable[[str], str]
    csv_type: Callable[[str], str]
