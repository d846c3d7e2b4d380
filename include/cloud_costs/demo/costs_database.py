"""The demo's database of costs, made as an administrator makes one, with the two roles of `roles.sql`.

Airflow's tasks connect as the loader, and queries for costs as the reader. So the demo shows what each role may do, and
nothing works only because a superuser did it. The roles have no passwords: the server listens only on a socket, in a
folder that no other user can enter.
"""

import os
import subprocess

import psycopg
from psycopg import sql

from cloud_costs.charges.views import READABLE
from cloud_costs.config.sources import DEFAULT_SCHEMA
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import HISTORY, INSIGHTS, TOTALS, let_read
from cloud_costs.demo.embedded_postgres import EmbeddedPostgresError, Server

NAME = "costs"
LOADER, READER = f"{DEFAULT_SCHEMA}_loader", f"{DEFAULT_SCHEMA}_reader"
# Partitions, and the sequence of an identity column, are relations with an owner too; the sequence follows its table.
NOT_THE_LOADERS = """
    select nspname, relname
    from pg_class
    inner join pg_namespace on pg_namespace.oid = relnamespace
    where nspname = any(%s) and relkind in ('r', 'p', 'v', 'm') and relowner <> %s::regrole
"""


def prepare(server: Server) -> None:
    """Make the database, the roles and the schemas, those that are missing.

    In a demo of an earlier version the superuser owns the tables. They become the loader's, and the reader may read.
    Raises `EmbeddedPostgresError` with psql's words when psql fails.
    """
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [NAME]).fetchone():
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(NAME)))
        # Every role has the rights of `public`, which would hide a right that the loader or the reader lacks.
        connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(NAME)))
    _make_roles(server)
    if _hand_over(server):
        database = Database(lambda: psycopg.connect(loader_uri(server)), DEFAULT_SCHEMA, NAME)
        with database.session() as connection:
            let_read(connection, database, (*HISTORY, *TOTALS, *INSIGHTS, *READABLE))


def loader_uri(server: Server) -> str:
    """Return the libpq URI of the role that loads."""
    return server.uri(NAME, LOADER)


def reader_uri(server: Server) -> str:
    """Return the libpq URI of the role that reads."""
    return server.uri(NAME, READER)


def _make_roles(server: Server) -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    file = sql_files.FOLDER / "schema" / "roles.sql"
    done = subprocess.run(
        [server.psql, "--no-psqlrc", "--quiet", f"--dbname={server.uri(NAME)}", f"--file={file}"],
        env=ours,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise EmbeddedPostgresError(f"{file.name} failed: {done.stderr.strip()}")


def _hand_over(server: Server) -> bool:
    """Give the loader every table and view in its schemas, and tell whether one was someone else's."""
    with psycopg.connect(server.uri(NAME)) as connection:
        schemas = [DEFAULT_SCHEMA, f"{DEFAULT_SCHEMA}_staging"]
        names = connection.execute(NOT_THE_LOADERS, [schemas, LOADER]).fetchall()
        for name in names:
            connection.execute(
                sql.SQL("alter table {} owner to {}").format(sql.Identifier(*name), sql.Identifier(LOADER))
            )
    return bool(names)
