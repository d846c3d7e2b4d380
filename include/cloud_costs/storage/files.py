"""Object storage: list, stat and read small objects, and read ranges of the large ones. Exports are written there too.

A key is used byte for byte as the provider wrote it: real AWS keys begin with `/` or contain `//`
(docs/adr/0006-boto3-for-listing.md).
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cloud_costs.errors import ConfigError, DeliveryNotReady, StorageDenied, StorageUnavailable


@dataclass(frozen=True)
class StoredFile:
    """One object: its address, and what tells one version of it from another.

    `size` is in bytes. `etag` identifies the version, and a read can be bound to it: the ETag of S3 and Azure, the
    generation of Google Cloud Storage. `modified` identifies nothing, and is not compared: servers give it in
    milliseconds in a listing, and in seconds for the object itself.
    """

    uri: str
    size: int
    etag: str
    modified: datetime = field(compare=False)

    @property
    def name(self) -> str:
        """The last part of the uri."""
        return self.uri.rsplit("/", 1)[-1]

    @property
    def folder(self) -> str:
        """The uri of the folder that holds the object, ending with `/`."""
        return self.uri.rsplit("/", 1)[0] + "/"


@dataclass(frozen=True)
class Folder:
    """The direct content of one folder: the uris of its folders, which end with `/`, and its files."""

    uri: str
    folders: tuple[str, ...]
    files: tuple[StoredFile, ...]


class Storage(Protocol):
    """A place that holds exports.

    Every method raises `StorageDenied` for what cannot pass, such as missing rights, and `StorageUnavailable` for what
    can, such as a broken connection. A folder's uri ends with `/`.
    """

    def list_folder(self, uri: str) -> Folder:
        """List one folder, however many pages that takes; a folder that does not exist is empty."""

    def stat(self, uri: str) -> StoredFile | None:
        """Return the object's size and ETag, or None when there is no such object."""

    def read(self, uri: str) -> bytes:
        """Return a small object (a manifest) whole."""

    def open(self, file: StoredFile) -> io.RawIOBase:
        """Open a large object for reading and seeking, without reading it yet.

        Every read is bound to the version of `file`. When the object has changed meanwhile, the read raises
        `StorageUnavailable`.
        """

    def write(self, uri: str, content: Path) -> None:
        """Store a file of this machine as an object, in the place of one of this name.

        Readers see the old object or the whole new one.
        """

    def replace(self, uri: str, content: bytes, old: StoredFile | None) -> None:
        """Store a small object in the place of `old`, or where None is.

        Raises `StorageUnavailable` where somebody else stored another one meanwhile, which then stays.
        """

    def delete(self, uri: str) -> None:
        """Delete an object; one that is gone already is no error."""


def folder_name(uri: str) -> str:
    """Return the last part of a folder's uri."""
    return uri.removesuffix("/").rsplit("/", 1)[-1]


def parent_folder(uri: str) -> str:
    """Return the folder above, ending with `/`."""
    return uri.removesuffix("/").rsplit("/", 1)[0] + "/"


def bucket_root(uri: str) -> str:
    """Return the uri up to and including the slash after the bucket or container, or the root of the file system.

    >>> bucket_root("abfss://costs@billing.dfs.core.windows.net/exports/daily/")
    'abfss://costs@billing.dfs.core.windows.net/'
    """
    scheme, _, path = uri.partition("://")
    return f"{scheme}://{path.partition('/')[0]}/"


def is_root(uri: str) -> bool:
    """Tell whether the folder is a bucket or the root of the file system, so that no folder is above it."""
    return uri == bucket_root(uri)


@contextmanager
def labelled(label: str) -> Iterator[None]:
    """Put a label, such as `cup 2025-01`, before the message of an error of the storage, unless it is there already."""
    try:
        yield
    except (ConfigError, StorageDenied, StorageUnavailable) as error:
        if str(error).startswith((f"{label}:", f"{label} ")):
            raise
        raise type(error)(f"{label}: {error}") from None


@contextmanager
def changed_files(storage: Storage, where: str, file: StoredFile) -> Iterator[None]:
    """Raise `DeliveryNotReady` where an object cannot be read because it is no longer the one that was listed."""
    # The clouds answer 412 or 404 for a version that is gone, and both become `StorageUnavailable`. A broken connection
    # is the same error, so one question to the storage tells the two apart.
    try:
        yield
    except StorageUnavailable as error:
        with labelled(where):
            if storage.stat(file.uri) == file:
                raise
        raise DeliveryNotReady(f"{where}: {file.uri} changed while it was read ({error})") from None
