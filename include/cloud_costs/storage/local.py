"""Folders of this machine: `file:///folder/`."""

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from uuid import uuid4

from cloud_costs.errors import StorageDenied, StorageUnavailable
from cloud_costs.storage.files import Folder, StoredFile


class LocalStorage:
    """`file:///folder/`: the rest of the uri is the path as it is, without percent-encoding."""

    def list_folder(self, uri: str) -> Folder:
        """List one folder, sorted by name as object storage lists; a folder that does not exist is empty."""
        folders, files = [], []
        with _local_errors(uri):
            try:
                entries = sorted(os.scandir(self.local_path(uri)), key=lambda entry: entry.name)
            except (FileNotFoundError, NotADirectoryError):
                entries = []
            for entry in entries:
                if entry.is_dir():
                    folders.append(f"{uri}{entry.name}/")
                # A file that went between the listing and the question is left out.
                elif found := self.stat(uri + entry.name):
                    files.append(found)
        return Folder(uri, tuple(folders), tuple(files))

    def stat(self, uri: str) -> StoredFile | None:
        """Return the file's size and a version made of its metadata, or None when there is no such file."""
        with _local_errors(uri):
            try:
                status = Path(self.local_path(uri)).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        # A file has no ETag. The inode changes when a file is replaced, and its time or size when it is written again.
        etag = f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"
        return StoredFile(uri, status.st_size, etag, datetime.fromtimestamp(status.st_mtime, UTC))

    def read(self, uri: str) -> bytes:
        """Return a small file whole."""
        with _local_errors(uri):
            return Path(self.local_path(uri)).read_bytes()

    def open(self, file: StoredFile) -> io.RawIOBase:
        """Open the file itself.

        No read is bound to a version: an open file that is replaced keeps its content, and `load_raw` compares the
        files again when it has read them.
        """
        with _local_errors(file.uri):
            return Path(self.local_path(file.uri)).open("rb", buffering=0)

    def write(self, uri: str, content: Path) -> None:
        """Copy a file beside its place and move it there; its folder is made where it is missing."""
        with self._new_file(uri) as file, content.open("rb") as source:
            shutil.copyfileobj(source, file)

    def replace(self, uri: str, content: bytes, old: StoredFile | None) -> None:
        """Write a small file in the place of `old`.

        A file system has no conditional write. Of two writers in the same moment, the last one wins.
        """
        with self._new_file(uri) as file:
            file.write(content)
            if self.stat(uri) != old:
                raise StorageUnavailable(f"{uri}: somebody else wrote it meanwhile")

    def delete(self, uri: str) -> None:
        """Delete a file, and its folder when that is empty then, as object storage has no empty folders."""
        path = Path(self.local_path(uri))
        with _local_errors(uri, "write"):
            path.unlink(missing_ok=True)
            # A folder that holds something is not removed.
            with suppress(OSError):
                path.parent.rmdir()

    @contextmanager
    def _new_file(self, uri: str) -> Iterator[IO[bytes]]:
        """Give a file that takes the place of `uri` at the end of the block, unless something is raised."""
        path = Path(self.local_path(uri))
        with _local_errors(uri, "write"):
            path.parent.mkdir(parents=True, exist_ok=True)
            # In the same folder, because a file can be moved at once only within a file system. Readers of exports
            # leave out names that begin with a dot.
            draft = path.with_name(f".{path.name}.{uuid4().hex}")
            try:
                with draft.open("xb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)

    def local_path(self, uri: str) -> str:
        """Return the path of a file or folder."""
        return uri.removeprefix("file://")


@contextmanager
def _local_errors(uri: str, doing: str = "read") -> Iterator[None]:
    try:
        yield
    except PermissionError:
        raise StorageDenied(f"{uri}: no permission to {doing} it") from None
    except OSError as error:
        raise StorageUnavailable(f"{uri}: {error.strerror}") from None
    except ValueError as error:
        raise StorageDenied(f"{uri!r}: not a path: {error}") from None
