"""Azure Blob Storage: `abfss://container@account.dfs.core.windows.net/folder/`, through azure-storage-blob.

The Blob API lists and reads every account, with and without a hierarchical namespace, and the role Storage Blob Data
Reader allows both. The uri keeps the spelling that Azure itself shows for a folder.
"""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from cloud_costs.errors import CloudCostsError, ConfigError, StorageDenied, StorageUnavailable
from cloud_costs.storage.extras import extra
from cloud_costs.storage.files import Folder, StoredFile
from cloud_costs.storage.ranges import Ranges

# Azure's error codes that do not pass by themselves, in words for the person who set up the connection.
DENIED = {
    "AccountIsDisabled": "the storage account is disabled",
    "AuthenticationFailed": "the account key or SAS token is wrong, has expired, or this machine's clock is wrong",
    "AuthorizationFailure": "access denied: by the account's firewall, or to these credentials",
    "AuthorizationPermissionMismatch": "access denied: the role Storage Blob Data {role} on the container is missing",
    "AuthorizationProtocolMismatch": "the SAS token is for another protocol",
    "AuthorizationResourceTypeMismatch": "the SAS token is not for containers and objects",
    "AuthorizationServiceMismatch": "the SAS token is not for blobs",
    "AuthorizationSourceIPMismatch": "the SAS token is for another address than this machine's",
    "BlobArchived": "the blob is archived; rehydrate it first",
    "ContainerDisabled": "the container is disabled",
    "ContainerNotFound": "the container does not exist",
    "InsufficientAccountPermissions": "access denied",
    "InvalidAuthenticationInfo": "the token is not valid for this account or tenant",
    "InvalidResourceName": "the container's name is not valid",
    "KeyBasedAuthenticationNotPermitted": "the account takes no keys; use an identity",
    "NoAuthenticationInformation": "the request had no credentials, and the container is not public",
    "PublicAccessNotPermitted": "the request had no credentials, and the container is not public",
    "ResourceNotFound": "the container does not exist",
}
# The roles Storage Blob Data Reader and Contributor.
READER, WRITER = "Reader", "Contributor"
MISSING = {"BlobNotFound", "404"}
# Of the statuses 4xx, these pass: timeout, conflict, precondition failed (a newer version), too many requests.
PASSING = {408, 409, 412, 429}
# Seconds to connect and to wait for the next bytes, and how often a request is tried: as boto3 does for S3.
SECONDS = 60
ATTEMPTS = 5

URI = re.compile(r"abfss://(?P<container>[^/@]+)@(?P<host>[^/@]+)/(?P<key>.*)", re.DOTALL)


