"""The folder of an exported month in storage: what is there, how a version takes the place of the one before.

The files of a version come first, then the manifest in its own folder, and last the manifest of the month, which names
the version. So a process that is killed leaves files which no manifest names, and the next export writes over them or
removes them.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from cloud_costs.errors import ConfigError, DeliveryError, DeliveryNotReady
from cloud_costs.formats.delivery import Manifest
from cloud_costs.formats.focus.exports import MANIFEST, ExportManifest, files_of
from cloud_costs.storage.files import Storage, StoredFile, folder_name
from cloud_costs.storage.threads import in_threads
from cloud_costs.validation import explain

VERSION = "version="


@dataclass(frozen=True)
class Found:
    """The manifest of a month as it was found: the stored file, and its content."""

    file: StoredFile
    content: ExportManifest


@dataclass(frozen=True)
class MonthFolder:
    """The folder of a month of a source; `uri` ends with `/`."""

    storage: Storage
    uri: str
    source: str
    billing_month: date

    def find(self) -> Found | None:
        """Return the manifest of the month; None where nothing was exported yet.

        Raises `ConfigError` for a manifest that is not one of an export, which is then left alone.
        """
        file = self.storage.stat(self.uri + MANIFEST)
        if file is None:
            return None
        # Bound to the version of the file, because its replacement will be bound to the same.
        with self.storage.open(file) as stored:
            content = stored.read()
        try:
            return Found(file, ExportManifest.model_validate_json(content))
        except ValidationError as error:
            raise ConfigError(
                f"{file.uri} is not the manifest of an export: {explain(error)}; choose another folder"
            ) from None

    def is_whole(self, found: Found) -> bool:
        """Tell whether all files that a manifest names are there, in their sizes."""
        try:
            files_of(found.content, Manifest(self.source, self.billing_month, found.file), self.storage)
        except (DeliveryError, DeliveryNotReady):
            return False
        return True

    def store(self, manifest: ExportManifest, drafts: Path, old: Found | None) -> None:
        """Bring a version in, whose files are in a folder of this machine, and let the manifest name it.

        Raises `StorageUnavailable` where the manifest is not the old one any more.
        """
        folder = self.uri + manifest.folder
        content = manifest.to_json().encode()
        # The same rows were exported before, or this is a second try.
        if not (old and old.content.version == manifest.version and self.is_whole(old)):
            for file in manifest.files:
                self.storage.write(folder + file.name, drafts / file.name)
        draft = drafts / MANIFEST
        draft.write_bytes(content)
        self.storage.write(folder + MANIFEST, draft)
        self.storage.replace(self.uri + MANIFEST, content, old.file if old else None)

    def remove_others(self, manifest: ExportManifest) -> None:
        """Delete the versions that the manifest does not name, and what killed exports left."""
        for folder in self.storage.list_folder(self.uri).folders:
            if folder_name(folder).startswith(VERSION) and folder != self.uri + manifest.folder:
                files = self.storage.list_folder(folder).files
                # Its manifest goes first, so that no version looks whole and is not.
                for file in files:
                    if file.name == MANIFEST:
                        self.storage.delete(file.uri)
                in_threads(self.storage.delete, [file.uri for file in files if file.name != MANIFEST])
