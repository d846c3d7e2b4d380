"""Exports as deliveries, so that `query` asks them as it asks a provider's."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from cloud_costs.errors import ConfigError
from cloud_costs.formats import FORMATS
from cloud_costs.formats.delivery import Delivery, Format, Manifest
from cloud_costs.formats.focus.deliveries import month_of
from cloud_costs.formats.focus.exports import ExportManifest, files_of, manifest_of, read_manifest
from cloud_costs.storage.files import Storage, folder_name
from cloud_costs.storage.threads import in_threads

SOURCE = "source="
# The types of columns in a CSV file, as formats name them, by their names in the manifest.
CSV_TYPES = {"decimal": "numeric", "timestamp": "timestamp without time zone"}


def find_exports(
    storage: Storage, uri: str, source: str | None, month: date | None
) -> tuple[tuple[Delivery, ...], Format]:
    """Return the exported months below a folder of exports, such as `focus_costs_v1_2/`, and the format of their files.

    Without a source or a month, all are returned. Raises `ConfigError` where there is none.
    """
    folders = storage.list_folder(uri).folders
    found = [name for folder in folders if (name := folder_name(folder)).startswith(SOURCE)]
    wanted = [name for name in found if source in (None, name.removeprefix(SOURCE))]
    manifests = [
        Manifest(name.removeprefix(SOURCE), of, exported)
        for name in wanted
        for folder in storage.list_folder(f"{uri}{name}/").folders
        if (of := month_of(folder_name(folder))) and month in (None, of)
        if (exported := manifest_of(storage.list_folder(folder).files))
    ]
    if not manifests:
        there = ", ".join(folder_name(folder) for folder in folders) or "no folders"
        raise ConfigError(f"--export: no exported month below {uri}, where {SOURCE}<name>/ is expected; found {there}")
    contents = in_threads(lambda manifest: read_manifest(manifest, storage), manifests)
    deliveries = tuple(
        Delivery(manifest, content.version, files_of(content, manifest, storage))
        for manifest, content in zip(manifests, contents, strict=True)
    )
    return deliveries, _form(contents)


def _form(contents: Sequence[ExportManifest]) -> Format:
    types = {column.name.lower(): CSV_TYPES.get(column.type, "text") for one in contents for column in one.columns}
    return replace(FORMATS["focus"], csv_type=lambda name: types.get(name, "text"))
