"""Object storage: list, stat and read small objects, and read ranges of the large ones.

A key is used byte for byte as the provider wrote it: real AWS keys begin with `/` or contain `//`
(docs/adr/0006-boto3-for-listing.md).
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cloud_costs.errors import ConfigError, DeliveryNotReady, StorageDenied, StorageUnavailable


@dataclass(frozen=True)
class StoredFile:
    """One object: where it is, and what tells one version of it from another.

    Not by its time: servers tell it in milliseconds when they list and in seconds when asked for the object. `etag` is
    what a read can be bound to: the ETag of S3 and Azure, the generation of Google Cloud Storage.
    """

    uri: str
    size: int
    etag: str
    modified: datetime = field(compare=False)

    @property
    def name(self) -> str:
        return self.uri.rsplit("/", 1)[-1]

    @property
    def folder(self) -> str:
        return self.uri.rsplit("/", 1)[0] + "/"


@dataclass(frozen=True)
class Folder:
    """What one folder holds directly: the uris of its folders (they end with `/`), and its files."""

    uri: str
    folders: tuple[str, ...]
    files: tuple[StoredFile, ...]


class Storage(Protocol):
    """A place that holds exports. Every method raises `StorageDenied` or `StorageUnavailable`."""

    def list_folder(self, uri: str) -> Folder:
        """List one folder, however many pages that takes; a folder that does not exist is empty."""

    def stat(self, uri: str) -> StoredFile | None:
        """Return the object's size and ETag, or None when there is no such object."""

    def read(self, uri: str) -> bytes:
        """Return a small object (a manifest) whole."""

    def open(self, file: StoredFile) -> io.RawIOBase:
        """Open a large object to read ranges of it, each exactly; one of another version than `file` is an error."""


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
    """Tell whether the folder is a bucket, or the root of the file system: none is above it."""
    return uri == bucket_root(uri)


@contextmanager
def labelled(label: str) -> Iterator[None]:
    """Put what an error of reaching the storage is about, such as `cup 2025-01`, before its message, once."""
    try:
        yield
    except (ConfigError, StorageDenied, StorageUnavailable) as error:
        if str(error).startswith((f"{label}:", f"{label} ")):
            raise
        raise type(error)(f"{label}: {error}") from None


@contextmanager
def changed_files(storage: Storage, where: str, file: StoredFile) -> Iterator[None]:
    """Raise `DeliveryNotReady` where an object cannot be read because it is no longer the one that was listed."""
    try:
        yield
    except StorageUnavailable as error:
        with labelled(where):
            if storage.stat(file.uri) == file:
                raise
        raise DeliveryNotReady(f"{where}: {file.uri} changed while it was read ({error})") from None
