"""What the formats share: reading a manifest, finding the files that it lists, and deliveries without manifests."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from hashlib import sha256
from itertools import groupby
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cloud_costs.errors import DeliveryError, DeliveryNotReady, StorageDenied
from cloud_costs.formats.delivery import Delivery, Manifest
from cloud_costs.storage.files import Folder, Storage, StoredFile, folder_name, labelled, parent_folder
from cloud_costs.storage.threads import in_threads
from cloud_costs.validation import explain

BOM = b"\xef\xbb\xbf"

Content = TypeVar("Content", bound=BaseModel)
Place = Callable[[str], str]
# A function that orders the deliveries of a month, by the name of their folder and the time of their newest file.
Age = Callable[[str, datetime], Any]


def read_content(manifest: Manifest, storage: Storage, model: type[Content], what: str) -> Content:
    """Return the manifest's content, validated against `model`.

    Raises `DeliveryError` for content that does not fit; the message calls the manifest `what`. Raises
    `DeliveryNotReady` where it has another size than its listing said.
    """
    where = f"{manifest.label}: manifest {manifest.file.uri}"
    with labelled(manifest.label):
        text = storage.read(manifest.file.uri)
    # This read is not bound to a version. A newer manifest of the same size is noticed after the load.
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


def refuse_keys(keys: Sequence[str], name: str, manifest: Manifest, file_types: Sequence[str]) -> None:
    """Raise `DeliveryError` for a list of files that cannot be one delivery. `name` is the manifest's key of the list.

    The keys come from a bucket, so a key may not lead out of its folder.
    """
    where = f"{manifest.label}: manifest {manifest.file.uri}"
    if not keys:
        raise DeliveryError(f"{where} lists no files ({name} is empty)")
    repeated = sorted(key for key, count in Counter(keys).items() if count > 1)
    if repeated:
        raise DeliveryError(f"{where} lists {repeated[0]!r} twice")
    # A crafted key must not make a load read files of another tenant or of the machine.
    outside = [key for key in keys if ".." in key.split("/")]
    if outside:
        raise DeliveryError(f"{where} lists {outside[0]!r}, outside its folder")
    other = [key for key in keys if not is_data_file(key.rsplit("/", 1)[-1], file_types)]
    if other:
        endings = ", ".join(file_types)
        raise DeliveryError(f"{where} lists {other[0]!r}, which is no data file: their names end in {endings}")


def is_data_file(name: str, file_types: Sequence[str]) -> bool:
    """Tell whether a file's name has one of the endings, and something before it."""
    return "\0" not in name and any(name.endswith(ending) and name != ending for ending in file_types)


def find_files(
    keys: Sequence[str], places: Sequence[Place], manifest: Manifest, storage: Storage
) -> tuple[StoredFile, ...]:
    """Find all listed files at the first of the places that has them all. A place makes a uri of a key.

    Files of two places are never mixed, because the places may hold two deliveries. Raises `DeliveryNotReady`, which
    names every place that was tried.
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
    """Return the files by uri, of all that their folders hold. One listing costs less than a request for each file.

    In a bucket other than the source's own, reading may be allowed and listing not. There each file is asked for, and
    S3 answers "forbidden" for a missing one too.
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


def listed_folders(
    source: str, folders: Mapping[date, str], storage: Storage, file_types: Sequence[str], age: Age
) -> list[Manifest]:
    """Return a made-up manifest for each month whose folder holds data files (`standing_for`).

    Where a month's folder holds a folder for each delivery, the one with the greatest `age` is the newest.
    """
    found = in_threads(lambda month: _listed_folder(source, month, folders[month], storage, file_types, age), folders)
    return [manifest for manifest in found if manifest]


def _listed_folder(
    source: str, month: date, uri: str, storage: Storage, file_types: Sequence[str], age: Age
) -> Manifest | None:
    folder = storage.list_folder(uri)
    deliveries = [listing for name in folder.folders if data_files(listing := storage.list_folder(name), file_types)]
    if deliveries:
        folder = max(deliveries, key=lambda one: age(folder_name(one.uri), _newest(data_files(one, file_types))))
    files = data_files(folder, file_types)
    return Manifest(source, month, standing_for(folder.uri, files)) if files else None


def standing_for(uri: str, files: Sequence[StoredFile]) -> StoredFile:
    """Return one file that stands for several, under this uri; its ETag is a digest of their keys, sizes and ETags."""
    digest = sha256("\n".join(f"{file.uri} {file.size} {file.etag}" for file in files).encode()).hexdigest()[:32]
    return StoredFile(uri, sum(file.size for file in files), digest, _newest(files))


def version_of_listing(manifest: Manifest, storage: Storage) -> str:
    """Return the version of a delivery without a manifest."""
    return f"no-manifest-{manifest.file.etag}"


def delivery_of_listing(manifest: Manifest, storage: Storage, file_types: Sequence[str]) -> Delivery:
    """Return the delivery without a manifest: every data file of the folder."""
    with labelled(manifest.label):
        files = data_files(storage.list_folder(manifest.file.uri), file_types)
    return Delivery(manifest, version_of_listing(manifest, storage), tuple(files))


def data_files(folder: Folder, file_types: Sequence[str]) -> list[StoredFile]:
    """Return the data files of a folder, without a marker that says that the folder is complete."""
    files = (file for file in folder.files if not file.name.startswith("_SUCCESS"))
    return [file for file in files if is_data_file(file.name, file_types)]


def _newest(files: Sequence[StoredFile]) -> datetime:
    return max(file.modified for file in files)
