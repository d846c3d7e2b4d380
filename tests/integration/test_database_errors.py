"""What PostgreSQL refuses, or a PostgreSQL that goes: the error says what, and nothing is half done."""

import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pipeline import JANUARY, load_month, staged_tables
from roles import reading

from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.demo import embedded_postgres
from cloud_costs.errors import DatabaseDenied, DatabaseUnavailable
from cloud_costs.publishing.load import load_raw
from cloud_costs.storage.local import LocalStorage


@pytest.fixture
def own_server() -> Iterator[embedded_postgres.Server]:
    """A server of the test's own, which it may stop."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "pg"
        yield embedded_postgres.start(data_dir)
        embedded_postgres.stop(data_dir)


def stop_at_once(server: embedded_postgres.Server) -> None:
    """Stop in immediate mode: as if the machine had lost its power."""
    data_dir = server.data_dir
    subprocess.run(
        [embedded_postgres.programs() / "pg_ctl", "stop", "--mode=immediate", "--pgdata=."],
        cwd=data_dir,
        check=True,
        capture_output=True,
        **embedded_postgres._as_owner_of(data_dir),
    )


def test_server_that_stops_while_copying_may_be_tried_again(own_server, cup):
    truth = cup.deliver()
    database = Database(lambda: psycopg.connect(own_server.uri()), "costs", "costs_db")
    apply_schema(database)
    stopped = threading.Lock()

    def stop(rows: int) -> None:
        if stopped.acquire(blocking=False):
            stop_at_once(own_server)

    with pytest.raises(DatabaseUnavailable, match=r"cup 2025-01: PostgreSQL"):
        load_raw(database, LocalStorage(), cup.source, JANUARY, progress=stop)
    with pytest.raises(DatabaseUnavailable, match=r"cup 2025-01: PostgreSQL .*connection to server"):
        load_raw(database, LocalStorage(), cup.source, JANUARY)
    embedded_postgres.start(own_server.data_dir)
    load_month(database, cup.source, JANUARY)
    with database.session() as connection:
        rows = connection.execute("select status, error from costs.load_history order by load_id").fetchall()
        assert [status for status, _ in rows] == ["failed", "published"]
        assert connection.execute("select sum(cost) from costs.costs").fetchone() == (truth.billed_cost,)
    assert staged_tables(database) == []


def test_terminated_session_may_be_tried_again(database, cup, query):
    cup.deliver()

    def terminate(rows: int) -> None:
        query(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'cloud_costs' and pid <> pg_backend_pid() and query like 'copy%%'"
        )

    with pytest.raises(DatabaseUnavailable, match=r"cup 2025-01: .*terminat"):
        load_raw(database, LocalStorage(), cup.source, JANUARY, progress=terminate)
    assert staged_tables(database) == []
    assert query("select status from load_history") == [("failed",)]


def test_cancelled_statement_is_not_tried_again(database, cup, query):
    """Somebody stopped it: the next try would end alike."""
    cup.deliver()

    def cancel(rows):
        query(
            "select pg_cancel_backend(pid) from pg_stat_activity "
            "where application_name = 'cloud_costs' and pid <> pg_backend_pid() and query like 'copy%%'"
        )

    with pytest.raises(DatabaseDenied, match=r"cup 2025-01: .*canceling statement due to user request"):
        load_raw(database, LocalStorage(), cup.source, JANUARY, progress=cancel)
    load_month(database, cup.source, JANUARY)
    assert staged_tables(database) == []


def test_role_without_rights_is_told(database, cup, query, postgres):
    cup.deliver()
    poor = reading(postgres, database)
    with pytest.raises(DatabaseDenied, match=r"connection 'costs_db'.*permission denied"):
        apply_schema(poor)
    with pytest.raises(DatabaseDenied, match=r"cup 2025-01: .*connection 'costs_db'.*permission denied"):
        load_raw(poor, LocalStorage(), cup.source, JANUARY)
    # Reads and writes the bookkeeping, but may not create staging tables.
    query(
        f'grant usage on schema "{database.staging_schema}" to {database.reader}; '
        f'grant select, insert, update on all tables in schema "{database.schema}" to {database.reader}'
    )
    with pytest.raises(DatabaseDenied, match=r"cup 2025-01: .*permission denied for schema"):
        load_raw(poor, LocalStorage(), cup.source, JANUARY)
    assert "permission denied for schema" in query("select error from load_history")[0][0]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"dbname": "no_such_database"}, DatabaseDenied),
        ({"user": "no_such_role"}, DatabaseDenied),
        ({"port": "1"}, DatabaseUnavailable),
        ({"host": "/no/such/folder"}, DatabaseUnavailable),
    ],
)
def test_connecting_tells_what_may_pass_from_what_cannot(postgres, change, kind):
    database = Database(lambda: psycopg.connect(postgres.uri(), **change), "costs", "costs_db")
    with pytest.raises(kind, match=r"PostgreSQL .connection 'costs_db'.:"), database.session():
        pass
