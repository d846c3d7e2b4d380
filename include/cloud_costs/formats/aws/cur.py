"""`aws_cur`: the legacy AWS Cost and Usage Report, Parquet and CSV.

AWS lays a report out below its report folder, `<prefix>/<report>/`:

    <range>/<report>-Manifest.json                               the newest delivery of the month
    <range>/<assemblyId>/<report>-Manifest.json                  create-new: each delivery's own
    <range>/<assemblyId>/<report>-00001.snappy.parquet           create-new; CSV: .csv.gz, .zip
    <range>/<report>-00001.csv.gz                                overwrite, CSV
    <report>/year=2025/month=1/<report>-00001.snappy.parquet     overwrite, with the Athena integration

`<range>` is `20250101-20250201`, with an exclusive end. A source's uri names the report folder or the Athena data
folder in it. Only the files that a manifest lists are read. Old deliveries, and other files that AWS leaves there, are
not touched.

Sources: AWS CUR user guide, `access-cur-s3`, `what-is-cur`; keys and manifests of real deliveries.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from cloud_costs.errors import DeliveryError, StorageDenied
from cloud_costs.formats.aws.manifests import FILE_TYPES, age, newest_manifests
from cloud_costs.formats.delivery import Delivery, Manifest
from cloud_costs.formats.manifests import find_files, listed_folders, read_content, refuse_keys
from cloud_costs.months import MonthRange, next_month
from cloud_costs.storage.files import Folder, Storage, bucket_root, folder_name, is_root, labelled, parent_folder
from cloud_costs.storage.threads import in_threads

# 20250101-20250201
RANGE = re.compile(r"([12][0-9]{3})(0[1-9]|1[0-2])01-([0-9]{6})01")
# What follows the report folder in a data file's key: overwrite with Athena, then create-new.
IN_REPORT = re.compile(
    r"(?:\A|/)((?:[^/]+/year=[0-9]{4}/month=[0-9]{1,2}/|[0-9]{8}-[0-9]{8}/(?:[^/]+/)?)[^/]+)\Z",
)


def _start(text: str) -> str:
    datetime.strptime(text[:8], "%Y%m%d")
    return text


class _BillingPeriod(BaseModel):
    start: Annotated[str, AfterValidator(_start)]


class _Content(BaseModel):
    """The parts of a manifest that a load depends on."""

    assembly_id: str = Field(alias="assemblyId", min_length=1)
    bucket: str
    billing_period: _BillingPeriod = Field(alias="billingPeriod")
    report_keys: list[Annotated[str, Field(min_length=1)]] = Field(alias="reportKeys")

    @property
    def billing_month(self) -> date:
        return datetime.strptime(self.billing_period.start[:8], "%Y%m%d").date()


def find_manifests(source: str, uri: str, storage: Storage, months: MonthRange) -> list[Manifest]:
    """Return the newest manifest of each billing month below `uri` that `months` holds, oldest month first.

    Lists a folder or two for the report and one for each month, and reads no object. Raises `DeliveryError`
    when there is no manifest of any month.
    """
    uri = uri.removesuffix("/") + "/"
    with labelled(source):
        report = _find_report(uri, storage)
        others = [month for month in report.months if month not in months]
        wanted = {month: report.months[month] for month in sorted(set(report.months) - set(others))}
        found = newest_manifests(source, wanted, storage)
    if not found and not others:
        raise DeliveryError(_nothing_found(source, uri, report.folder))
    return found


def find_months(source: str, uri: str, storage: Storage, months: MonthRange) -> list[Manifest]:
    """Return a made-up manifest for each month, for a bucket that holds data files and no manifests."""
    uri = uri.removesuffix("/") + "/"
    with labelled(source):
        report = _find_report(uri, storage)
        wanted = {month: folders[-1] for month, folders in sorted(report.months.items()) if month in months}
        found = listed_folders(source, wanted, storage, FILE_TYPES, age)
    if not report.months:
        raise DeliveryError(_nothing_found(source, uri, report.folder))
    return found


def read_version(manifest: Manifest, storage: Storage) -> str:
    """Return the assemblyId that the manifest names now."""
    return _read_content(manifest, storage).assembly_id


def read_delivery(manifest: Manifest, storage: Storage) -> Delivery:
    """Read the manifest and find every file that it lists.

    Raises `DeliveryError` for a manifest that is not what AWS documents, and `DeliveryNotReady` for a listed
    file that is not there, naming every place that was tried.
    """
    content = _read_content(manifest, storage)
    refuse_keys(content.report_keys, "reportKeys", manifest, FILE_TYPES)
    places = (lambda key: _by_manifest(key, manifest), lambda key: _as_listed(key, content.bucket, manifest))
    return Delivery(manifest, content.assembly_id, find_files(content.report_keys, places, manifest, storage))


@dataclass(frozen=True)
class _Report:
    """A report folder, and for each month the folders that may hold its manifest, the likeliest first."""

    folder: Folder
    months: dict[date, list[str]]


def _find_report(uri: str, storage: Storage) -> _Report:
    """Return the report that `uri` names, be it by its report folder or by the Athena data folder in it."""
    # The data folder has the report's name again, and holds `year=…` folders. A month without data files yet has none,
    # so the name alone counts too. Then the folder above has the range folders with the manifests.
    listing = _first_listing(uri, storage)
    report = listing
    holds_data = any(_year_of(folder) for folder in listing.folders)
    if not _ranges(listing) and not is_root(listing.uri):
        above = parent_folder(listing.uri)
        if holds_data or folder_name(above) == folder_name(listing.uri):
            higher = storage.list_folder(above)
            report = higher if _ranges(higher) else listing
    data = listing.uri if holds_data else f"{report.uri}{folder_name(report.uri)}/"
    months = {month: [folder] for month, folder in _ranges(report).items()}
    if holds_data or data in report.folders:
        for month, folder in _data_months(data, storage).items():
            months.setdefault(month, []).append(folder)
    return _Report(report, months)


def _first_listing(uri: str, storage: Storage) -> Folder:
    """List the folder, or where it is empty, the first of AWS's other spellings of it that is not."""
    listing = storage.list_folder(uri)
    if listing.folders or listing.files:
        return listing
    for spelling in _spellings(uri):
        try:
            other = storage.list_folder(spelling)
        except StorageDenied:
            continue
        if other.folders:
            return other
    return listing


