"""Object storage: list, stat and read small objects, and hand DuckDB what it needs to stream the large ones.

boto3 lists and DuckDB's httpfs extension streams. A key is used byte for byte as the provider wrote it: real
AWS keys begin with `/` or contain `//` (docs/adr/0006-boto3-for-listing.md).
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import duckdb

from cloud_costs.errors import DeliveryError, StorageDenied, StorageUnavailable

DENIED = {
    "403": "access denied",
    "AccessDenied": "access denied",
    "ExpiredToken": "the credentials have expired",
    "InvalidAccessKeyId": "the access key is not known",
    "InvalidClientTokenId": "the access key is not known",
    "SignatureDoesNotMatch": "the secret access key is wrong",
    "AuthorizationHeaderMalformed": "the region is wrong",
    "PermanentRedirect": "the bucket is in another region",
    "301": "the bucket is in another region",
    "AllAccessDisabled": "access denied",
    "NoSuchBucket": "the bucket does not exist",
    "InvalidBucketName": "the bucket's name is not valid",
}
MISSING = {"404", "NoSuchKey", "NotFound"}


@dataclass(frozen=True)
class StoredFile:
    """One object: where it is, and what tells one version of it from another."""

    uri: str
    size: int
    etag: str
    modified: datetime

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

    def local_path(self, uri: str) -> str:
        """Return the name by which DuckDB opens the object."""

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Give a DuckDB connection the extension and the credentials to read from here."""


def folder_name(uri: str) -> str:
    """Return the last part of a folder's uri."""
    return uri.rstrip("/").rsplit("/", 1)[-1]


def parent_folder(uri: str) -> str:
    """Return the folder above, ending with `/`."""
    return uri.rstrip("/").rsplit("/", 1)[0] + "/"


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

    def local_path(self, uri: str) -> str:
        return uri.removeprefix("file://")

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Local files need neither extension nor credentials."""


@contextmanager
def _local_errors(uri: str) -> Iterator[None]:
    try:
        yield
    except PermissionError:
        raise StorageDenied(f"{uri}: no permission to read it") from None
    except OSError as error:
        raise StorageUnavailable(f"{uri}: {error.strerror}") from None


@dataclass(frozen=True)
class S3Credentials:
    """What DuckDB signs its requests with; the empty string is "not given"."""

    key_id: str
    secret: str
    session_token: str = ""
    region: str = "us-east-1"
    endpoint_url: str = ""
    path_style: bool = False

    def __repr__(self) -> str:
        return f"S3Credentials(region={self.region!r}, endpoint_url={self.endpoint_url!r})"


class S3Storage:
    """`s3://bucket/prefix/` through one connection.

    `client` is a boto3 S3 client; `credentials` is called for each DuckDB connection, so that a role's
    temporary credentials are fresh. `conn_id` is only named in messages.
    """

    def __init__(self, client: Any, credentials: Callable[[], S3Credentials], conn_id: str) -> None:
        self._client, self._credentials, self._conn_id = client, credentials, conn_id

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
            try:
                found = self._client.head_object(Bucket=bucket, Key=key)
            except Exception as error:
                if _code(error) in MISSING:
                    return None
                raise
        return StoredFile(uri, found["ContentLength"], found["ETag"].strip('"'), found["LastModified"])

    def read(self, uri: str) -> bytes:
        bucket, key = _split(uri)
        with self._errors(uri):
            return bytes(self._client.get_object(Bucket=bucket, Key=key)["Body"].read())

    def local_path(self, uri: str) -> str:
        return uri

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        load_httpfs(connection)
        with self._errors("s3://"):
            credentials = self._credentials()
        options, values = (
            ["type s3", "key_id ?", "secret ?", "region ?"],
            [
                credentials.key_id,
                credentials.secret,
                credentials.region,
            ],
        )
        if credentials.session_token:
            options.append("session_token ?")
            values.append(credentials.session_token)
        if credentials.endpoint_url:
            scheme, _, host = credentials.endpoint_url.rstrip("/").partition("://")
            options += ["endpoint ?", f"use_ssl {'true' if scheme == 'https' else 'false'}"]
            values.append(host)
        if credentials.endpoint_url or credentials.path_style:
            options.append("url_style 'path'")
        connection.execute(f"create or replace secret object_storage ({', '.join(options)})", values)

    @contextmanager
    def _errors(self, uri: str) -> Iterator[None]:
        """Tell what cannot pass from what can, and name the connection."""
        from botocore import exceptions

        try:
            yield
        except exceptions.ClientError as error:
            code = _code(error)
            if code in MISSING:
                raise DeliveryError(f"{uri}: no such object") from None
            if code in DENIED:
                bucket = _split(uri)[0]
                raise StorageDenied(
                    f"{uri}: {DENIED[code]} (bucket {bucket!r}, connection {self._conn_id!r}, {code})"
                ) from None
            raise StorageUnavailable(f"{uri}: {error} (connection {self._conn_id!r})") from None
        except exceptions.NoCredentialsError:
            raise StorageDenied(f"{uri}: connection {self._conn_id!r} gives no AWS credentials") from None
        except exceptions.ParamValidationError as error:
            raise StorageDenied(f"{uri}: {' '.join(str(error).split())}") from None
        except (exceptions.BotoCoreError, OSError) as error:
            raise StorageUnavailable(f"{uri}: {error} (connection {self._conn_id!r})") from None


def load_httpfs(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the httpfs extension from its wheel: nothing is downloaded at run time."""
    import duckdb_extension_httpfs

    folder = Path(duckdb_extension_httpfs.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    path = str(folder / "httpfs.duckdb_extension").replace("'", "''")
    connection.execute(f"load '{path}'")


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _code(error: Exception) -> str:
    response: dict[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))
