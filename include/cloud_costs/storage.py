"""Object storage: list, stat and read small objects, and read ranges of the large ones.

A key is used byte for byte as the provider wrote it: real AWS keys begin with `/` or contain `//`
(docs/adr/0006-boto3-for-listing.md).
"""

import errno
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from cloud_costs.errors import CloudCostsError, ConfigError, DeliveryNotReady, StorageDenied, StorageUnavailable

# What S3's codes mean to the one who set up the connection.
DENIED = {
    "400": "the request was refused: expired credentials, or another region than the bucket's",
    "403": "access denied",
    "AccessDenied": "access denied",
    "ExpiredToken": "the credentials have expired",
    "InvalidToken": "the session token is not valid",
    "InvalidAccessKeyId": "the access key is not known",
    "InvalidClientTokenId": "the access key is not known",
    "SignatureDoesNotMatch": "the secret access key is wrong",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
    "AuthorizationHeaderMalformed": "the region is wrong",
    "PermanentRedirect": "the bucket is in another region",
    "301": "the bucket is in another region",
    "AllAccessDisabled": "access denied",
    "NoSuchBucket": "the bucket does not exist",
    "InvalidBucketName": "the bucket's name is not valid",
    "InvalidObjectState": "the object is archived; restore it first",
}
S3_OPERATIONS = {"ListObjectsV2", "HeadObject", "GetObject"}
# Read at once from a large object, and how often one piece is tried.
PIECE_BYTES = 8 << 20
PIECE_TRIES = 3
MISSING = {"404", "NoSuchKey", "NotFound"}
# Refusals with a 4xx status that pass.
PASSING = {"RequestTimeout", "OperationAborted", "Throttling", "ThrottlingException", "TooManyRequests"}


@dataclass(frozen=True)
class StoredFile:
    """One object: where it is, and what tells one version of it from another.

    Not by its time: servers tell it in milliseconds when they list and in seconds when asked for the object.
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


def is_root(uri: str) -> bool:
    """Tell whether the folder is a bucket, or the root of the file system: none is above it."""
    return uri == "file:///" or re.fullmatch(r"s3://[^/]+/", uri) is not None


@contextmanager
def labelled(label: str) -> Iterator[None]:
    """Put what an error of reaching the storage is about, such as `cup 2025-01`, before its message, once."""
    try:
        yield
    except (ConfigError, StorageDenied, StorageUnavailable) as error:
        if str(error).startswith((f"{label}:", f"{label} ")):
            raise
        raise type(error)(f"{label}: {error}") from None


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


class S3Storage:
    """`s3://bucket/prefix/` through a boto3 S3 client; `conn_id` is only named in messages."""

    def __init__(self, client: Any, conn_id: str) -> None:
        self._client, self._conn_id = client, conn_id

    def list_folder(self, uri: str) -> Folder:
        bucket, prefix = _split(uri)
        folders, files = [], []
        with self._errors(uri):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
            for page in pages:
                folders += [f"s3://{bucket}/{found['Prefix']}" for found in page.get("CommonPrefixes", ())]
                files += [
                    StoredFile(
                        f"s3://{bucket}/{found['Key']}",
                        found["Size"],
                        found["ETag"].strip('"'),
                        found["LastModified"],
                    )
                    for found in page.get("Contents", ())
                    if found["Key"] != prefix
                ]
        return Folder(uri, tuple(folders), tuple(files))

    def stat(self, uri: str) -> StoredFile | None:
        bucket, key = _split(uri)
        with self._errors(uri):
            from botocore.exceptions import ClientError

            try:
                found = self._client.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if _code(error) in MISSING:
                    return None
                raise
        return StoredFile(uri, found["ContentLength"], found["ETag"].strip('"'), found["LastModified"])

    def read(self, uri: str) -> bytes:
        bucket, key = _split(uri)
        with self._errors(uri):
            return bytes(self._client.get_object(Bucket=bucket, Key=key)["Body"].read())

    def open(self, file: StoredFile) -> io.RawIOBase:
        def read(start: int, end: int) -> bytes:
            bucket, key = _split(file.uri)
            with self._errors(file.uri):
                found = self._client.get_object(
                    Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}", IfMatch=f'"{file.etag}"'
                )
                piece = bytes(found["Body"].read())
            if len(piece) != end - start:
                raise StorageUnavailable(f"{file.uri}: {len(piece)} bytes came where {end - start} were asked for")
            return piece

        return _Ranges(read, file.size)

    def _errors(self, uri: str) -> AbstractContextManager[None]:
        return s3_errors(uri, self._conn_id)


class _Ranges(io.RawIOBase):
    """A file that is read by ranges, in pieces: a broken connection costs one piece."""

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self._read, self._size, self._at = read, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if at < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, but at the end of the file: Arrow takes a shorter answer for the end."""
        start, end = self._at, min(self._at + len(buffer), self._size)
        while self._at < end:
            piece = self._piece(self._at, min(self._at + PIECE_BYTES, end))
            buffer[self._at - start : self._at - start + len(piece)] = piece
            self._at += len(piece)
        return max(self._at - start, 0)

    def _piece(self, start: int, end: int) -> bytes:
        for left in reversed(range(PIECE_TRIES)):
            try:
                return self._read(start, end)
            except StorageUnavailable:
                if not left:
                    raise
        raise AssertionError


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


@contextmanager
def s3_errors(uri: str, conn_id: str) -> Iterator[None]:
    """Turn what boto3 raises into our errors: what cannot pass and what can, with the uri and the connection."""
    from botocore import exceptions

    connection = f"connection {conn_id!r}"
    try:
        yield
    except CloudCostsError:
        raise
    except exceptions.ClientError as error:
        raise _translate(error, uri, connection) from None
    except exceptions.NoCredentialsError:
        raise StorageDenied(f"{uri}: {connection} gives no AWS credentials") from None
    except (
        exceptions.PartialCredentialsError,
        exceptions.ProfileNotFound,
        exceptions.ConfigParseError,
        exceptions.ConfigNotFound,
        exceptions.TokenRetrievalError,
        exceptions.SSOError,
        exceptions.NoRegionError,
        exceptions.InvalidRegionError,
        exceptions.ValidationError,
        exceptions.ParamValidationError,
        ValueError,
    ) as error:
        raise StorageDenied(f"{uri}: {' '.join(str(error).split())} ({connection})") from None
    except (exceptions.BotoCoreError, OSError) as error:
        raise StorageUnavailable(f"{uri}: {' '.join(str(error).split())} ({connection})") from None


def _translate(error: Any, uri: str, connection: str) -> CloudCostsError:
    code = _code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    if code in DENIED:
        doing = "" if error.operation_name in S3_OPERATIONS else f" to {error.operation_name}"
        return StorageDenied(f"{uri}: {DENIED[code]}{doing} ({connection}, {code})")
    words = " ".join(str(error).split())
    if code in MISSING:
        return StorageUnavailable(f"{uri}: no such object ({connection}, {code})")
    if 400 <= status < 500 and status not in (408, 409, 412, 429) and code not in PASSING:
        return StorageDenied(f"{uri}: {words} ({connection})")
    return StorageUnavailable(f"{uri}: {words} ({connection})")


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _code(error: Exception) -> str:
    response: dict[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))