def _spellings(uri: str) -> list[str]:
    """Return the uri with another number of slashes.

    Keys of a report without a prefix begin with `/`, and a prefix that ends with `/` gives `//`. Consoles and people
    write neither.
    """
    root = bucket_root(uri)
    if root == "file:///":
        return []
    folder = uri.removeprefix(root).rstrip("/")
    parts = folder.split("/") if folder else []
    names = [part for part in parts if part]
    spellings = [names] + [[*names[:at], "", *names[at:]] for at in range(len(names))]
    return [root + "".join(f"{part}/" for part in spelling) for spelling in spellings if spelling != parts]


def _ranges(folder: Folder) -> dict[date, str]:
    return {month: found for found in folder.folders if (month := _month_of(folder_name(found)))}


def _data_months(data: str, storage: Storage) -> dict[date, str]:
    """Return the month folders of the Athena data folder, `year=2025/month=1/`.

    One sentence of the AWS user guide puts manifests there.
    """
    years = [folder for folder in storage.list_folder(data).folders if _year_of(folder)]
    return {
        date(_year_of(year.uri), int(match[1]), 1): month
        for year in in_threads(storage.list_folder, years)
        for month in year.folders
        if (match := re.fullmatch(r"month=(1[0-2]|0?[1-9])", folder_name(month)))
    }


def _year_of(folder: str) -> int:
    """Return the year of a folder `year=2025/`, and 0 for any other."""
    match = re.fullmatch(r"year=([12][0-9]{3})", folder_name(folder))
    return int(match[1]) if match else 0


def _month_of(name: str) -> date | None:
    match = RANGE.fullmatch(name)
    if not match:
        return None
    month = date(int(match[1]), int(match[2]), 1)
    return month if f"{next_month(month):%Y%m}" == match[3] else None


def _nothing_found(source: str, uri: str, report: Folder) -> str:
    seen = [folder_name(folder) + "/" for folder in report.folders] + [file.name for file in report.files]
    there = ", ".join(seen[:5]) + (", …" if len(seen) > 5 else "") if seen else "nothing"
    places = uri if report.uri == uri else f"{uri} or {report.uri}"
    return (
        f"{source}: no manifest below {places}; expected folders such as 20250101-20250201/ with a "
        f"<report>-Manifest.json; found {there}"
    )


def _read_content(manifest: Manifest, storage: Storage) -> _Content:
    content = read_content(manifest, storage, _Content, "a CUR manifest")
    if content.billing_month != manifest.billing_month:
        raise DeliveryError(
            f"{manifest.label}: manifest {manifest.file.uri} is of the billing period {content.billing_period.start}"
        )
    return content


def _by_manifest(key: str, manifest: Manifest) -> str:
    """Return where the file is below the report folder that the manifest lies in.

    A bucket is often a copy of the one that the manifest names, so this place comes first.
    """
    in_report = IN_REPORT.search(key)
    if not in_report:
        return manifest.file.folder + key.rsplit("/", 1)[-1]
    if folder_name(manifest.file.folder).startswith("month="):
        data_folder = parent_folder(parent_folder(manifest.file.folder))
        return data_folder + in_report[1].partition("/")[2]
    return _report_of(manifest) + in_report[1]


def _as_listed(key: str, bucket: str, manifest: Manifest) -> str:
    """Return where the manifest says that the file is; in a copy in another store, under the same key there."""
    root = bucket_root(manifest.file.uri)
    if root == "file:///":
        return _by_manifest(key, manifest)
    return f"s3://{bucket}/{key}" if root.startswith("s3://") else root + key


def _report_of(manifest: Manifest) -> str:
    """Return the report folder of a manifest in a range folder, or in a delivery's own folder below it."""
    folder = manifest.file.folder
    if _month_of(folder_name(folder)):
        return parent_folder(folder)
    return parent_folder(parent_folder(folder))
