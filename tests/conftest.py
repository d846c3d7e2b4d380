"""Fixtures shared by all tests: a real PostgreSQL, a real S3 protocol server, sample bills."""

import gc
import json
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pytest
import side_by_side
from clouds import azurite, cloud, google_server  # noqa: F401  fixtures
from deliveries import write_month
from demo_costs import demo  # noqa: F401  fixture
from pipeline import JANUARY, crafted_source, line, load_month, staged_tables, write_delivery
from roles import reading
from schemas import Schemas

from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database, database_errors
from cloud_costs.demo import embedded_postgres
from cloud_costs.demo.sample_bill import Bill, Truth
from cloud_costs.storage.s3 import S3Storage

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"
SMALL = Bill(lines=300, files=2)
Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="session")
def postgres() -> Iterator[embedded_postgres.Server]:
    """One embedded PostgreSQL for the whole session; tests take a schema or a database of their own."""
    folder = Path(tempfile.mkdtemp(prefix="cloud-costs-tests-"))
    server = embedded_postgres.start(folder / "postgres", settings={"fsync": "off", "max_connections": "200"})
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        # Every role has the rights of `public`, which would hide a right that the loader or the reader lacks.
        connection.execute("revoke all on database postgres from public")
    yield server
    embedded_postgres.stop(folder / "postgres")
    shutil.rmtree(folder, ignore_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    """Register the hooks of this process when tests run in several."""
    side_by_side.register(config)
    # Of ten seconds of tests, Python's garbage collector took more than two: by default it looks for cycles after every
    # 700 new objects, and in the end through all that pytest and Airflow keep.
    gc.set_threshold(10_000, 20, 20)


def pytest_collection_finish() -> None:
    """Leave the collected tests out of garbage collection: they stay until the end."""
    gc.collect()
    gc.freeze()


def pytest_report_header() -> str:
    """Say whether the real month is there, so that nobody takes skipped tests for passed ones."""
    return f"real month in ../shared/data: {'found' if SHARED_DATA.exists() else 'not there, its tests are skipped'}"


@pytest.fixture(scope="session")
def schemas(postgres: embedded_postgres.Server) -> Iterator[Schemas]:
    """Schemas with the numbered DDL, for one test after the other."""
    found = Schemas(postgres)
    yield found
    found.close()


@pytest.fixture(scope="session")
def kept(schemas: Schemas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Schemas in which January of the source `crafted` is published: one line of 1.5 USD. See `published`."""
    bucket = tmp_path_factory.mktemp("kept")
    write_delivery(bucket, [line()])
    with schemas.borrowed() as found:
        load_month(found, crafted_source(bucket), JANUARY)
        yield found


@pytest.fixture
def database(request: pytest.FixtureRequest, schemas: Schemas) -> Iterator[Database]:
    """Schemas of this test's own with the numbered DDL, for the loader of `include/sql/schema/roles.sql`.

    For a test that uses `published`, they are those of `kept`.
    """
    if "published" in request.fixturenames:
        yield request.getfixturevalue("kept")
    else:
        with schemas.borrowed() as found:
            yield found


@pytest.fixture
def published(database: Database, bucket: Path, query: Query) -> Iterator[Source]:
    """The source `crafted` on a bucket of this test's own, with January published, which stays whatever the test does.

    The test publishes nothing, so that one published month is enough for all such tests.
    """
    yield crafted_source(bucket)
    # Whatever the test did: readers see what they saw, and nothing is left behind.
    assert query("select sum(cost) from costs") == [(Decimal("1.5"),)]
    assert query("select count(*) from raw_crafted") == [(1,)]
    assert staged_tables(database) == []


def in_schema(database: Database) -> Query:
    """Return a function that runs a statement in the schema over a connection of its own, and returns its rows."""

    def run(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with connected(database) as query:
            return query(statement, *parameters)

    return run


@contextmanager
def connected(database: Database) -> Iterator[Query]:
    """Give a function that runs a statement in the schema and returns its rows.

    Its connection stays open until the end of the test, because opening one takes longer than most statements. A thread
    has a connection of its own, so that none waits for another.
    """
    opened: dict[int, psycopg.Connection[Any]] = {}
    with ExitStack() as stack:

        def run(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
            connection = opened.get(threading.get_ident())
            if connection is None or connection.closed:
                connection = opened[threading.get_ident()] = stack.enter_context(database.session())
                # A plan that is kept would not survive that a view gets another column.
                connection.prepare_threshold = None
                connection.execute(f'set search_path to "{database.schema}"')
            with database_errors(database.name):
                cursor = connection.execute(statement, parameters or None)
                return cursor.fetchall() if cursor.description else []

        yield run


@pytest.fixture
def query(database: Database) -> Iterator[Query]:
    """Run a statement as the loader."""
    with connected(database) as run:
        yield run


@pytest.fixture
def read(postgres: embedded_postgres.Server, database: Database) -> Iterator[Query]:
    """Run a statement as the reader, who may see `costs`, `focus_costs` and the history."""
    with connected(reading(postgres, database)) as run:
        yield run


@pytest.fixture
def administer(postgres: embedded_postgres.Server, database: Database) -> Iterator[Query]:
    """Run a statement as the superuser."""
    with connected(replace(database, connect=lambda: psycopg.connect(postgres.uri()))) as run:
        yield run


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """An empty folder that stands for a bucket; `file://` sources read from it."""
    folder = tmp_path / "bucket"
    folder.mkdir()
    return folder


@dataclass
class SampleSource:
    """A source on a local bucket, and how to deliver to it."""

    source: Source
    bill: Bill
    bucket: Path

    def deliver(self, month: date = JANUARY, version: int = 1) -> Truth:
        """Write one delivery and return its truth."""
        return write_month(self.bill, month, self.bucket, version=version)


@pytest.fixture
def cup(bucket: Path) -> SampleSource:
    """The source `cup` on a local bucket, with nothing delivered yet."""
    source = Source(
        name="cup",
        format="aws_cur",
        uri=f"file://{bucket}/{SMALL.prefix}/{SMALL.report}/",
        tags=("user:team", "user:environment"),
    )
    return SampleSource(source, SMALL, bucket)


@dataclass(frozen=True)
class S3Server:
    """moto's server: the S3 protocol over HTTP on the loopback interface."""

    endpoint_url: str
    key_id: str = "AKIATESTTESTTESTTEST"
    secret: str = "test-secret-key-that-no-log-may-show"

    def session(self) -> Any:
        """Return a boto3 session with the server's credentials."""
        import boto3

        return boto3.Session(self.key_id, self.secret, region_name="us-east-1")

    @cached_property
    def _client(self) -> Any:
        return self.session().client("s3", endpoint_url=self.endpoint_url)

    def client(self) -> Any:
        """Return the boto3 S3 client of the server: to make one, boto3 reads two megabytes of JSON."""
        return self._client

    def storage(self, conn_id: str = "aws_default") -> S3Storage:
        """Return the storage, which names `conn_id` in its messages."""
        return S3Storage(self.client(), conn_id)

    def new_bucket(self) -> str:
        """Make a bucket and return its name."""
        name = f"billing-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def upload(self, folder: Path, bucket: str, prefix: str = "") -> list[str]:
        """Put every file below the folder into the bucket, under its path as the key; return the keys."""
        keys = []
        client = self.client()
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                keys.append(prefix + path.relative_to(folder).as_posix())
                client.upload_file(str(path), bucket, keys[-1])
        return keys

    def connection(self) -> str:
        """Return the AWS connection as Airflow reads it from `AIRFLOW_CONN_<ID>`."""
        extra = {"endpoint_url": self.endpoint_url, "region_name": "us-east-1"}
        return json.dumps({"conn_type": "aws", "login": self.key_id, "password": self.secret, "extra": extra})


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """One moto server for the whole session; tests take a bucket of their own."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield S3Server(f"http://{host}:{port}")
    server.stop()


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the machine's own settings of clouds, PostgreSQL and this package from the environment."""
    theirs = ("AWS_", "AZURE_", "GOOGLE_", "STORAGE_EMULATOR_HOST", "PG")
    ours = ("POSTGRES_", "CLOUD_COSTS_", "S3_BUCKET", "CUR_PATHS", "ALERT_", "REPORT_")
    for name in list(os.environ):
        if name.startswith(theirs + ours):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
