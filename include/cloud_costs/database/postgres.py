"""PostgreSQL: connections whose errors say what to do."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
# Whatever the role, the database or the environment sets: partition bounds are read as text, and COPY sends UTF-8.
SESSION = """
    set timezone to 'UTC';
    set datestyle to 'ISO, YMD';
    set client_encoding to 'UTF8';
    set application_name to 'cloud_costs'
"""
# Of a partition: it is written once, analyzed, and never changed. Autovacuum at work on it would keep `publish` waiting
# for deadlock_timeout, with the parent locked.
NO_AUTOVACUUM = sql.SQL("autovacuum_enabled = false")
# The default sample of 30,000 rows takes seconds on 155 columns, and plans the mapping no better.
STAGING_STATISTICS = sql.Literal(10)
TRANSIENT_CLASSES = ("08", "40", "53", "55", "57")


@dataclass(frozen=True)
class Database:
    """Where the tables are. `connect` opens a connection; `name` is what messages call it."""

    connect: Callable[[], Connection]
    schema: str
    name: str

    @property
    def staging_schema(self) -> str:
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
        """Open a connection in autocommit and UTC, and close it.

        Raises `DatabaseUnavailable` or `DatabaseDenied` for what PostgreSQL says, with the connection's name.
        """
        with database_errors(self.name):
            connection = self.connect()
            try:
                connection.autocommit = True
                connection.row_factory = tuple_row
                connection.execute(SESSION)
                yield connection
            finally:
                connection.close()


@contextmanager
def database_errors(name: str) -> Iterator[None]:
    """Turn psycopg's errors into ours: what may pass when tried again, and what cannot."""
    try:
        yield
    except CloudCostsError:
        raise
    except psycopg.Error as error:
        # Without an SQLSTATE it is libpq that speaks, which may repeat the connection string: no traceback shows it.
        raise translate(error, name) from (error if error.sqlstate else None)


@contextmanager
def database_errors_of(label: str) -> Iterator[None]:
    """Name the source and month in what PostgreSQL says of them."""
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
        is_connection = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        if is_connection and not REFUSED.search(words):
            return DatabaseUnavailable(message)
        return DatabaseDenied(message)
    if state.startswith(TRANSIENT_CLASSES) and state != "57014":
        return DatabaseUnavailable(message)
    return DatabaseDenied(message)


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
        select attname, col_description(attrelid, attnum)
        from pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and col_description(attrelid, attnum) is not null
        """,
        [relation.as_string(connection)],
    ).fetchall()
    return dict(rows)
