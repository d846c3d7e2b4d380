"""One writer at a time, on one picture of the costs."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql

from cloud_costs.database.postgres import Connection, Database


@contextmanager
def turn(connection: Connection, database: Database, what: str) -> Iterator[None]:
    """Hold the session's advisory lock on something of the schema; wait until nobody else does."""
    key = f"cloud_costs {what} {database.schema}"
    connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [key])
    try:
        yield
    finally:
        # After an interrupt the connection may be unusable. Then the end of the session frees the lock.
        with suppress(psycopg.Error):
            connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [key])


@contextmanager
def writing(database: Database, wait: float | None = None) -> Iterator[Connection]:
    """Open a transaction that sees the costs of one moment, and that no other writer of insights runs beside.

    All that is written is there after it, or nothing: a task that is killed can be run again. `wait` has the seconds to
    wait for other writers at most.
    """
    with database.session() as connection:
        if wait is not None:
            connection.execute("select set_config('lock_timeout', %s, false)", [f"{wait:g}s"])
        # The lock comes before the transaction: its snapshot has to be newer than what another writer left.
        with turn(connection, database, "insights"), connection.transaction():
            connection.execute(sql.SQL("set transaction isolation level repeatable read"))
            yield connection
