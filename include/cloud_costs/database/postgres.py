"""PostgreSQL: sessions with settings that a load can rely on, and errors that say what to do."""

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from cloud_costs.errors import CloudCostsError, DatabaseDenied, DatabaseUnavailable

Connection = psycopg.Connection[Any]

# Refusals that libpq reports while it connects carry no SQLSTATE, only the server's words.
REFUSED = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry|does not exist|not permitted to log in"
    r"|permission denied for database|invalid port number|certificate"
)
# A connection that a firewall forgot is noticed after two minutes: a minute of silence, and six questions without an
# answer. Linux itself begins to ask after two hours.
KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT = 60, 10, 6
# Milliseconds after which data that nobody acknowledges ends the connection.
UNACKNOWLEDGED = 120_000
# Settings of every session. They win over those of the role, the database and the environment.
SETTINGS = {
    # Partition bounds are read as text, and COPY sends UTF-8. Of dates that are not ISO, CSV has the American ones.
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "client_encoding": "UTF8",
    "application_name": "cloud_costs",
    # A COPY or a sum over a large month takes minutes. A timeout that is meant for people's queries would end it each
    # time it is tried. Airflow's execution_timeout is what limits a task.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
    # The server notices a worker that is gone, and frees its locks.
    "tcp_keepalives_idle": str(KEEPALIVE_IDLE),
    "tcp_keepalives_interval": str(KEEPALIVE_INTERVAL),
    "tcp_keepalives_count": str(KEEPALIVE_COUNT),
    "tcp_user_timeout": str(UNACKNOWLEDGED),
}
# Older servers lack some of the settings, and say null of those. A join with pg_settings takes ten times as long:
# it describes every setting of the server.
SET = """
    select set_config(name, setting, false)
    from unnest(%s::text[], %s::text[]) as wanted (name, setting)
    where current_setting(name, true) is not null
"""
# This encoding accepts any bytes as text. PostgreSQL would neither convert nor refuse text that is not UTF-8.
NO_ENCODING = "SQL_ASCII"
# For partitions, which are written once, analyzed and never changed. Autovacuum at work on the old partition would make
# `publish` wait for deadlock_timeout, while it holds the lock of the partitioned table.
NO_AUTOVACUUM = sql.SQL("autovacuum_enabled = false")
# ANALYZE samples 300 rows for each unit. The default of 100 takes seconds on 155 columns, and plans the mapping no
# better.
STAGING_STATISTICS = sql.Literal(10)
# Classes of SQLSTATE that may pass: connection exception, transaction rollback (deadlock, serialization), insufficient
# resources, object not in prerequisite state (a lock timeout), operator intervention (shutdown, restart).
TRANSIENT_CLASSES = ("08", "40", "53", "55", "57")


