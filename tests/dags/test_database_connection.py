"""The connection `costs_db`, as every provider of PostgreSQL makes it: with psycopg 3."""

import json

import psycopg
import pytest
from airflow.providers.postgres.hooks import postgres as provider

from cloud_costs.airflow import connections


@pytest.mark.parametrize("has_psycopg3", [True, False], ids=["SQLAlchemy 2", "SQLAlchemy 1.4"])
def test_connection_is_one_of_psycopg_3_with_all_its_settings(
    has_psycopg3, database, postgres, metadata, monkeypatch
) -> None:
    """Airflow before 3.2 may have SQLAlchemy 1.4, and the provider's own connection is then one of psycopg 2."""
    monkeypatch.setattr(provider, "USE_PSYCOPG3", has_psycopg3)
    connection = {
        "conn_type": "postgres",
        "host": str(postgres.socket_dir),
        "port": postgres.port,
        "login": database.reader,
        "schema": "postgres",
        "extra": {"application_name": "finance", "options": "-c work_mem=7MB", "iam": False},
    }
    monkeypatch.setenv("AIRFLOW_CONN_COSTS_DB", json.dumps(connection))
    with connections.database().connect() as found:
        assert isinstance(found, psycopg.Connection)
        told = found.execute(
            "select current_user, current_database(), current_setting('application_name'), current_setting('work_mem')"
        ).fetchone()
    assert told == (database.reader, "postgres", "finance", "7MB")
