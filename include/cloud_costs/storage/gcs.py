"""Google Cloud Storage: `gs://bucket/prefix/`, through google-cloud-storage.

Reads are bound to the object's generation, a number that Google gives to each new content of an object. Google's ETag
changes with metadata too, so `StoredFile.etag` holds the generation.
"""

import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from cloud_costs.errors import CloudCostsError, StorageDenied, StorageUnavailable
from cloud_costs.storage.extras import extra
from cloud_costs.storage.files import Folder, StoredFile
from cloud_costs.storage.ranges import Ranges

READ_ONLY = "https://www.googleapis.com/auth/devstorage.read_only"
# For the folder of exports alone.
READ_WRITE = "https://www.googleapis.com/auth/devstorage.read_write"
# Seconds to connect, and to wait for the next bytes of an answer. boto3 waits as long.
SECONDS = 60
# Seconds for which the library repeats a request that failed. Its own default is the same.
PATIENCE = 120
# Of the statuses 4xx, these pass: timeout, conflict, precondition failed (a newer generation), too many requests.
PASSING = {408, 409, 412, 429}
WORDS = {401: "the credentials are not valid", 403: "access denied"}
# Only these fields are asked for. With all their metadata, objects make a much longer answer.
LISTED = "nextPageToken,prefixes,items(name,size,generation,updated)"


class GoogleStorage:
    """`gs://bucket/prefix/` through a google-cloud-storage `Client`; `conn_id` is only named in messages."""

    def __init__(self, client: Any, conn_id: str, *, seconds: float = SECONDS, patience: float = PATIENCE) -> None:
        self._client, self._conn_id = client, conn_id
        self._seconds, self._patience = seconds, patience

    def list_folder(self, uri: str) -> Folder:
        """List one folder; a bucket that does not exist is an error here, and not an empty folder."""
        bucket, prefix = _split(uri)
        root = f"gs://{bucket}/"
        no_bucket = StorageDenied(f"{uri}: the bucket does not exist (connection {self._conn_id!r}, 404)")
        with self._errors(uri, no_bucket):
            found = self._client.list_blobs(bucket, prefix=prefix, delimiter="/", fields=LISTED, **self._limits())
            # Consoles make a folder by an empty object of its name. `prefixes` is complete once all pages were read.
            files = [_stored(root + one.name, one) for one in found if one.name != prefix]
            folders = sorted(root + name for name in found.prefixes)
        return Folder(uri, tuple(folders), tuple(files))

    def stat(self, uri: str) -> StoredFile | None:
        """Return the object's size and generation, or None when there is no such object."""
        bucket, key = _split(uri)
        with self._errors(uri):
            found = self._client.bucket(bucket).get_blob(key, **self._limits())
        return _stored(uri, found) if found else None

    def read(self, uri: str) -> bytes:
        """Return a small object whole, of whatever generation it has now."""
        with self._errors(uri):
            return bytes(self._blob(uri).download_as_bytes(raw_download=True, **self._limits()))

    def open(self, file: StoredFile) -> io.RawIOBase:
        """Open the object for reads that are bound to its generation; see `Storage.open`."""

        def read(start: int, end: int) -> bytes:
            with self._errors(file.uri):
                # `end` counts the last byte in. `raw_download` leaves a stored .gz packed. Google's checksum is of the
                # whole object, so it says nothing of a range. A generation that is gone answers 412.
                piece = self._blob(file.uri).download_as_bytes(
                    start=start,
                    end=end - 1,
                    raw_download=True,
                    checksum=None,
                    if_generation_match=int(file.etag),
                    **self._limits(),
                )
            if len(piece) != end - start:
                raise StorageUnavailable(f"{file.uri}: {len(piece)} bytes came of the {end - start} requested")
            return bytes(piece)

        return Ranges(read, file.size)

    def write(self, uri: str, content: Path) -> None:
        """Store a file of this machine. It is an object only once all of it is there."""
        with self._errors(uri), content.open("rb") as file:
            self._blob(uri).upload_from_file(file, size=content.stat().st_size, **self._limits())

    def replace(self, uri: str, content: bytes, old: StoredFile | None) -> None:
        """Store a small object if the one there is still `old`: Google answers 412 for another generation."""
        with self._errors(uri):
            # No object has the generation 0, which stands for none.
            generation = int(old.etag) if old else 0
            self._blob(uri).upload_from_string(content, if_generation_match=generation, **self._limits())

    def delete(self, uri: str) -> None:
        """Delete an object, of whatever generation."""
        with self._errors(uri):
            from google.api_core.exceptions import NotFound

            with suppress(NotFound):
                self._blob(uri).delete(**self._limits())

    def _blob(self, uri: str) -> Any:
        bucket, key = _split(uri)
        return self._client.bucket(bucket).blob(key)

    def _limits(self) -> dict[str, Any]:
        from google.cloud.storage.retry import DEFAULT_RETRY

        retry = DEFAULT_RETRY.with_timeout(self._patience) if self._patience else None
        return {"timeout": (self._seconds, self._seconds), "retry": retry}

    def _errors(self, uri: str, missing: CloudCostsError | None = None) -> AbstractContextManager[None]:
        return google_errors(uri, self._conn_id, missing)


