"""What the formats that AWS delivers with a manifest share: finding the newest one, reading it, finding its files."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from hashlib import sha256
from itertools import groupby
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from cloud_costs.delivery import Delivery, Manifest
from cloud_costs.errors import DeliveryError, DeliveryNotReady, StorageDenied
from cloud_costs.months import month_label
from cloud_costs.storage import Folder, Storage, StoredFile, folder_name, labelled, parent_folder
from cloud_costs.threads import in_threads
from cloud_costs.validation import explain

# A delivery's own folder begins with its UTC time: 20250203T120125Z, 2024-04-02T13:14:43.337Z-<uuid>.
DELIVERY_TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z(-.*)?")
DATA_FILE = re.compile(r"[^\0]+\.(parquet|csv\.gz|csv\.zip|csv|zip)")
BOM = b"\xef\xbb\xbf"

Content = TypeVar("Content", bound=BaseModel)
Place = Callable[[str], str]


def newest_manifests(source: str, folders: Mapping[date, Sequence[str]], storage: Storage) -> list[Manifest]:
    """Return the newest manifest of each month that has one, in the order of the months.

    `folders` are those that may hold it: the first that does counts.
    """
    newest = in_threads(lambda month: _newest_manifest(source, month, folders[month], storage), folders)
    return [Manifest(source, month, file) for month, file in zip(folders, newest, strict=True) if file]


def _newest_manifest(source: str, month: date, folders: Sequence[str], storage: Storage) -> StoredFile | None:
    """Return the month's own manifest; where a copy left it out, the newest of the deliveries' manifests."""
    for uri in folders:
        folder = storage.list_folder(uri)
        if manifest := _manifest_in(source, month, folder):
            return manifest
        deliveries = [
            (_age(folder_name(delivery), found.modified), found)
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


def _age(name: str, modified: datetime) -> tuple[str, datetime]:
    """Order deliveries: by the UTC time that their folder's name begins with today, else by the object's own."""
    return (name if DELIVERY_TIME.fullmatch(name) else "", modified)


def read_content(manifest: Manifest, storage: Storage, model: type[Content], what: str) -> Content:
    """Return the manifest's content; raises `DeliveryError` where it is not `what` it should be."""
    where = f"{manifest.label}: manifest {manifest.file.uri}"
    with labelled(manifest.label):
        text = storage.read(manifest.file.uri)
    if len(text) != manifest.file.size:
        raise DeliveryNotReady(f"{where} changed while it was read, or was cut short")
    if not text:
        raise DeliveryError(f"{where} is empty")
    try:
        return model.model_validate_json(text.removeprefix(BOM))
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise DeliveryError(f"{where} is not JSON: {error.errors()[0]['msg']}") from None
        raise DeliveryError(f"{where} is not {what}: {explain(error)}") from None


def refuse_keys(keys: Sequence[str], name: str, manifest: Manifest) -> None:
    """Raise `DeliveryError` for a list of files that cannot be one delivery."""
    where = f"{manifest.label}: manifest {manifest.file.uri}"
    if not keys:
        raise DeliveryError(f"{where} lists no files ({name} is empty)")
    repeated = sorted(key for key, count in Counter(keys).items() if count > 1)
    if repeated:
        raise DeliveryError(f"{where} lists {repeated[0]!r} twice")
    outside = [key for key in keys if ".." in key.split("/")]
    if outside:
        raise DeliveryError(f"{where} lists {outside[0]!r}, outside its folder")
    other = [key for key in keys if not DATA_FILE.fullmatch(key.rsplit("/", 1)[-1])]
    if other:
        raise DeliveryError(f"{where} lists {other[0]!r}, which is neither Parquet nor CSV")


def find_files(
    keys: Sequence[str], places: Sequence[Place], manifest: Manifest, storage: Storage
) -> tuple[StoredFile, ...]:
    """Find every listed file at one of the places: all at the same, for two places may hold two deliveries.

    Raises `DeliveryNotReady` naming every place that was tried.
    """
    missing = ""
    with labelled(manifest.label):
        for place in places:
            uris = {key: place(key) for key in keys}
            found = files_at(uris.values(), manifest, storage)
            absent = [key for key in keys if uris[key] not in found]
            if not absent:
                return tuple(found[uri] for uri in uris.values())
            missing = missing or absent[0]
    tried = list(dict.fromkeys(place(missing) for place in places))
    said = f"not at {tried[0]}" if len(tried) == 1 else "neither at " + " nor at ".join(tried)
    raise DeliveryNotReady(f"{manifest.label}: manifest {manifest.file.uri} lists {missing!r}, which is {said}")


def files_at(uris: Iterable[str], manifest: Manifest, storage: Storage) -> dict[str, StoredFile]:
    """Return by uri what the folders of these files hold: a request for each file would add up.

    In a bucket that is not the source's own, reading may be allowed where listing is not: there each file is
    asked for, and one that is missing is forbidden as well.
    """
    files: list[StoredFile] = []
    for folder, inside in groupby(sorted(uris), parent_folder):
        try:
            files += storage.list_folder(folder).files
        except StorageDenied:
            if folder.split("/")[:3] == manifest.file.uri.split("/")[:3]:
                raise
            files += filter(None, in_threads(partial(_stat_or_none, storage), inside))
    return {file.uri: file for file in files}


def _stat_or_none(storage: Storage, uri: str) -> StoredFile | None:
    try:
        return storage.stat(uri)
    except StorageDenied:
        return None


def listed_folders(source: str, folders: Mapping[date, str], storage: Storage) -> list[Manifest]:
    """Return what stands for the manifest of each month whose folder holds data files."""
    found = in_threads(lambda month: _listed_folder(source, month, folders[month], storage), folders)
    return [manifest for manifest in found if manifest]


def _listed_folder(source: str, month: date, uri: str, storage: Storage) -> Manifest | None:
    """Return what stands for a manifest where a bucket holds none: the listing of the month's newest delivery.

    Its ETag is a digest of the key, size and ETag of every data file.
    """
    folder = storage.list_folder(uri)
    deliveries = [listing for name in folder.folders if _data_files(listing := storage.list_folder(name))]
    if deliveries:
        folder = max(deliveries, key=lambda listing: _age(folder_name(listing.uri), _newest(listing)))
    files = _data_files(folder)
    if not files:
        return None
    digest = sha256("\n".join(f"{file.uri} {file.size} {file.etag}" for file in files).encode()).hexdigest()[:32]
    size = sum(file.size for file in files)
    return Manifest(source, month, StoredFile(folder.uri, size, digest, _newest(folder)))


def version_of_listing(manifest: Manifest, storage: Storage) -> str:
    """Return the version of a delivery without a manifest."""
    return f"no-manifest-{manifest.file.etag}"


def delivery_of_listing(manifest: Manifest, storage: Storage) -> Delivery:
    """Return the delivery without a manifest: every data file of the folder."""
    with labelled(manifest.label):
        files = _data_files(storage.list_folder(manifest.file.uri))
    return Delivery(manifest, version_of_listing(manifest, storage), tuple(files))


def _data_files(folder: Folder) -> list[StoredFile]:
    return [file for file in folder.files if DATA_FILE.fullmatch(file.name)]


def _newest(folder: Folder) -> datetime:
    return max(file.modified for file in _data_files(folder))
