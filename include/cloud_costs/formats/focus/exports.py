"""Exports of this package: the manifest that `cloud_costs.exporting` writes last, and how a folder of exports is read.

Below the folder of a source there is a folder for each billing month. It holds a folder for each version and a
manifest, which names the newest version and its files:

    billing_period=2025-01/_manifest.json
    billing_period=2025-01/version=3f0c61d2a9b4e785/_manifest.json
    billing_period=2025-01/version=3f0c61d2a9b4e785/part-00000.parquet

Both manifests are the same until a newer version comes. Spark, Hive and this package's own `focus` format leave out
names that begin with `_`.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cloud_costs.errors import DeliveryError
from cloud_costs.formats.delivery import Delivery, Manifest
from cloud_costs.formats.manifests import find_files, read_content, refuse_keys
from cloud_costs.storage.files import Storage, StoredFile, parent_folder

MANIFEST = "_manifest.json"
FILE_TYPES = (".parquet", ".csv.gz")
BILLED = "BilledCost"


def _is_amount(value: str) -> str:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        raise ValueError(f"{value!r} is not a decimal number")
    return value


Amount = Annotated[str, AfterValidator(_is_amount)]
Count = Annotated[int, Field(ge=0)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ExportedColumn(_Model):
    """A column of the files: its name, and its type as a reader of Parquet calls it."""

    name: str
    type: str


class ExportedFile(_Model):
    """A file of a version: its name in the folder of the version, its rows, its size in bytes, and its SHA-256."""

    name: str
    rows: Count
    bytes: Count
    sha256: str


class ExportedDelivery(_Model):
    """What was exported: the provider's version of the delivery, and the load that published it."""

    version: str
    load_id: int


class ExportManifest(_Model):
    """One version of one exported month of one source.

    `version` is a digest of the files, so another version has other bytes. `state` is a digest of all that the rows
    came from in the database: as long as it is the same, an export of the month gives the same version. `sums` has the
    total of each cost by currency, as exact decimals.
    """

    kind: Literal["cloud_costs export"] = "cloud_costs export"
    relation: str
    focus_version: str | None
    source: str
    billing_period: str
    version: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    state: str
    delivery: ExportedDelivery
    file_type: Literal["parquet", "csv"]
    rows: Count
    bytes: Count
    sums: Mapping[str, Mapping[str, Amount]]
    columns: tuple[ExportedColumn, ...]
    files: tuple[ExportedFile, ...]

    @property
    def folder(self) -> str:
        """The name of the version's folder, ending with `/`."""
        return f"version={self.version}/"

    def to_json(self) -> str:
        """Return the manifest as it is stored: the same values give the same text."""
        return self.model_dump_json(indent=2) + "\n"


def manifest_of(files: Sequence[StoredFile]) -> StoredFile | None:
    """Return the manifest among the files of a month's folder; None where the folder is no export of this package."""
    return next((file for file in files if file.name == MANIFEST), None)


def is_export(manifest: Manifest) -> bool:
    """Tell whether a manifest is that of an export."""
    return manifest.file.name == MANIFEST


def read_manifest(manifest: Manifest, storage: Storage) -> ExportManifest:
    """Return the content of the manifest; raises `DeliveryError` for another one."""
    return read_content(manifest, storage, ExportManifest, "the manifest of an export")


def read_delivery(manifest: Manifest, storage: Storage) -> Delivery:
    """Return the files of the version that the manifest names, and what it promises of them.

    Raises `DeliveryError` for a file of another size, and for an export that has no FOCUS charges.
    """
    found = read_manifest(manifest, storage)
    where = f"{manifest.label}: manifest {manifest.file.uri}"
    if found.focus_version is None:
        raise DeliveryError(f"{where} is of an export of {found.relation}, which has no FOCUS charges")
    files = files_of(found, manifest, storage)
    billed = {currency: Decimal(sums[BILLED]) for currency, sums in found.sums.items() if BILLED in sums}
    file_rows = {file.uri: promised.rows for file, promised in zip(files, found.files, strict=True)}
    return Delivery(manifest, found.version, files, file_rows, found.rows, billed)


def files_of(content: ExportManifest, manifest: Manifest, storage: Storage) -> tuple[StoredFile, ...]:
    """Return the stored files that a manifest lists, in its order; raises `DeliveryError` for one of another size."""
    where = f"{manifest.label}: manifest {manifest.file.uri}"
    keys = [content.folder + file.name for file in content.files]
    refuse_keys(keys, "files", manifest, FILE_TYPES)
    # The manifest of an older version is in the version's own folder.
    top = parent_folder(manifest.file.uri)
    folder = top.removesuffix(content.folder)
    files = find_files(keys, [lambda key: folder + key], manifest, storage)
    for file, promised in zip(files, content.files, strict=True):
        if file.size != promised.bytes:
            raise DeliveryError(
                f"{where} says that {promised.name!r} has {promised.bytes} bytes, and {file.uri} has {file.size}"
            )
    return files
