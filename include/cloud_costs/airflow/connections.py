"""The database and the storage behind Airflow connections.

Tables are reached through `costs_db`, a connection of the type `postgres`. Object storage is reached through each
source's `conn_id`, a connection of the type `aws`, `wasb` or `google_cloud_platform` with the fields that its provider
documents.

Where the default connection of a cloud is not defined, the machine's own identity is used, as the Amazon provider does.
Any other connection has to be defined, because otherwise a typing error would be hidden.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import cast

import psycopg
from airflow.providers.postgres.hooks import postgres
from airflow.providers.postgres.hooks.postgres import PostgresHook
from botocore import exceptions

from cloud_costs.airflow import clouds
from cloud_costs.airflow.versions import AirflowException, AirflowNotFoundException, BaseHook
from cloud_costs.config.addresses import default_conn_id
from cloud_costs.config.sources import Source, schema_name
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.environment import CONNECT_TIMEOUT
from cloud_costs.errors import ConfigError, StorageDenied, StorageUnavailable
from cloud_costs.storage import azure, gcs
from cloud_costs.storage.files import Storage
from cloud_costs.storage.local import LocalStorage
from cloud_costs.storage.s3 import S3Storage

COSTS_DB = "costs_db"
# HTTP statuses from here on are errors of the server, which pass.
SERVER_ERROR = 500


def database(conn_id: str = COSTS_DB) -> Database:
    """Return the database behind an Airflow Postgres connection, without connecting to it.

    Connecting raises `ConfigError` when the Airflow connection is not defined.
    """
    # libpq reads it. A connection whose extra sets `connect_timeout` keeps its own.
    os.environ.setdefault("PGCONNECT_TIMEOUT", str(CONNECT_TIMEOUT))

    @cache
    def hook() -> PostgresHook:
        require(conn_id, "Postgres")
        return PostgresHook(connection=BaseHook.get_connection(conn_id))

    return Database(lambda: _connect(hook()), schema_name(), conn_id)


def _connect(hook: PostgresHook) -> Connection:
    """Connect as the hook does, with psycopg 3: the hook itself takes psycopg 2 where SQLAlchemy is older than 2."""
    if getattr(postgres, "USE_PSYCOPG3", False):
        return cast(Connection, hook.get_conn())
    found, extra = hook.connection, hook.connection.extra_dejson
    login, password, port = hook.get_iam_token(found) if extra.get("iam") else (found.login, found.password, found.port)
    settings = {name: value for name, value in extra.items() if name not in {*hook.ignored_extra_options, "cursor"}}
    options = {"options": hook.options} if hook.options else {}
    name = hook.database or found.schema
    return psycopg.connect(
        **{"host": found.host, "user": login, "password": password, "dbname": name, "port": port, **options, **settings}
    )


def storage(source: Source) -> Storage:
    """Return the storage of a source, with the credentials of its Airflow connection.

    Raises `ConfigError` for a connection that is not defined or makes no credentials, `StorageDenied` for credentials
    that are refused, and `StorageUnavailable` where the cloud's token service does not answer.
    """
    return storage_at(source.uri, source.conn_id)


def storage_at(uri: str, conn_id: str, *, writes: bool = False) -> Storage:
    """Return the storage at an address, with the credentials of an Airflow connection.

    `writes` asks for credentials that may write, where a cloud tells them apart. Raises as `storage` does.
    """
    scheme = uri.partition("://")[0]
    if scheme == "file":
        return LocalStorage()
    if scheme == "s3":
        return _s3(uri, conn_id)
    if scheme == "gs":
        connection = _connection(uri, conn_id, clouds.GOOGLE)
        with gcs.google_errors(uri, conn_id):
            return clouds.google_storage(connection, conn_id, gcs.READ_WRITE if writes else gcs.READ_ONLY)
    connection = _connection(uri, conn_id, clouds.AZURE)
    with azure.azure_errors(uri, conn_id):
        return clouds.azure_storage(connection, conn_id, uri)


def _connection(uri: str, conn_id: str, kind: str) -> clouds.AirflowConnection | None:
    """Return a connection; None for the default one of the address where it is not defined."""
    try:
        return cast(clouds.AirflowConnection, BaseHook.get_connection(conn_id))
    except AirflowNotFoundException:
        if conn_id != default_conn_id(uri):
            require(conn_id, kind)
        return None


def _s3(uri: str, conn_id: str) -> Storage:
    if conn_id != default_conn_id(uri):
        require(conn_id, "AWS")
    # Imported here: of a month's four steps, three never see the bucket.
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    with _connection_errors(conn_id):
        return S3Storage(S3Hook(aws_conn_id=conn_id).get_conn(), conn_id)


@contextmanager
def _connection_errors(conn_id: str) -> Iterator[None]:
    """Turn errors of making credentials into ours. A wrong connection cannot pass; STS or a metadata service can."""
    where = f"the Airflow connection {conn_id!r} gives no access"
    try:
        yield
    except (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.MetadataRetrievalError) as error:
        raise StorageUnavailable(f"{where}: {error}") from None
    except exceptions.ClientError as error:
        may_pass = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= SERVER_ERROR
        raise (StorageUnavailable if may_pass else StorageDenied)(f"{where}: {error}") from None
    except exceptions.BotoCoreError as error:
        raise StorageDenied(f"{where}: {error}") from None
    except (AirflowException, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from None


def require(conn_id: str, kind: str) -> None:
    """Raise `ConfigError` where an Airflow connection is not defined; `kind` is the type that it should have."""
    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise ConfigError(
            f"the Airflow connection {conn_id!r} is not defined; add a connection of type {kind} with this id"
        ) from None
