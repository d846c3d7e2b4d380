"""Azurite and the Google Cloud Storage emulator: the other clouds' protocols over HTTP on the loopback interface."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from proxies import GoogleProxy
from side_by_side import free_port

from cloud_costs.storage.azure import AzureStorage, blob_service
from cloud_costs.storage.files import Storage
from cloud_costs.storage.gcs import GoogleStorage

ROOT = Path(__file__).parents[1]
# `.ci/run` installs it there.
AZURITE = ROOT / ".azurite" / "node_modules" / ".bin" / "azurite-blob"
ACCOUNT = "devstoreaccount1"
# Azurite's own, which Microsoft documents.
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
STARTED = 60


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[None]:
    """Run a server until it is no longer needed."""
    with tempfile.TemporaryDirectory(prefix="cloud-costs-tests-") as folder:
        # TMPDIR: what a server does not keep in memory is gone with it.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "TMPDIR": folder},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + STARTED
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    break
                except OSError:
                    assert process.poll() is None, f"{command[0]} has ended"
                    assert time.monotonic() < deadline, f"{command[0]} does not answer"
                    time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait()


@dataclass(frozen=True)
class Azurite:
    """Azurite: Azure Blob Storage's protocol. It refuses a conditional read of a blob that changed.

    `endpoint_url` of a method is for a proxy before the server.
    """

    endpoint_url: str
    scheme = "abfss"

    def connection_string(self, endpoint_url: str = "") -> str:
        """Return the connection string with the key of Azurite's account."""
        url = f"{endpoint_url or self.endpoint_url}/{ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};BlobEndpoint={url};"

    def service(self, endpoint_url: str = "", **limits: Any) -> Any:
        """Return a `BlobServiceClient`."""
        return blob_service(connection_string=self.connection_string(endpoint_url), **limits)

    def storage(self, endpoint_url: str = "", *, seconds: float = 10, attempts: int = 2) -> Storage:
        """Return the storage, with limits that make a test of a fault short."""
        return AzureStorage(self.service(endpoint_url, seconds=seconds, attempts=attempts), "wasb_default")

    def new_root(self) -> str:
        """Make a container and return its uri."""
        container = f"billing-{uuid.uuid4().hex[:12]}"
        self.service().create_container(container)
        return f"abfss://{container}@{ACCOUNT}.dfs.core.windows.net/"

    def put(self, uri: str, content: bytes, encoding: str | None = None) -> None:
        """Write a blob, with a Content-Encoding if one is given."""
        from azure.storage.blob import ContentSettings

        settings = ContentSettings(content_encoding=encoding)
        self._blob(uri).upload_blob(content, overwrite=True, content_settings=settings)

    def delete(self, uri: str) -> None:
        """Delete a blob."""
        self._blob(uri).delete_blob()

    def _blob(self, uri: str) -> Any:
        container, _, key = uri.removeprefix("abfss://").partition(f"@{ACCOUNT}.dfs.core.windows.net/")
        return self.service().get_blob_client(container, key)


@dataclass(frozen=True)
class GoogleServer:
    """Google Cloud Storage: the emulator, behind a proxy that adds what it lacks (`proxies.GoogleProxy`)."""

    emulator_url: str
    endpoint_url: str
    scheme = "gs"

    def client(self, endpoint_url: str = "") -> Any:
        """Return a google-cloud-storage `Client` without credentials."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.storage import Client

        options = {"api_endpoint": endpoint_url or self.endpoint_url}
        return Client("cloud-costs-tests", AnonymousCredentials(), client_options=options)

    def storage(self, endpoint_url: str = "", *, seconds: float = 10, attempts: int = 2) -> Storage:
        """Return the storage, with limits that make a test of a fault short."""
        client = self.client(endpoint_url)
        return GoogleStorage(client, "google_cloud_default", seconds=seconds, patience=attempts - 1)

    def new_root(self) -> str:
        """Make a bucket and return its uri."""
        bucket = f"billing-{uuid.uuid4().hex[:12]}"
        self.client(self.emulator_url).create_bucket(bucket)
        return f"gs://{bucket}/"

    def put(self, uri: str, content: bytes, encoding: str | None = None) -> None:
        """Write an object, with a Content-Encoding if one is given."""
        blob = self._blob(uri)
        blob.content_encoding = encoding
        blob.upload_from_string(content)

    def delete(self, uri: str) -> None:
        """Delete an object."""
        self._blob(uri).delete()

    def _blob(self, uri: str) -> Any:
        bucket, _, key = uri.removeprefix("gs://").partition("/")
        return self.client(self.emulator_url).bucket(bucket).blob(key)


Cloud = Azurite | GoogleServer


def upload(cloud: Cloud, folder: Path, root: str, prefix: str = "") -> list[str]:
    """Put every file below the folder into the bucket, under its path; return the keys."""
    keys = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            keys.append(prefix + path.relative_to(folder).as_posix())
            cloud.put(root + keys[-1], path.read_bytes())
    return keys


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """One Azurite for the whole session; tests take a container of their own."""
    program = str(AZURITE) if AZURITE.exists() else shutil.which("azurite-blob")
    if not program:
        pytest.skip("Azurite is not there: npm install --prefix .azurite azurite@3.37.0")
    port = free_port()
    # The libraries ask for a newer version of the API than Azurite knows.
    options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--disableTelemetry"]
    with running([program, "--blobHost", "127.0.0.1", "--blobPort", str(port), *options], port):
        yield Azurite(f"http://127.0.0.1:{port}")


@pytest.fixture(scope="session")
def google_server() -> Iterator[GoogleServer]:
    """One emulator for the whole session; tests take a bucket of their own."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "gcp_storage_emulator",
        "start",
        "--port",
        str(port),
        "-H",
        "127.0.0.1",
        "-M",
        "-q",
    ]
    with running(command, port):
        proxy = GoogleProxy(f"http://127.0.0.1:{port}")
        yield GoogleServer(f"http://127.0.0.1:{port}", proxy.url)
        proxy.close()


@pytest.fixture(params=["azure", "google"])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    """Each of the two servers."""
    found: Cloud = request.getfixturevalue({"azure": "azurite", "google": "google_server"}[request.param])
    return found
