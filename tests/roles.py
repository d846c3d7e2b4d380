"""The two roles of `include/sql/schema/roles.sql`, as an administrator makes them."""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.demo.embedded_postgres import Server


def make_roles(server: Server, schema: str, *options: str, uri: str = "") -> str:
    """Run the file with psql as its header says, and return what psql says."""
    path = sql_files.FOLDER / "schema" / "roles.sql"
    connect = [server.psql, "--no-psqlrc", "--quiet", f"--dbname={uri or server.uri()}"]
    done = subprocess.run(
        [*connect, f"--set=schema={schema}", *options, f"--file={path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def drop_roles(server: Server, schema: str) -> None:
    """Drop the roles of a schema and all that they own."""
    names = [sql.Identifier(f"{schema}_{role}") for role in ("loader", "reader")]
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute(sql.SQL("drop owned by {}, {} cascade").format(*names))
        connection.execute(sql.SQL("drop role {}, {}").format(*names))


@contextmanager
def own_schemas(server: Server) -> Iterator[Database]:
    """Make schemas and roles with a name of their own, with the numbered DDL; the database connects as the loader."""
    schema = f"t_{uuid.uuid4().hex[:12]}"
    make_roles(server, schema)
    try:
        database = Database(lambda: psycopg.connect(loader_uri(server, schema)), schema, "costs_db")
        apply_schema(database)
        yield database
    finally:
        drop_roles(server, schema)


def loader_uri(server: Server, schema: str) -> str:
    """Return the libpq URI of the loader of a schema."""
    return server.uri(user=f"{schema}_loader")


def reading(server: Server, database: Database) -> Database:
    """Return the same schemas, connected as their reader."""
    return Database(lambda: psycopg.connect(server.uri(user=database.reader)), database.schema, database.name)
