"""PostgreSQL: connections whose errors say what to do, the schemas, and the numbered DDL."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from cloud_costs import sql_files
from cloud_costs.errors import CloudCostsError, DatabaseDenied, DatabaseUnavailable, SchemaTooNew

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
# Reference data of the FOCUS mappings, each a table and a file of this name in include/sql/focus.
REFERENCE_TABLES = ("aws_services", "aws_regions")
# What the reader role of include/sql/schema/roles.sql may select from, beside the views of refresh_views.
HISTORY = ("audit_results", "load_history", "published_months", "restatements")
# Whoever waits for a reader makes all readers wait that come later.
DDL_LOCK_TIMEOUT = "10s"
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


def apply_schema(database: Database) -> list[str]:
    """Create the schemas and apply the numbered DDL that this database has not seen; return what was applied.

    Runs under an advisory lock in one transaction: two processes may call it at once. Raises `SchemaTooNew` for a
    database that has seen files which this version does not have, and `DatabaseUnavailable` when a reader is in the way
    of a file for `DDL_LOCK_TIMEOUT`.
    """
    files = sorted(path.name for path in (sql_files.FOLDER / "schema").glob("[0-9]*.sql"))
    with database.session() as connection, connection.transaction():
        connection.execute(
            "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"cloud_costs schema {database.schema}"]
        )
        for schema in (database.schema, database.staging_schema):
            if not _exists(connection, schema):
                _create_schema(connection, schema)
        versions = database.table("schema_versions")
        connection.execute(
            sql.SQL(
                "create table if not exists {} (name text primary key, applied_at timestamptz not null default now())"
            ).format(versions)
        )
        seen = {row[0] for row in connection.execute(sql.SQL("select name from {}").format(versions))}
        if newer := sorted(seen - set(files)):
            raise SchemaTooNew(
                f"a newer version of this package made the tables of {database.schema} ({', '.join(newer)}): "
                "bring this one up to it; an older one would write what the newer one does not expect"
            )
        missing = [file for file in files if file not in seen]
        connection.execute(sql.SQL("set local lock_timeout to {}").format(sql.Literal(DDL_LOCK_TIMEOUT)))
        for file in missing:
            text = sql_files.read(f"schema/{file}")
            connection.execute(sql_files.compose(text, schema=sql.Identifier(database.schema)))
            connection.execute(sql.SQL("insert into {} (name) values (%s)").format(versions), [file])
        for name in REFERENCE_TABLES:
            _fill_reference(connection, database, name)
        let_read(connection, database, HISTORY)
    return missing


def let_read(connection: Connection, database: Database, names: Sequence[str]) -> None:
    """Grant the reader role, where there is one, what it may not select from yet of the relations that exist."""
    rows = connection.execute(
        """
        select relations.relname
        from pg_class as relations
        inner join pg_roles as reader on reader.rolname = %s
        where
            relations.relnamespace = to_regnamespace(quote_ident(%s))
            and relations.relname = any(%s)
            and not has_table_privilege(reader.oid, relations.oid, 'select')
        """,
        [database.reader, database.schema, list(names)],
    ).fetchall()
    for (name,) in rows:
        connection.execute(
            sql.SQL("grant select on {} to {}").format(database.table(name), sql.Identifier(database.reader))
        )


def _fill_reference(connection: Connection, database: Database, name: str) -> None:
    """Bring a reference table to what its file in `include/sql/focus` holds; rows that are the same are not touched."""
    rows = list(csv.DictReader(sql_files.read(f"focus/{name}.csv").splitlines()))
    key, *others = rows[0]
    columns = sql.SQL(", ").join(sql.Identifier(column) for column in rows[0])
    wanted = sql.SQL("select {} from jsonb_populate_recordset(null::{}, %s)").format(columns, database.table(name))
    connection.execute(
        sql.SQL("delete from {table} where {key} not in (select {key} from ({wanted}) as wanted)").format(
            table=database.table(name), key=sql.Identifier(key), wanted=wanted
        ),
        [Jsonb(rows)],
    )
    connection.execute(
        sql.SQL(
            "insert into {table} as known ({columns}) {wanted} on conflict ({key}) do update set {assignments} "
            "where (known.*) is distinct from (excluded.*)"
        ).format(
            table=database.table(name),
            columns=columns,
            wanted=wanted,
            key=sql.Identifier(key),
            assignments=sql.SQL(", ").join(
                sql.SQL("{name} = excluded.{name}").format(name=sql.Identifier(other)) for other in others
            ),
        ),
        [Jsonb(rows)],
    )


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


def _create_schema(connection: Connection, name: str) -> None:
    try:
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(name)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseDenied(
            f"the schema {name} is not there, and this role may not create it ({error.diag.message_primary}): let an "
            "administrator run include/sql/schema/roles.sql"
        ) from error


def _exists(connection: Connection, schema: str) -> bool:
    row = connection.execute("select to_regnamespace(quote_ident(%s)) is not null", [schema]).fetchone()
    return bool(row and row[0])
