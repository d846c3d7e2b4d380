"""The server that everything is measured on: the embedded PostgreSQL, durable, with the memory of a small server."""

from pathlib import Path

import psycopg
from psycopg import sql

from cloud_costs.demo import embedded_postgres
from cloud_costs.demo.embedded_postgres import Server

# Nothing else differs from PostgreSQL's defaults: fsync, full_page_writes and synchronous_commit are on.
SETTINGS = {
    "shared_buffers": "1GB",  # a quarter of the memory of a small server, as its documentation recommends
    "max_wal_size": "4GB",  # so that a load of a gigabyte is not a row of forced checkpoints
}


def start(work: Path) -> Server:
    """Start the server on a folder of the benchmarks' own."""
    return embedded_postgres.start(work / "postgres", settings=SETTINGS)


def connect(server: Server) -> psycopg.Connection:
    """Connect in autocommit."""
    return psycopg.connect(server.uri(), autocommit=True)


def drop_schema(server: Server, schema: str) -> None:
    """Drop a schema and its staging schema."""
    with connect(server) as connection:
        for name in (schema, f"{schema}_staging"):
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(name)))


def new_schema(server: Server, schema: str) -> None:
    """Make an empty schema, with nothing of earlier work left for the server to write."""
    drop_schema(server, schema)
    with connect(server) as connection:
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
        connection.execute("checkpoint")


def settings(server: Server) -> dict[str, str]:
    """Return what matters to speed and durability, and all that is not PostgreSQL's default."""
    with connect(server) as connection:
        rows = connection.execute(
            """
            select name, current_setting(name) from pg_settings
            where
                name in (
                    'fsync', 'full_page_writes', 'synchronous_commit', 'shared_buffers', 'max_wal_size', 'wal_level',
                    'work_mem', 'maintenance_work_mem', 'max_parallel_workers_per_gather', 'jit', 'server_version'
                )
                or source = 'command line' and name not in ('unix_socket_directories', 'listen_addresses', 'port')
            order by name
            """
        ).fetchall()
    return dict(rows)
