"""The exports of Azure Cost Management: how a month's newest run is found, and what its manifest promises.

Azure lays an export out below its folder, `<directory>/<export>/`:

    <range>/<run>/manifest.json, part_0_0001.csv.gz                  overwrite: older runs are deleted
    <range>/<yyyyMMddHHmm>/<run>/manifest.json, part_0_0001.csv.gz   create-new: older runs stay
    <range>/<export>_<guid>.csv                                      without partitions: a file, and no manifest

`<range>` is `20250101-20250131`, with an inclusive end, and `<run>` is a GUID. A source's uri names the export's
folder. Every run holds the whole month so far. Its manifest is written last, and says how many bytes and lines each
file has.

Sources: Microsoft's FinOps toolkit and Project Koku, which read such exports, and keys of real ones.
"""

import io
import re
from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from functools import partial

from pydantic import BaseModel, ConfigDict, Field

from cloud_costs.errors import DeliveryError
from cloud_costs.formats.delivery import Delivery, Manifest
from cloud_costs.formats.manifests import find_files, is_data_file, read_content, refuse_keys
from cloud_costs.months import MonthRange
from cloud_costs.storage.files import Folder, Storage, StoredFile, bucket_root, folder_name, labelled
from cloud_costs.storage.threads import in_threads

FILE_TYPES = (".parquet", ".csv.gz", ".csv")
MANIFEST = "manifest.json"
# The last bytes of a gzip file: the size of its content, as a number of this many bytes.
GZIP_SIZE_BYTES = 4
RUN_TIME = re.compile(r"[0-9]{12}")
RANGE = re.compile(r"([12][0-9]{3})(0[1-9]|1[0-2])01-([0-9]{8})")


# `strict`: pydantic would otherwise take true for the number 1.
class _Blob(BaseModel):
    name: str = Field(alias="blobName", min_length=1)
    bytes: int | None = Field(default=None, alias="byteCount", ge=0, strict=True)
    rows: int | None = Field(default=None, alias="dataRowCount", ge=0, strict=True)


class _RunInfo(BaseModel):
    run_id: str | None = Field(default=None, alias="runId", min_length=1)


class _Content(BaseModel):
    """The parts of a manifest that a load depends on; an empty month has no files, and 0 or null for its counts."""

    model_config = ConfigDict(populate_by_name=True)

    bytes: int | None = Field(default=None, alias="byteCount", ge=0, strict=True)
    count: int | None = Field(default=None, alias="blobCount", ge=0, strict=True)
    rows: int | None = Field(default=None, alias="dataRowCount", ge=0, strict=True)
    blobs: list[_Blob] | None = None
    run: _RunInfo = Field(default_factory=_RunInfo, alias="runInfo")

    @property
    def files(self) -> list[_Blob]:
        return self.blobs or []


def find_manifests(source: str, uri: str, storage: Storage, months: MonthRange) -> list[Manifest]:
    """Return the newest manifest of each billing month below `uri` that `months` holds, oldest month first.

    A file without a manifest stands for itself. Raises `DeliveryError` when there is nothing of any month.
    """
    uri = uri.removesuffix("/") + "/"
    with labelled(source):
        export = storage.list_folder(uri)
        ranges = {month: folder for folder in export.folders if (month := month_of(folder_name(folder)))}
        wanted = {month: ranges[month] for month in sorted(ranges) if month in months}
        newest = in_threads(lambda month: _newest(wanted[month], storage), wanted)
    found = [Manifest(source, month, file) for month, file in zip(wanted, newest, strict=True) if file]
    # Months outside of the range that was asked for show that the export is there.
    if not found and len(wanted) == len(ranges):
        raise DeliveryError(_nothing_found(source, export))
    return found


def read_version(manifest: Manifest, storage: Storage) -> str:
    """Return the id of the run that wrote the manifest; of a file without one, its ETag."""
    if manifest.file.name != MANIFEST:
        return f"no-manifest-{manifest.file.etag}"
    return _version(_read_content(manifest, storage), manifest)


def read_delivery(manifest: Manifest, storage: Storage) -> Delivery:
    """Read the manifest and find every file that it lists.

    Raises `DeliveryError` for a manifest that is not what Azure writes, and for a file of another size than it says.
    Raises `DeliveryNotReady` for a listed file that is not there, naming every place that was tried.
    """
    if manifest.file.name != MANIFEST:
        return Delivery(manifest, read_version(manifest, storage), (manifest.file,))
    content = _read_content(manifest, storage)
    keys = [blob.name for blob in content.files]
    if keys:
        _refuse_names(keys, manifest)
    _refuse_counts(content, manifest)
    files = find_files(keys, (partial(_by_manifest, manifest), partial(_as_listed, manifest)), manifest, storage)
    _refuse_sizes(content.files, files, manifest, storage)
    rows = {file.uri: blob.rows for blob, file in zip(content.files, files, strict=True) if blob.rows is not None}
    return Delivery(manifest, _version(content, manifest), files, rows, content.rows)


