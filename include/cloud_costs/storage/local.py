"""Folders of this machine: `file:///folder/`."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cloud_costs.errors import StorageDenied, StorageUnavailable
from cloud_costs.storage.files import Folder, StoredFile


class LocalStorage:
    """`file:///folder/`: the rest of the uri is the path as it is, without percent-encoding."""

    def list_folder(self, uri: str) -> Folder:
        folders, files = [], []
        with _local_errors(uri):
            try:
                entries = sorted(os.scandir(self.local_path(uri)), key=lambda entry: entry.name)
            except (FileNotFoundError, NotADirectoryError):
                entries = []
            for entry in entries:
                if entry.is_dir():
                    folders.append(f"{uri}{entry.name}/")
                elif found := self.stat(uri + entry.name):
                    files.append(found)
        return Folder(uri, tuple(folders), tuple(files))

    def stat(self, uri: str) -> StoredFile | None:
        with _local_errors(uri):
            try:
                status = Path(self.local_path(uri)).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        # A file has no ETag. Its inode tells a replaced file, and its time and size tell one that was written again.
        etag = f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"
        return StoredFile(uri, status.st_size, etag, datetime.fromtimestamp(status.st_mtime, UTC))

    def read(self, uri: str) -> bytes:
        with _local_errors(uri):
            return Path(self.local_path(uri)).read_bytes()

    def open(self, file: StoredFile) -> io.RawIOBase:
        with _local_errors(file.uri):
            return Path(self.local_path(file.uri)).open("rb", buffering=0)

    def local_path(self, uri: str) -> str:
        """Return the path of a file or folder."""
        return uri.removeprefix("file://")


@contextmanager
def _local_errors(uri: str) -> Iterator[None]:
    try:
        yield
    except PermissionError:
        raise StorageDenied(f"{uri}: no permission to read it") from None
    except OSError as error:
        raise StorageUnavailable(f"{uri}: {error.strerror}") from None
    except ValueError as error:
        raise StorageDenied(f"{uri!r}: not a path: {error}") from None
