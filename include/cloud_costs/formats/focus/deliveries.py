"""`focus`: how FOCUS files are found. The specification does not say where they lie, so common layouts are read.

Below a source's uri there is a folder for each billing month, under one of these names, or under `<anything>=` and
one of them:

    2025-01/  2025_01/  202501/  2025-01-01/  20250101-20250201/  20250101-20250131/
    2025/01/  year=2025/month=1/

A month's folder holds one of these:

- data files: together they are the delivery.
- a folder for each day, as in Oracle's `FOCUS Reports/2025/01/15/`: the files of all days are the delivery.
- a folder for each delivery, whose name is a UTC time or a GUID: the newest is the delivery, by the time in its name or
  else by its newest file. Where one of them has the marker `_SUCCESS`, only those that have it are complete.

A folder that could be read in two ways is refused, because one of them would leave costs out or count them twice.

There are no manifests, except in the folders of months that this package has exported (`exports`). The version of a
delivery is a digest of the names, sizes and ETags of its files. Files and folders whose names begin with `_` or `.` are
someone's work in progress, and are not read.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from cloud_costs.errors import DeliveryError
from cloud_costs.formats.delivery import Delivery, Manifest
from cloud_costs.formats.focus import exports
from cloud_costs.formats.focus.columns import FILE_TYPES
from cloud_costs.formats.manifests import is_data_file, standing_for, version_of_listing
from cloud_costs.months import MonthRange, month_label, next_month
from cloud_costs.storage.files import Folder, Storage, StoredFile, folder_name, labelled
from cloud_costs.storage.threads import in_threads

# A folder of a month: 2025-01, 2025_01, 202501, 2025-01-01.
MONTH = re.compile(r"([12][0-9]{3})[-_]?(0[1-9]|1[0-2])(?:[-_]?01)?")
# 20250101-20250201, 2025-01-01_2025-01-31
RANGE = re.compile(r"([12][0-9]{3}-?(?:0[1-9]|1[0-2])-?01)[-_]([12][0-9]{3}-?[0-9]{2}-?[0-9]{2})")
YEAR = re.compile(r"[12][0-9]{3}")
MONTH_OF_YEAR = re.compile(r"0?[1-9]|1[0-2]")
# A folder of a day in a month's folder, 15 or 2025-01-15. `\1` wants the same divider twice.
DAY = re.compile(r"(?:[12][0-9]{3}([-_]?)[0-9]{2}\1)?(0?[1-9]|[12][0-9]|3[01])")
DATE = re.compile(r"[12][0-9]{3}([-_]?)[0-9]{2}\1[0-9]{2}")
# A folder of a delivery: 20250203T120000Z, or 2025-02-03T12:00:00Z with anything behind it.
DELIVERY_TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z?.*|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?.*")
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
COMPLETE = "_SUCCESS"
EXPECTED = "2025-01/, billing_period=2025-01-01/ or 2025/01/"


def find_manifests(source: str, uri: str, storage: Storage, months: MonthRange) -> list[Manifest]:
    """Return a made-up manifest for each month below `uri` that `months` holds, oldest month first.

    Raises `DeliveryError` where no folder is a month's, where two are of the same month, or where a folder may hold two
    deliveries.
    """
    with labelled(source):
        top = storage.list_folder(uri)
        folders = _month_folders(source, top, storage)
        wanted = {month: folder for month, folder in sorted(folders.items()) if month in months}
        found = in_threads(lambda month: _find_manifest(source, month, wanted[month], storage), wanted)
    if not folders:
        raise DeliveryError(_nothing_found(source, top))
    return [manifest for manifest in found if manifest]


def read_version(manifest: Manifest, storage: Storage) -> str:
    """Return the version of a delivery: the one that the manifest of an export names, or a digest of the files."""
    if exports.is_export(manifest):
        return exports.read_manifest(manifest, storage).version
    return version_of_listing(manifest, storage)


def read_delivery(manifest: Manifest, storage: Storage) -> Delivery:
    """Return the delivery: every data file of the manifest's folder, or of the folders of days in it.

    Of an export of this package, it is the files that its manifest lists.
    """
    if exports.is_export(manifest):
        return exports.read_delivery(manifest, storage)
    with labelled(manifest.label):
        files = _files(storage.list_folder(manifest.file.uri), storage)
    return Delivery(manifest, version_of_listing(manifest, storage), tuple(files))


def month_of(name: str) -> date | None:
    """Return the billing month in the name of a folder, or None.

    >>> month_of("billing_period=2025-01-01"), month_of("20250101-20250131"), month_of("2025-01-15")
    (datetime.date(2025, 1, 1), datetime.date(2025, 1, 1), None)
    """
    value = _value(name)
    if match := MONTH.fullmatch(value):
        return date(int(match[1]), int(match[2]), 1)
    if not (match := RANGE.fullmatch(value)):
        return None
    start, end = (part.replace("-", "") for part in match.groups())
    month = date(int(start[:4]), int(start[4:6]), 1)
    # Some exports write an exclusive end (AWS), and others an inclusive one (Azure).
    after = next_month(month)
    return month if end in (f"{after:%Y%m%d}", f"{after - timedelta(days=1):%Y%m%d}") else None


def _month_folders(source: str, top: Folder, storage: Storage) -> dict[date, str]:
    folders: dict[date, str] = {}
    for month, uri in (*_named_months(source, top.folders), *_months_of_years(source, top.folders, storage)):
        if (other := folders.setdefault(month, uri)) != uri:
            raise DeliveryError(
                f"{source} {month_label(month)}: both {other} and {uri} are folders of this month; keep one"
            )
    return folders


def _named_months(source: str, folders: Iterable[str]) -> Iterator[tuple[date, str]]:
    for uri in folders:
        if month := month_of(folder_name(uri)):
            yield month, uri
        elif DATE.fullmatch(_value(uri)):
            raise DeliveryError(
                f"{source}: {uri} is the folder of a day, and a delivery is a month: put the folders of days into "
                f"folders of months, such as {EXPECTED}"
            )


def _months_of_years(source: str, folders: Iterable[str], storage: Storage) -> Iterator[tuple[date, str]]:
    years = {uri: int(_value(uri)) for uri in folders if YEAR.fullmatch(_value(uri))}
    for year in in_threads(storage.list_folder, years):
        for uri in year.folders:
            if MONTH_OF_YEAR.fullmatch(_value(uri)):
                yield date(years[year.uri], int(_value(uri)), 1), uri
        yield from _named_months(source, year.folders)


def _find_manifest(source: str, month: date, uri: str, storage: Storage) -> Manifest | None:
    label = f"{source} {month_label(month)}"
    top = storage.list_folder(uri)
    if exported := exports.manifest_of(top.files):
        return Manifest(source, month, exported)
    folder = _newest(label, top, storage)
    files = _files(folder, storage)
    return Manifest(source, month, standing_for(folder.uri, files)) if files else None


def _newest(label: str, month: Folder, storage: Storage) -> Folder:
    """Return the folder of the newest delivery, or the month's own where that holds the files or days of one delivery.

    Raises `DeliveryError` for several folders that may be parts of one delivery or several deliveries.
    """
    below = [uri for uri in month.folders if _is_visible(folder_name(uri))]
    holding = [folder for folder in in_threads(storage.list_folder, below) if _data_files(folder)]
    if files := _data_files(month):
        if holding:
            raise DeliveryError(
                f"{label}: {month.uri} holds data files ({files[0].name}) and folders with data files "
                f"({folder_name(holding[0].uri)}/): costs could count twice or be left out; keep one of the two"
            )
        return month
    # The files of all days are the delivery. This is also true where no folder holds data.
    if all(_is_day(folder.uri) for folder in holding):
        return month
    unclear = [folder_name(folder.uri) for folder in holding if not _is_delivery(folder.uri)]
    if unclear and len(holding) > 1:
        raise DeliveryError(
            f"{label}: {month.uri} holds several folders with data files ({', '.join(sorted(unclear)[:3])}): parts of "
            "one delivery, or several deliveries? Put all files of the month into its folder, or name the folder of "
            "each delivery by its UTC time, such as 20250203T120000Z"
        )
    # A provider that writes markers writes one last. A folder without it is still being written.
    complete = [folder for folder in holding if any(file.name == COMPLETE for file in folder.files)]
    return max(complete or holding, key=_age)


def _age(delivery: Folder) -> tuple[str, datetime]:
    name = _value(delivery.uri)
    newest = max(file.modified for file in _data_files(delivery))
    return (name if DELIVERY_TIME.fullmatch(name) else "", newest)


def _files(folder: Folder, storage: Storage) -> list[StoredFile]:
    """Return the data files of a delivery: those of its folder, or of the folders of days in it."""
    days = in_threads(storage.list_folder, [uri for uri in folder.folders if _is_day(uri)])
    return _data_files(folder) or [file for day in days for file in _data_files(day)]


def _is_day(uri: str) -> bool:
    return DAY.fullmatch(_value(uri)) is not None


def _is_delivery(uri: str) -> bool:
    return any(pattern.fullmatch(_value(uri)) for pattern in (DELIVERY_TIME, GUID))


def _value(uri: str) -> str:
    """Return the name of a folder without what Hive puts before it: `2025-01` of `billing_period=2025-01/`."""
    return folder_name(uri).rpartition("=")[2]


def _data_files(folder: Folder) -> list[StoredFile]:
    return [file for file in folder.files if _is_visible(file.name) and is_data_file(file.name, FILE_TYPES)]


def _is_visible(name: str) -> bool:
    return not name.startswith(("_", "."))


def _nothing_found(source: str, top: Folder) -> str:
    seen = [folder_name(folder) + "/" for folder in top.folders] + [file.name for file in top.files]
    there = ", ".join(seen[:5]) + (", …" if len(seen) > 5 else "") if seen else "nothing"
    return f"{source}: no billing month below {top.uri}; expected folders such as {EXPECTED}; found {there}"
