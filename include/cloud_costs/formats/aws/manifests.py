"""Where AWS puts manifests: one for each billing month, and one for each delivery in a folder of its own."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from cloud_costs.errors import DeliveryError
from cloud_costs.formats.delivery import Manifest
from cloud_costs.months import month_label
from cloud_costs.storage.files import Folder, Storage, StoredFile, folder_name
from cloud_costs.storage.threads import in_threads

# A delivery's own folder begins with its UTC time: 20250203T120125Z, 2024-04-02T13:14:43.337Z-<uuid>.
DELIVERY_TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z(-.*)?")
FILE_TYPES = (".parquet", ".csv.gz", ".csv.zip", ".csv", ".zip")


def newest_manifests(source: str, folders: Mapping[date, Sequence[str]], storage: Storage) -> list[Manifest]:
    """Return the newest manifest of each month that has one, in the order of the months.

    `folders` has the folders that may hold the manifest of a month; the first one that does counts.
    """
    newest = in_threads(lambda month: _newest_manifest(source, month, folders[month], storage), folders)
    return [Manifest(source, month, file) for month, file in zip(folders, newest, strict=True) if file]


def _newest_manifest(source: str, month: date, folders: Sequence[str], storage: Storage) -> StoredFile | None:
    """Return the month's own manifest, or the newest of the deliveries' manifests where a copy left that one out."""
    for uri in folders:
        folder = storage.list_folder(uri)
        if manifest := _manifest_in(source, month, folder):
            return manifest
        deliveries = [
            (age(folder_name(delivery), found.modified), found)
            for delivery in folder.folders
            if (found := _manifest_in(source, month, storage.list_folder(delivery)))
        ]
        if deliveries:
            return max(deliveries, key=lambda delivery: delivery[0])[1]
    return None


def _manifest_in(source: str, month: date, folder: Folder) -> StoredFile | None:
    """Return the manifest of a folder; raises `DeliveryError` when it holds those of several reports."""
    manifests = [file for file in folder.files if file.name.endswith("-Manifest.json")]
    if len(manifests) > 1:
        names = ", ".join(file.name for file in manifests)
        raise DeliveryError(
            f"{source} {month_label(month)}: {folder.uri} holds manifests of several reports ({names}); "
            "give each report a folder of its own"
        )
    return manifests[0] if manifests else None


def age(name: str, modified: datetime) -> tuple[str, datetime]:
    """Return what orders deliveries: the UTC time in their folder's name, and then the time of the object.

    A folder without a time in its name comes before all others. A copy gives objects new times, but keeps names.
    """
    return (name if DELIVERY_TIME.fullmatch(name) else "", modified)
