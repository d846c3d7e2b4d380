"""What holds in every session, whatever the role, the database or the server sets."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from pipeline import JANUARY, load_month
from proxies import forget
from side_by_side import free_port

from cloud_costs.database import postgres as module
from cloud_costs.database.postgres import SETTINGS, Database
from cloud_costs.demo import embedded_postgres
from cloud_costs.errors import DatabaseDenied, DatabaseUnavailable
from cloud_costs.publishing.load import load_raw
from cloud_costs.storage.local import LocalStorage

# A socket has no packets to lose: there PostgreSQL says 0 of these, whatever is set.
OF_TCP = {name for name in SETTINGS if name.startswith("tcp_")}


@dataclass(frozen=True)
class TcpServer:
    """A server that listens on the loopback interface too."""

    server: embedded_postgres.Server
    port: int

    def database(self) -> Database:
        uri = f"postgresql://postgres@127.0.0.1:{self.port}/postgres?sslmode=disable&gssencmode=disable"
        return Database(lambda: psycopg.connect(uri), "costs", "costs_db")

    def sessions(self) -> int:
        """Return how many sessions of the loader the server has."""
        with psycopg.connect(self.server.uri()) as connection:
            [(number,)] = connection.execute(
                "select count(*) from pg_stat_activity where application_name = 'cloud_costs'"
            ).fetchall()
        return int(number)


@pytest.fixture(scope="module")
def tcp() -> Iterator[TcpServer]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "pg"
        embedded_postgres.start(data_dir)
        embedded_postgres.stop(data_dir)
        # The demo's server listens on no port, whatever it is told.
        socket_dir = embedded_postgres._private_socket_dir(data_dir)
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={socket_dir}"
        embedded_postgres._pg_ctl(data_dir, "start", "--log=server.log", f"--options={options}")
        found = embedded_postgres.find(data_dir)
        assert found
        yield TcpServer(found, port)
        embedded_postgres.stop(data_dir)


def settings_of(database: Database) -> dict[str, str]:
    with database.session() as connection:
        # PostgreSQL shows times with their unit: set_config takes and pg_settings gives plain numbers.
        rows = connection.execute("select name, setting from pg_settings where name = any(%s)", [list(SETTINGS)])
        return dict(rows.fetchall())


def test_settings_hold_over_a_socket(database):
    found = settings_of(database)
    assert found.keys() == SETTINGS.keys()
    assert {name: found[name] for name in SETTINGS if name not in OF_TCP} == {
        name: value for name, value in SETTINGS.items() if name not in OF_TCP
    }


def test_settings_hold_over_tcp(tcp):
    assert settings_of(tcp.database()) == SETTINGS


def dawdle(connection: psycopg.Connection) -> None:
    """Take 0.3 s for all that a timeout can be set for."""
    connection.execute("select pg_sleep(0.3)")
    time.sleep(0.3)
    with connection.transaction():
        connection.execute("select 1")
        time.sleep(0.3)
        connection.execute("select 1")


@pytest.mark.parametrize(
    "statement",
    [
        "alter role {role} set statement_timeout = '100ms'",
        "alter role {role} set transaction_timeout = '100ms'",
        "alter role {role} set idle_in_transaction_session_timeout = '100ms'",
        "alter role {role} in database postgres set idle_session_timeout = '100ms'",
    ],
)
def test_role_with_a_timeout_loads_what_takes_longer(database, cup, administer, query, statement):
    truth = cup.deliver()
    administer(statement.format(role=f"{database.schema}_loader"))
    with database.connect() as connection:
        connection.autocommit = True
        with pytest.raises(psycopg.Error, match="timeout"):
            dawdle(connection)
    # Each batch of a COPY waits.
    load = load_raw(database, LocalStorage(), cup.source, JANUARY, progress=lambda rows: time.sleep(0.3))
    assert load.rows == truth.raw_lines
    with database.session() as connection:
        dawdle(connection)
    load_month(database, cup.source, JANUARY)
    assert query("select sum(cost) from costs") == [(truth.billed_cost,)]


def test_setting_that_a_server_does_not_have_is_not_asked_for(database, monkeypatch):
    """PostgreSQL 15 and 16 have no transaction_timeout, and would refuse it."""
    monkeypatch.setitem(SETTINGS, "setting_of_a_later_version", "0")
    assert settings_of(database)["application_name"] == "cloud_costs"


def options_of(connection: psycopg.Connection) -> dict[str, int]:
    with socket.socket(fileno=os.dup(connection.fileno())) as channel:
        names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
        found = {name: channel.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names}
        return found | {"SO_KEEPALIVE": channel.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)}


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no TCP_USER_TIMEOUT")
def test_client_asks_a_silent_server_whether_it_is_there(tcp):
    with tcp.database().session() as connection:
        assert options_of(connection) == {
            "SO_KEEPALIVE": 1,
            "TCP_KEEPIDLE": 60,
            "TCP_KEEPINTVL": 10,
            "TCP_KEEPCNT": 6,
            "TCP_USER_TIMEOUT": 120_000,
        }


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no TCP_USER_TIMEOUT")
def test_connection_that_asks_sooner_keeps_its_own_settings(tcp):
    database = tcp.database()
    with database.connect() as plain:
        dsn = plain.info.dsn
    own = Database(
        lambda: psycopg.connect(dsn, keepalives_idle=5, keepalives_interval=600, tcp_user_timeout=9000), "costs", "own"
    )
    with own.session() as connection:
        found = options_of(connection)
    assert (found["TCP_KEEPIDLE"], found["TCP_USER_TIMEOUT"], found["TCP_KEEPINTVL"]) == (5, 9000, 10)


@pytest.fixture
def hasty(monkeypatch):
    """Seconds instead of minutes: a second of silence, and two questions."""
    monkeypatch.setattr(module, "KEEPALIVE_IDLE", 1)
    monkeypatch.setattr(module, "KEEPALIVE_INTERVAL", 1)
    monkeypatch.setattr(module, "KEEPALIVE_COUNT", 2)
    monkeypatch.setattr(module, "UNACKNOWLEDGED", 3000)
    for name, value in (("idle", "1"), ("interval", "1"), ("count", "2")):
        monkeypatch.setitem(SETTINGS, f"tcp_keepalives_{name}", value)
    monkeypatch.setitem(SETTINGS, "tcp_user_timeout", "3000")


@pytest.mark.slow
def test_server_lets_go_of_a_client_that_a_firewall_forgot(tcp, hasty):
    """A load that is gone holds its month's lock until the server notices."""
    assert tcp.sessions() == 0
    with tcp.database().session() as connection:
        connection.execute("select pg_advisory_lock(4711)")
        assert tcp.sessions() == 1
        with socket.socket(fileno=os.dup(connection.fileno())) as channel:
            forget(channel)
        deadline = time.monotonic() + 30
        while tcp.sessions() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert tcp.sessions() == 0
    with tcp.database().session() as connection:
        assert connection.execute("select pg_try_advisory_lock(4711)").fetchone() == (True,)


