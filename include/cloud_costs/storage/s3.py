"""S3, and all that speaks its protocol: `s3://bucket/prefix/`, through boto3."""

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from cloud_costs.errors import CloudCostsError, StorageDenied, StorageUnavailable
from cloud_costs.storage.files import Folder, StoredFile
from cloud_costs.storage.ranges import Ranges

# S3's error codes that do not pass by themselves, in words for the person who set up the connection. HEAD has no body,
# so its code is the HTTP status.
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
# Errors of other operations than these name them: a role that cannot be assumed fails in AssumeRole of STS.
S3_OPERATIONS = {"ListObjectsV2", "HeadObject", "GetObject", "PutObject", "DeleteObject"}
MISSING = {"404", "NoSuchKey", "NotFound"}
# S3 sends these with a status of 4xx, although they pass when tried again.
PASSING = {"RequestTimeout", "OperationAborted", "Throttling", "ThrottlingException", "TooManyRequests"}


class S3Storage:
    """`s3://bucket/prefix/` through a boto3 S3 client; `conn_id` is only named in messages."""

    def __init__(self, client: Any, conn_id: str) -> None:
        self._client, self._conn_id = client, conn_id

    def list_folder(self, uri: str) -> Folder:
        """List one folder: one request for each thousand of its files and folders."""
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
                    # Consoles make a folder by an empty object of its name.
                    if found["Key"] != prefix
                ]
        return Folder(uri, tuple(folders), tuple(files))

    def stat(self, uri: str) -> StoredFile | None:
        """Return the object's size and ETag, or None when there is no such object."""
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
        """Return a small object whole, of whatever version it has now."""
        bucket, key = _split(uri)
        with self._errors(uri):
            return bytes(self._client.get_object(Bucket=bucket, Key=key)["Body"].read())

    def open(self, file: StoredFile) -> io.RawIOBase:
        """Open the object for reads that are bound to its ETag; see `Storage.open`."""

        def read(start: int, end: int) -> bytes:
            bucket, key = _split(file.uri)
            with self._errors(file.uri):
                # HTTP counts the last byte of a range in. `IfMatch`: S3 answers 412 once the object is another one, so
                # one file is never read half from the old delivery and half from the new.
                found = self._client.get_object(
                    Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}", IfMatch=f'"{file.etag}"'
                )
                piece = bytes(found["Body"].read())
            # A proxy may end a body early and call it complete. A short piece would shift all bytes after it.
            if len(piece) != end - start:
                raise StorageUnavailable(f"{file.uri}: {len(piece)} bytes came of the {end - start} requested")
            return piece

        return Ranges(read, file.size)

    def write(self, uri: str, content: Path) -> None:
        """Store a file of this machine in one request, of at most 5 GB."""
        bucket, key = _split(uri)
        with self._errors(uri), content.open("rb") as file:
            self._client.put_object(Bucket=bucket, Key=key, Body=file)

    def replace(self, uri: str, content: bytes, old: StoredFile | None) -> None:
        """Store a small object if the one there is still `old`: S3 answers 412 for another, and 409 for two at once."""
        bucket, key = _split(uri)
        condition = {"IfMatch": f'"{old.etag}"'} if old else {"IfNoneMatch": "*"}
        with self._errors(uri):
            self._client.put_object(Bucket=bucket, Key=key, Body=content, **condition)

    def delete(self, uri: str) -> None:
        """Delete an object. S3 answers the same where there is none."""
        bucket, key = _split(uri)
        with self._errors(uri):
            self._client.delete_object(Bucket=bucket, Key=key)

    def _errors(self, uri: str) -> AbstractContextManager[None]:
        return s3_errors(uri, self._conn_id)


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
    # Mistakes in the setup. botocore raises ValueError for an endpoint that is no URL.
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
    # An answer without a status is a broken one, and passes as a server's error does.
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    if code in DENIED:
        doing = "" if error.operation_name in S3_OPERATIONS else f" to {error.operation_name}"
        return StorageDenied(f"{uri}: {DENIED[code]}{doing} ({connection}, {code})")
    words = " ".join(str(error).split())
    # An object that was listed and is gone was replaced by a newer delivery: trying again reads that one.
    if code in MISSING:
        return StorageUnavailable(f"{uri}: no such object ({connection}, {code})")
    # Of the 4xx, these pass: timeout, conflict, precondition failed (a newer version), too many requests.
    if 400 <= status < 500 and status not in (408, 409, 412, 429) and code not in PASSING:
        return StorageDenied(f"{uri}: {words} ({connection})")
    return StorageUnavailable(f"{uri}: {words} ({connection})")


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _code(error: Exception) -> str:
    response: dict[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))
