"""Credentials without Airflow: from the environment variables that `.env.example` lists."""

import os
import re
from collections.abc import Mapping
from typing import Any

import psycopg

from cloud_costs.config.sources import Source, schema_name
from cloud_costs.database.postgres import Database
from cloud_costs.errors import ConfigError
from cloud_costs.storage import azure, gcs
from cloud_costs.storage.files import Storage, labelled
from cloud_costs.storage.local import LocalStorage
from cloud_costs.storage.s3 import S3Storage, s3_errors

# Seconds. A host that drops packets never answers, and psycopg itself waits for more than two minutes.
CONNECT_TIMEOUT = 10
# What error messages call the connection, where Airflow would give its id.
CONNECTION = "AWS_* environment variables"
AZURE_CONNECTION = "AZURE_* environment variables"
GOOGLE_CONNECTION = "Google's default credentials"


def database(environ: Mapping[str, str] | None = None) -> Database:
    """Return the database that `POSTGRES_*` names, without connecting to it.

    Raises `ConfigError` when the host, the database or the user is not set, or the port or the schema is not valid.
    """
    environ = os.environ if environ is None else environ
    missing = [name for name in ("POSTGRES_HOST", "POSTGRES_DB", "POSTGRES_USER") if not environ.get(name)]
    if missing:
        raise ConfigError(f"{', '.join(missing)} is not set; .env.example lists what the command line needs")
    options: dict[str, Any] = {
        "host": environ["POSTGRES_HOST"],
        "port": _port(environ.get("POSTGRES_PORT") or "5432"),
        "dbname": environ["POSTGRES_DB"],
        "user": environ["POSTGRES_USER"],
        "connect_timeout": CONNECT_TIMEOUT,
    }
    if environ.get("POSTGRES_PASSWORD"):
        options["password"] = environ["POSTGRES_PASSWORD"]
    name = f"{options['user']}@{options['host']}:{options['port']}/{options['dbname']}"
    return Database(lambda: psycopg.connect(**options), schema_name(environ), name)


def _port(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ConfigError(f"POSTGRES_PORT: {text!r} is not a port; use a number from 1 to 65535")
    return text


def storage(source: Source, environ: Mapping[str, str] | None = None) -> Storage:
    """Return the storage of a source, with the credentials that the environment has for its cloud.

    Raises `ConfigError` when the cloud's library is not installed, and `StorageDenied` when there are no credentials.
    """
    with labelled(source.name):
        return storage_at(source.uri, environ)


def storage_at(uri: str, environ: Mapping[str, str] | None = None, *, writes: bool = False) -> Storage:
    """Return the storage at an address, with the credentials that the environment has for its cloud.

    `writes` asks for credentials that may write, where a cloud tells them apart. Raises as `storage` does.
    """
    environ = os.environ if environ is None else environ
    scheme = uri.partition("://")[0]
    return LocalStorage() if scheme == "file" else STORAGES[scheme](uri, environ, writes)


def _s3(uri: str, environ: Mapping[str, str], writes: bool) -> Storage:
    """Take the credentials from `AWS_*`, as boto3 does."""
    import boto3

    # boto3 reads both variables too, but from the process's own environment. Here the environment may be another.
    endpoint_url = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    with s3_errors(uri, CONNECTION):
        session = boto3.Session(region_name=environ.get("AWS_REGION") or None)
        return S3Storage(session.client("s3", endpoint_url=endpoint_url or None), CONNECTION)


def _azure(uri: str, environ: Mapping[str, str], writes: bool) -> Storage:
    """Take the credentials from `AZURE_STORAGE_*`, as the Azure CLI does; else from `AZURE_*` or the machine."""
    with azure.azure_errors(uri, AZURE_CONNECTION):
        connection_string = environ.get("AZURE_STORAGE_CONNECTION_STRING")
        if connection_string:
            client = azure.blob_service(connection_string=connection_string)
        else:
            secret = environ.get("AZURE_STORAGE_KEY") or environ.get("AZURE_STORAGE_SAS_TOKEN")
            client = azure.blob_service(azure.account_url(uri), secret or azure.default_credential())
        return azure.AzureStorage(client, AZURE_CONNECTION)


def _google(uri: str, environ: Mapping[str, str], writes: bool) -> Storage:
    """Take Application Default Credentials: `GOOGLE_APPLICATION_CREDENTIALS`, gcloud's, or the machine's."""
    with gcs.google_errors(uri, GOOGLE_CONNECTION):
        scope = gcs.READ_WRITE if writes else gcs.READ_ONLY
        return gcs.GoogleStorage(gcs.client(scope=scope), GOOGLE_CONNECTION)


STORAGES = {"s3": _s3, "abfss": _azure, "gs": _google}