@pytest.fixture
def ascii_database(postgres, database):
    """A database without an encoding, on which the loader may do all it needs."""
    role = f"{database.schema}_loader"
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute(
            "create database ascii encoding 'SQL_ASCII' template template0 locale_provider libc "
            f"lc_collate 'C' lc_ctype 'C' owner {role}"
        )
    yield Database(lambda: psycopg.connect(postgres.uri("ascii", role)), database.schema, "costs_db")
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute("drop database ascii with (force)")


REFUSED = (
    "the database ascii has the encoding SQL_ASCII, which takes any bytes for text; make another: create database … "
    "encoding 'UTF8' template template0"
)


def test_database_without_an_encoding_is_refused(ascii_database, cup):
    cup.deliver()
    with pytest.raises(DatabaseDenied, match=f"cup 2025-01: PostgreSQL .connection 'costs_db'.: {REFUSED}"):
        load_raw(ascii_database, LocalStorage(), cup.source, JANUARY)
    with ascii_database.connect() as connection:
        assert connection.execute("select count(*) from pg_namespace where nspname ~ '^t_'").fetchone() == (0,)


def test_database_without_an_encoding_is_refused_by_test_connection(ascii_database, postgres):
    environment = {
        "PYTHONPATH": str(Path(module.__file__).parents[2]),
        "POSTGRES_HOST": str(postgres.socket_dir),
        "POSTGRES_PORT": str(postgres.port),
        "POSTGRES_DB": "ascii",
        "POSTGRES_USER": f"{ascii_database.schema}_loader",
        "POSTGRES_SCHEMA": ascii_database.schema,
    }
    command = [sys.executable, "-m", "cloud_costs", "test-connection"]
    refused = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert REFUSED in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_statement_over_a_connection_that_a_firewall_forgot_ends(tcp, hasty):
    """The client waits for an answer, and nothing comes: no data, no end."""
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match=r"connection 'costs_db'"):
        wait_for_nothing(tcp.database())
    assert time.monotonic() - began < 30


def wait_for_nothing(database: Database) -> None:
    with database.session() as connection, socket.socket(fileno=os.dup(connection.fileno())) as channel:
        threading.Timer(0.5, forget, [channel]).start()
        connection.execute("select pg_sleep(60)")