def month_of(name: str) -> date | None:
    """Return the month of a range folder; None for any other folder, and for a range that is no month.

    >>> month_of("20250201-20250228"), month_of("20250201-20250331")
    (datetime.date(2025, 2, 1), None)
    """
    match = RANGE.fullmatch(name)
    if not match:
        return None
    month = date(int(match[1]), int(match[2]), 1)
    return month if match[3] == f"{month:%Y%m}{monthrange(month.year, month.month)[1]:02d}" else None


def _newest(range_folder: str, storage: Storage) -> StoredFile | None:
    """Return the newest manifest below a range folder, or the newest data file where there is no manifest.

    In create-new mode, runs lie in folders that are named for their times. The newest folder with a manifest counts. A
    copy gives files new times, but keeps the names of folders.
    """
    folder = storage.list_folder(range_folder)
    times = sorted(one for one in folder.folders if RUN_TIME.fullmatch(folder_name(one)))
    others = [one for one in folder.folders if one not in times]
    found = list(_manifests([folder, *map(storage.list_folder, others)]))
    while times and not found:
        runs = storage.list_folder(times.pop()).folders
        found = list(_manifests(map(storage.list_folder, runs)))
    files = found or [file for file in folder.files if is_data_file(file.name, FILE_TYPES)]
    return max(files, key=lambda file: (file.modified, file.uri), default=None)


def _manifests(folders: Iterable[Folder]) -> Iterator[StoredFile]:
    """Yield the manifests of some folders. Azure leaves some of 0 bytes behind, which are left out."""
    yield from (file for folder in folders for file in folder.files if file.name == MANIFEST and file.size)


def _read_content(manifest: Manifest, storage: Storage) -> _Content:
    return read_content(manifest, storage, _Content, "a manifest of a Cost Management export")


def _version(content: _Content, manifest: Manifest) -> str:
    return content.run.run_id or folder_name(manifest.file.folder)


def _refuse_names(keys: Sequence[str], manifest: Manifest) -> None:
    refuse_keys(keys, "blobs", manifest, FILE_TYPES)
    name, times = Counter(key.rsplit("/", 1)[-1] for key in keys).most_common(1)[0]
    if times > 1:
        raise DeliveryError(f"{_where(manifest)} lists {times} files of the name {name!r}, but a run has only one")


def _refuse_counts(content: _Content, manifest: Manifest) -> None:
    """Raise `DeliveryError` where a manifest contradicts itself."""
    where, files = _where(manifest), content.files
    if (content.count or 0) != len(files):
        raise DeliveryError(f"{where} says blobCount {content.count or 0}, and lists {len(files)} files")
    for name, total, parts in (
        ("byteCount", content.bytes, [file.bytes for file in files]),
        ("dataRowCount", content.rows, [file.rows for file in files]),
    ):
        known = [part for part in parts if part is not None]
        if total is not None and len(known) == len(parts) and total != sum(known):
            raise DeliveryError(f"{where} says {name} {total}, and {sum(known)} in all its files")


def _refuse_sizes(blobs: Sequence[_Blob], files: Sequence[StoredFile], manifest: Manifest, storage: Storage) -> None:
    """Raise `DeliveryError` for a file of another size than its manifest says.

    Microsoft does not document whether the size of a gzip file is that of the blob or of the CSV in it: both count.
    """
    for blob, file in zip(blobs, files, strict=True):
        if blob.bytes not in (None, file.size) and blob.bytes != _unpacked_size(file, storage):
            raise DeliveryError(
                f"{_where(manifest)} says that {blob.name!r} has {blob.bytes} bytes, and {file.uri} has {file.size}; "
                "copy the file again, or run the export of this month again"
            )


def _unpacked_size(file: StoredFile, storage: Storage) -> int | None:
    """Return the size that the end of a gzip file states, which is exact below 4 GiB (RFC 1952); None for others."""
    if not file.name.endswith(".gz") or file.size < GZIP_SIZE_BYTES:
        return None
    with storage.open(file) as stored:
        stored.seek(-GZIP_SIZE_BYTES, io.SEEK_END)
        return int.from_bytes(stored.read(GZIP_SIZE_BYTES), "little")


def _by_manifest(manifest: Manifest, key: str) -> str:
    """Return the file's uri beside its manifest, because containers are often copies."""
    return manifest.file.folder + key.rsplit("/", 1)[-1]


def _as_listed(manifest: Manifest, key: str) -> str:
    return bucket_root(manifest.file.uri) + key


def of_part(manifest: Manifest, part: StoredFile) -> Manifest:
    """Return the manifest of one of two exports that belong together."""
    return replace(manifest, file=part, parts=())


def _where(manifest: Manifest) -> str:
    return f"{manifest.label}: manifest {manifest.file.uri}"


def _nothing_found(source: str, export: Folder) -> str:
    seen = [folder_name(folder) + "/" for folder in export.folders] + [file.name for file in export.files]
    there = ", ".join(seen[:5]) + (", …" if len(seen) > 5 else "") if seen else "nothing"
    return (
        f"{source}: no export of a month below {export.uri}; expected folders such as 20250101-20250131/ that hold a "
        f"{MANIFEST} in the folder of each run; found {there}"
    )