def client(credentials: Any = None, project: str | None = None, scope: str = READ_ONLY) -> Any:
    """Return a google-cloud-storage `Client`; without credentials, with those that the machine has, for the scope.

    `STORAGE_EMULATOR_HOST` names another server, which is asked without credentials.
    """
    with extra("google", "gs"):
        from google.cloud.storage import Client
    # The library also asks for the bucket's metadata with every download, for traces that nobody here collects. That
    # needs the right storage.buckets.get. Without it, each load leaves a refusal in the bucket's audit log.
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    if credentials is None and not os.environ.get("STORAGE_EMULATOR_HOST"):
        credentials = default_credentials([scope])
    return Client(project=project, credentials=credentials)


def default_credentials(scopes: Sequence[str] = (READ_ONLY,)) -> Any:
    """Return Application Default Credentials: a file, workload identity, the machine's account or gcloud."""
    with extra("google", "gs"):
        import google.auth
    return google.auth.default(scopes=list(scopes))[0]


@contextmanager
def google_errors(uri: str, conn_id: str, missing: CloudCostsError | None = None) -> Iterator[None]:
    """Turn what Google's libraries raise into our errors: what cannot pass and what can, with uri and connection.

    `missing` is raised for a 404, which otherwise is an object that is gone.
    """
    with extra("google", "gs"):
        from google.api_core import exceptions
        from google.auth import exceptions as auth
        from google.cloud.storage.exceptions import DataCorruption
        from requests import RequestException
        from urllib3.exceptions import HTTPError

    connection = f"connection {conn_id!r}"
    try:
        yield
    except CloudCostsError:
        raise
    except exceptions.NotFound:
        raise missing or StorageUnavailable(f"{uri}: no such object ({connection}, 404)") from None
    except exceptions.GoogleAPICallError as error:
        raise _translate(error, uri, connection) from None
    # Google's token server did not answer; wrong credentials are another error, below.
    except (auth.TransportError, auth.TimeoutError) as error:
        raise StorageUnavailable(f"{uri}: {_words(error)} ({connection})") from None
    except auth.GoogleAuthError as error:
        kind = StorageUnavailable if error.retryable else StorageDenied
        raise kind(f"{uri}: {connection} gives no Google credentials: {_words(error)}") from None
    # Where a body breaks off, Google's library passes on what urllib3 raised.
    except (exceptions.GoogleAPIError, RequestException, HTTPError, DataCorruption, OSError) as error:
        raise StorageUnavailable(f"{uri}: {_words(error)} ({connection})") from None
    except (ValueError, TypeError) as error:
        raise StorageDenied(f"{uri}: {_words(error)} ({connection})") from None


def _translate(error: Any, uri: str, connection: str) -> CloudCostsError:
    words = ": ".join(filter(None, [WORDS.get(error.code, ""), _told(error)]))
    message = f"{uri}: {words} ({connection}, {error.code})"
    # An error without a status is taken for one of the server's own, which pass.
    if 400 <= (error.code or 500) < 500 and error.code not in PASSING:
        return StorageDenied(message)
    return StorageUnavailable(message)


def _told(error: Any) -> str:
    """Return Google's own words.

    For a download, the library puts them between the address and words of its own. They are JSON or plain text.
    """
    if error.errors:
        return " ".join(str(error.errors[0].get("message", "")).split())
    answer = re.sub(r"^[A-Z]+ \S+: ", "", error.message).partition(": ('Request failed")[0]
    with suppress(ValueError, LookupError, TypeError):
        answer = json.loads(answer)["error"]["message"]
    return " ".join(str(answer).split())


def _stored(uri: str, blob: Any) -> StoredFile:
    return StoredFile(uri, blob.size, str(blob.generation), blob.updated)


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("gs://").partition("/")
    return bucket, key


def _words(error: Exception) -> str:
    return " ".join(str(error).split())