class AzureStorage:
    """`abfss://container@account…/folder/` through a `BlobServiceClient`; `conn_id` is only named in messages."""

    def __init__(self, client: Any, conn_id: str) -> None:
        self._client, self._conn_id = client, conn_id

    def list_folder(self, uri: str) -> Folder:
        """List one folder, with or without a hierarchical namespace; a folder that does not exist is empty."""
        container, prefix = self._split(uri)
        root = uri.removesuffix(prefix)
        folders, files = [], []
        with self._errors(uri):
            from azure.storage.blob import BlobPrefix

            found = self._client.get_container_client(container).walk_blobs(name_starts_with=prefix, delimiter="/")
            for one in found:
                if isinstance(one, BlobPrefix):
                    folders.append(root + one.name)
                elif one.name != prefix:
                    files.append(StoredFile(root + one.name, one.size, one.etag.strip('"'), one.last_modified))
        # Hadoop and AzCopy mark a folder by an empty blob of its name, without the slash. A hierarchical namespace
        # lists each folder as such a blob too. Neither is a file of an export.
        named = {folder.removesuffix("/") for folder in folders}
        return Folder(uri, tuple(folders), tuple(file for file in files if file.size or file.uri not in named))

    def stat(self, uri: str) -> StoredFile | None:
        """Return the blob's size and ETag, or None when there is no such blob; without its container it is an error."""
        with self._errors(uri):
            from azure.core.exceptions import ResourceNotFoundError

            try:
                found = self._blob(uri).get_blob_properties()
            except ResourceNotFoundError as error:
                if _code(error) in MISSING:
                    return None
                raise
        return StoredFile(uri, found.size, found.etag.strip('"'), found.last_modified)

    def read(self, uri: str) -> bytes:
        """Return a small blob whole, of whatever version it has now."""
        with self._errors(uri):
            return bytes(self._blob(uri).download_blob(decompress=False).readall())

    def open(self, file: StoredFile) -> io.RawIOBase:
        """Open the blob for reads that are bound to its ETag; see `Storage.open`."""

        def read(start: int, end: int) -> bytes:
            with self._errors(file.uri):
                from azure.core import MatchConditions

                # `decompress=False` leaves a stored .gz packed, also where its Content-Encoding says gzip. A version
                # that is gone answers 412.
                found = self._blob(file.uri).download_blob(
                    offset=start,
                    length=end - start,
                    decompress=False,
                    etag=f'"{file.etag}"',
                    match_condition=MatchConditions.IfNotModified,
                )
                piece = bytes(found.readall())
            if len(piece) != end - start:
                raise StorageUnavailable(f"{file.uri}: {len(piece)} bytes came of the {end - start} requested")
            return piece

        return Ranges(read, file.size)

    def write(self, uri: str, content: Path) -> None:
        """Store a file of this machine. A large one goes in blocks, which are one blob only once all are there."""
        with self._errors(uri, WRITER), content.open("rb") as file:
            self._blob(uri).upload_blob(file, overwrite=True, length=content.stat().st_size)

    def replace(self, uri: str, content: bytes, old: StoredFile | None) -> None:
        """Store a small blob if the one there is still `old`: Azure answers 412 for another, and 409 where none was."""
        with self._errors(uri, WRITER):
            from azure.core import MatchConditions

            condition: dict[str, Any] = {"overwrite": False}
            if old:
                condition = {"etag": f'"{old.etag}"', "match_condition": MatchConditions.IfNotModified}
                condition["overwrite"] = True
            self._blob(uri).upload_blob(content, **condition)

    def delete(self, uri: str) -> None:
        """Delete a blob; without its container it is an error."""
        with self._errors(uri, WRITER):
            from azure.core.exceptions import ResourceNotFoundError

            try:
                self._blob(uri).delete_blob()
            except ResourceNotFoundError as error:
                if _code(error) not in MISSING:
                    raise

    def _blob(self, uri: str) -> Any:
        container, key = self._split(uri)
        return self._client.get_blob_client(container, key)

    def _split(self, uri: str) -> tuple[str, str]:
        container, account, key = split(uri)
        mine = self._client.account_name
        # The client always asks the account of its connection, and not that of the uri. A container of the same name
        # there would be another bill. A client for an emulator or a custom domain may have no name.
        if mine and account != mine:
            raise ConfigError(f"{uri}: the account is {account!r}, but connection {self._conn_id!r} is for {mine!r}")
        return container, key

    def _errors(self, uri: str, role: str = READER) -> AbstractContextManager[None]:
        return azure_errors(uri, self._conn_id, role)


def split(uri: str) -> tuple[str, str, str]:
    """Return the container, the account and the key of an `abfss://` uri.

    >>> split("abfss://costs@billing.dfs.core.windows.net/exports/daily/")
    ('costs', 'billing', 'exports/daily/')

    Raises `ConfigError` for any other uri.
    """
    match = URI.fullmatch(uri)
    if not match:
        raise ConfigError(f"{uri!r} is not abfss://container@account.dfs.core.windows.net/folder/")
    return match["container"], match["host"].partition(".")[0], match["key"]


def account_url(uri: str) -> str:
    """Return the address of the Blob API of the uri's account, in the same cloud (such as `.chinacloudapi.cn`).

    >>> account_url("abfss://costs@billing.dfs.core.windows.net/exports/")
    'https://billing.blob.core.windows.net'
    """
    match = URI.fullmatch(uri)
    if not match:
        raise ConfigError(f"{uri!r} is not abfss://container@account.dfs.core.windows.net/folder/")
    return f"https://{match['host'].replace('.dfs.', '.blob.', 1)}"