@dataclass(frozen=True)
class Database:
    """Where the tables are. `connect` opens a connection, `schema` holds the tables, and messages use `name`."""

    connect: Callable[[], Connection]
    schema: str
    name: str

    @property
    def staging_schema(self) -> str:
        """The schema of tables that are not published yet; people who read have no rights on it."""
        return f"{self.schema}_staging"

    @property
    def reader(self) -> str:
        """The role that `include/sql/schema/roles.sql` makes for people who read; there may be none."""
        return f"{self.schema}_reader"

    def table(self, name: str) -> sql.Identifier:
        """Return the quoted name of a relation in the schema."""
        return sql.Identifier(self.schema, name)

    def staging_table(self, name: str) -> sql.Identifier:
        """Return the quoted name of a table in the staging schema."""
        return sql.Identifier(self.staging_schema, name)

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Open a connection in autocommit and UTC, and close it at the end.

        Raises `DatabaseUnavailable` for errors of PostgreSQL that may pass and `DatabaseDenied` for others, with the
        connection's name. A database in SQL_ASCII is denied too, because it does not check what texts hold.
        """
        with database_errors(self.name):
            connection = self.open()
            try:
                yield connection
            finally:
                connection.close()

    def open(self, settings: Mapping[str, str] = MappingProxyType({})) -> Connection:
        """Return a new connection as `session` has it, with other settings than `SETTINGS` where some are given.

        Raises psycopg's own errors, for `database_errors` to translate.
        """
        connection = self.connect()
        try:
            _keep_alive(connection)
            _require_encoding(connection, self.name)
            connection.autocommit = True
            connection.row_factory = tuple_row
            chosen = {**SETTINGS, **settings}
            connection.execute(SET, [list(chosen), list(chosen.values())])
        except BaseException:
            connection.close()
            raise
        return connection


def _keep_alive(connection: Connection) -> None:
    """Let the operating system notice a dead connection. A connection that sets shorter times keeps them.

    libpq has settings for the same, which the connection of an operator may lack. A copy of the socket's descriptor
    reaches the same socket, and closing the copy leaves libpq's own open.
    """
    with socket.socket(fileno=os.dup(connection.fileno())) as channel:
        if channel.family == socket.AF_UNIX:
            return
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, wanted in (
            ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
            ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
            ("TCP_KEEPCNT", KEEPALIVE_COUNT),
            ("TCP_USER_TIMEOUT", UNACKNOWLEDGED),
        ):
            # macOS does not have them all.
            option = getattr(socket, name, None)
            if option is not None:
                now = channel.getsockopt(socket.IPPROTO_TCP, option)
                channel.setsockopt(socket.IPPROTO_TCP, option, min(now or wanted, wanted))


def _require_encoding(connection: Connection, name: str) -> None:
    if connection.info.parameter_status("server_encoding") == NO_ENCODING:
        raise DatabaseDenied(
            f"PostgreSQL (connection {name!r}): the database {connection.info.dbname} has the encoding {NO_ENCODING}, "
            "which takes any bytes for text; make another: create database … encoding 'UTF8' template template0"
        )


@contextmanager
def database_errors(name: str) -> Iterator[None]:
    """Turn psycopg's errors into ours: `DatabaseUnavailable` for those that may pass, `DatabaseDenied` for others."""
    try:
        yield
    except CloudCostsError:
        raise
    except psycopg.Error as error:
        # Without an SQLSTATE it is libpq that speaks, which may repeat the connection string: no traceback shows it.
        raise translate(error, name) from (error if error.sqlstate else None)


@contextmanager
def database_errors_of(label: str) -> Iterator[None]:
    """Put the source and month before the message of an error of PostgreSQL, unless they are there already."""
    try:
        yield
    except (DatabaseUnavailable, DatabaseDenied) as error:
        if str(error).startswith(label):
            raise
        raise type(error)(f"{label}: {error}") from error.__cause__


def translate(error: psycopg.Error, name: str) -> CloudCostsError:
    """Return our error for psycopg's; the message is PostgreSQL's own, with the connection's name."""
    words = " ".join(str(error).split()) or type(error).__name__
    message = f"PostgreSQL (connection {name!r}): {words}"
    state = error.sqlstate
    if state is None:
        # A lost connection, or one that could not be opened: libpq's own words, unless the server refused.
        is_connection = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        if is_connection and not REFUSED.search(words):
            return DatabaseUnavailable(message)
        return DatabaseDenied(message)
    # 57014 is a statement that was cancelled, by a person or by a timeout, which would end it again.
    if state.startswith(TRANSIENT_CLASSES) and state != "57014":
        return DatabaseUnavailable(message)
    return DatabaseDenied(message)


def exists(connection: Connection, relation: sql.Identifier) -> bool:
    """Tell whether there is such a relation."""
    row = connection.execute("select to_regclass(%s) is not null", [relation.as_string(connection)]).fetchone()
    return row is not None and bool(row[0])


def columns_of(connection: Connection, relation: sql.Identifier) -> dict[str, str]:
    """Return the columns of a relation with their types, in order; empty when there is no such relation."""
    rows = connection.execute(
        """
        select attname, format_type(atttypid, atttypmod)
        from pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
        order by attnum
        """,
        [relation.as_string(connection)],
    ).fetchall()
    return dict(rows)


def comments_of(connection: Connection, relation: sql.Identifier) -> dict[str, str]:
    """Return the comments on the columns of a relation, where there are any."""
    rows = connection.execute(
        """
        select attname, description
        from pg_attribute
        inner join pg_description on objoid = attrelid and objsubid = attnum
        where attrelid = to_regclass(%s) and attnum > 0 and classoid = 'pg_class'::regclass
        """,
        [relation.as_string(connection)],
    ).fetchall()
    return dict(rows)
