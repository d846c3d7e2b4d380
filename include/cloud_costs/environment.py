"""Credentials without Airflow: from the environment variables that `.env.example` lists."""

import os
import re
from collections.abc import Mapping
from typing import Any

import psycopg

from cloud_costs.config.sources import Source, schema_name
from cloud_costs.database.postgres import Database
from cloud_costs.errors import ConfigError
from cloud_costs.storage.files import Storage, labelled
from cloud_costs.storage.local import LocalStorage
from cloud_costs.storage.s3 import S3Storage, s3_errors

CONNECT_TIMEOUT = 10
CONNECTION = "AWS_* environment variables"


def database(environ: Mapping[str, str] | None = None) -> Database:
    """Return the database that `POSTGRES_*` names; raises `ConfigError` when the host is not set."""
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
    """Return the storage of a source; `s3://` takes its credentials from `AWS_*` as boto3 does."""
    environ = os.environ if environ is None else environ
    if source.uri.startswith("file:"):
        return LocalStorage()
    import boto3

    endpoint_url = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    with labelled(source.name), s3_errors(source.uri, CONNECTION):
        session = boto3.Session(region_name=environ.get("AWS_REGION") or None)
        return S3Storage(session.client("s3", endpoint_url=endpoint_url or None), CONNECTION)