def blob_service(
    url: str = "",
    credential: Any = None,
    *,
    connection_string: str = "",
    seconds: float = SECONDS,
    attempts: int = ATTEMPTS,
) -> Any:
    """Return a `BlobServiceClient` with our time limits; a connection string takes the place of url and credential.

    `credential` is an account key, a SAS token, an identity of azure-identity, or None for a public container.
    `seconds` limits connecting and each wait for bytes. `attempts` counts the first one too. Raises `ConfigError` when
    the library is not installed.
    """
    with extra("azure", "abfss"):
        from azure.storage.blob import BlobServiceClient, ExponentialRetry
    again = attempts - 1
    retries: dict[str, Any] = {"retry_total": again, "retry_connect": again, "retry_read": again, "retry_status": again}
    options: dict[str, Any] = {
        "retry_policy": ExponentialRetry(initial_backoff=1, increment_base=2, random_jitter_range=1, **retries),
        "connection_timeout": seconds,
        "read_timeout": seconds,
    }
    if connection_string:
        return BlobServiceClient.from_connection_string(connection_string, **options)
    return BlobServiceClient(url, credential=credential, **options)


def default_credential(options: Mapping[str, str] | None = None) -> Any:
    """Return the identity that the machine has: environment, workload, managed identity or the Azure CLI."""
    with extra("azure", "abfss"):
        from azure.identity import DefaultAzureCredential
    return DefaultAzureCredential(**(options or {}))


def client_secret_credential(tenant: str, client_id: str, secret: str, options: Mapping[str, Any]) -> Any:
    """Return the identity of a service principal with a secret."""
    with extra("azure", "abfss"):
        from azure.identity import ClientSecretCredential
    return ClientSecretCredential(tenant, client_id, secret, **options)


@contextmanager
def azure_errors(uri: str, conn_id: str, role: str = READER) -> Iterator[None]:
    """Turn what Azure's libraries raise into our errors: what cannot pass and what can, with uri and connection.

    `role` is the Storage Blob Data role that the request needs.
    """
    with extra("azure", "abfss"):
        from azure.core import exceptions

    connection = f"connection {conn_id!r}"
    try:
        yield
    except CloudCostsError:
        raise
    except exceptions.HttpResponseError as error:
        raise _translate(error, uri, connection, role) from None
    # A connection string or a key that is not well-formed.
    except (ValueError, TypeError) as error:
        raise StorageDenied(f"{uri}: {_words(error)} ({connection})") from None
    except (exceptions.AzureError, OSError) as error:
        raise StorageUnavailable(f"{uri}: {_words(error)} ({connection})") from None


def _translate(error: Any, uri: str, connection: str, role: str) -> CloudCostsError:
    code, status = _code(error), error.status_code
    if code in DENIED:
        return StorageDenied(f"{uri}: {DENIED[code].format(role=role)} ({connection}, {code})")
    # An object that was listed and is gone was replaced by a newer delivery: trying again reads that one.
    if code in MISSING:
        return StorageUnavailable(f"{uri}: no such object ({connection}, {code})")
    # azure-identity found no identity, or one that Microsoft Entra ID refused. No request was sent, so there is no
    # status.
    if status is None and _is_of_identity(error):
        return StorageDenied(f"{uri}: {connection} gives no Azure credentials: {_words(error)}")
    message = f"{uri}: {_words(error)} ({', '.join(filter(None, [connection, code]))})"
    if status is not None and 400 <= status < 500 and status not in PASSING:
        return StorageDenied(message)
    return StorageUnavailable(message)


def _is_of_identity(error: Any) -> bool:
    from azure.core.exceptions import ClientAuthenticationError

    return isinstance(error, ClientAuthenticationError)


def _code(error: Any) -> str:
    """Return Azure's code, or the HTTP status: the answer to a HEAD request has no body, and not always a code."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or error.status_code or "")


def _words(error: Exception) -> str:
    """Return the first line of what the library says.

    The answer's body follows on more lines, and so does azure-identity's list of all that it tried, which it logs
    itself.
    """
    words = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return " ".join(words.split())
