"""`aws_cur2` and `aws_focus`: AWS Data Exports of CUR 2.0 and of FOCUS, Parquet and CSV.

AWS lays an export out below its folder, `<prefix>/<export>/`:

    metadata/BILLING_PERIOD=2025-01/<export>-Manifest.json                                the newest delivery
    metadata/BILLING_PERIOD=2025-01/<time>-<executionId>/<export>-Manifest.json           create-new: its own
    data/BILLING_PERIOD=2025-01/<export>-00001.snappy.parquet                             overwrite
    data/BILLING_PERIOD=2025-01/<time>-<executionId>/<export>-00001.snappy.parquet        create-new

A source's uri names the export's folder, or the data or metadata folder in it. AWS writes the manifest after all data
files. Deliveries have different numbers of files, and overwriting leaves the surplus ones, so only the files that the
manifest lists are read.

Sources: AWS Data Exports user guide, `dataexports-export-delivery`; keys of real deliveries. The manifest's schema is
not published: `dataFiles` holds uris, keys or objects.
"""

import re
from datetime import date
from typing import Any

from pydantic import BaseModel, Field, field_validator

from cloud_costs.errors import DeliveryError
from cloud_costs.formats.aws.manifests import FILE_TYPES, age, newest_manifests
from cloud_costs.formats.delivery import Delivery, Manifest
from cloud_costs.formats.manifests import find_files, listed_folders, read_content, refuse_keys
from cloud_costs.months import MonthRange
from cloud_costs.storage.files import Folder, Storage, bucket_root, folder_name, labelled, parent_folder

# AWS writes BILLING_PERIOD. Tools that copy exports may write it in lower case.
PERIOD = re.compile(r"(?i:billing_period)=([12][0-9]{3})-(0[1-9]|1[0-2])")
# The end of a data file's key or uri, from the folder `data` on, where it is the same in every copy.
IN_EXPORT = re.compile(r"(?:\A|/)(data/(?i:billing_period)=[0-9-]{7}/(?:[^/]+/)?[^/]+)\Z")
# The keys under which an object of `dataFiles` may hold its uri or key; the first that is there counts.
FILE_KEYS = ("uri", "path", "s3Uri", "key", "s3Key", "Key", "name")


def _file(entry: Any) -> Any:
    """Return the uri or key that an entry of `dataFiles` holds, whatever its shape."""
    if isinstance(entry, dict):
        return next((entry[key] for key in FILE_KEYS if isinstance(entry.get(key), str)), entry)
    return entry


class _Content(BaseModel):
    """The parts of a manifest that a load depends on."""

    execution_id: str = Field(alias="executionId", min_length=1)
    data_files: list[str] = Field(alias="dataFiles")

    @field_validator("data_files", mode="before")
    @classmethod
    def _files(cls, value: Any) -> Any:
        return [_file(entry) for entry in value] if isinstance(value, list) else value


def find_manifests(source: str, uri: str, storage: Storage, months: MonthRange) -> list[Manifest]:
    """Return the newest manifest of each billing month below `uri` that `months` holds, oldest month first."""
    with labelled(source):
        export = _export_folder(uri, storage)
        periods = _periods(f"{export.uri}metadata/", storage)
        wanted = {month: [folder] for month, folder in sorted(periods.items()) if month in months}
        found = newest_manifests(source, wanted, storage)
    if not periods:
        raise DeliveryError(_nothing_found(source, "metadata/BILLING_PERIOD=2025-01/", export))
    return found


def find_months(source: str, uri: str, storage: Storage, months: MonthRange) -> list[Manifest]:
    """Return a made-up manifest for each month, for a bucket that holds data files and no manifests."""
    with labelled(source):
        export = _export_folder(uri, storage)
        periods = _periods(f"{export.uri}data/", storage) or _periods(export.uri, storage)
        wanted = {month: folder for month, folder in sorted(periods.items()) if month in months}
        found = listed_folders(source, wanted, storage, FILE_TYPES, age)
    if not periods:
        raise DeliveryError(_nothing_found(source, "data/BILLING_PERIOD=2025-01/", export))
    return found


def read_version(manifest: Manifest, storage: Storage) -> str:
    """Return the executionId that the manifest names now."""
    return _read_content(manifest, storage).execution_id


def read_delivery(manifest: Manifest, storage: Storage) -> Delivery:
    """Read the manifest and find every file that it lists.

    Raises `DeliveryError` for a file that is not such a manifest, and `DeliveryNotReady` for a listed file that is not
    there, naming every place that was tried.
    """
    content = _read_content(manifest, storage)
    refuse_keys(content.data_files, "dataFiles", manifest, FILE_TYPES)
    places = (lambda key: _by_manifest(key, manifest), lambda key: _as_listed(key, manifest))
    return Delivery(manifest, content.execution_id, find_files(content.data_files, places, manifest, storage))


def _read_content(manifest: Manifest, storage: Storage) -> _Content:
    return read_content(manifest, storage, _Content, "a Data Exports manifest")


def _export_folder(uri: str, storage: Storage) -> Folder:
    uri = uri.removesuffix("/") + "/"
    if folder_name(uri) in ("data", "metadata"):
        return storage.list_folder(parent_folder(uri))
    return storage.list_folder(uri)


def _periods(uri: str, storage: Storage) -> dict[date, str]:
    return {
        date(int(match[1]), int(match[2]), 1): folder
        for folder in storage.list_folder(uri).folders
        if (match := PERIOD.fullmatch(folder_name(folder)))
    }


def _by_manifest(key: str, manifest: Manifest) -> str:
    """Return the file's uri below the export's folder that holds the manifest, because buckets are often copies."""
    in_export = IN_EXPORT.search(key)
    export, _, _ = manifest.file.uri.rpartition("/metadata/")
    return f"{export}/{in_export[1]}" if in_export else manifest.file.folder + key.rsplit("/", 1)[-1]


def _as_listed(key: str, manifest: Manifest) -> str:
    """Return the file's uri as the manifest has it; for a copy in another cloud, the same key in the copy's bucket."""
    root = bucket_root(manifest.file.uri)
    if root == "file:///":
        return _by_manifest(key, manifest)
    if key.startswith("s3://"):
        return key if root.startswith("s3://") else root + key.removeprefix(bucket_root(key))
    return root + key


def _nothing_found(source: str, expected: str, export: Folder) -> str:
    seen = [folder_name(folder) + "/" for folder in export.folders] + [file.name for file in export.files]
    there = ", ".join(seen[:5]) + (", …" if len(seen) > 5 else "") if seen else "nothing"
    return f"{source}: no delivery below {export.uri}; expected folders such as {expected}; found {there}"
