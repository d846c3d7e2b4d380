"""Sessions that take turns on a few connections, for months that tests bring in before they begin.

A new process of PostgreSQL reads the catalog first, and plans again what another has planned: a third of its work for a
small load. A connection that is closed here is as new for the next session: it has no transaction, settings, locks,
temporary tables or prepared statements of the one before.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from cloud_costs.database.postgres import Database

Connect = Callable[[], psycopg.Connection[Any]]
# The connections that wait for a session, by the function that opens more. They stay open for the next test.
_waiting: dict[Connect, list[psycopg.Connection[Any]]] = {}


def keep_connections(database: Database) -> None:
    """Let connections of this database stay open after `sharing`, until `close_connections`."""
    _waiting[database.connect] = []


def close_connections(database: Database) -> None:
    """Close the connections that `keep_connections` let stay."""
    for connection in _waiting.pop(database.connect, ()):
        psycopg.Connection.close(connection)


@contextmanager
def sharing(database: Database) -> Iterator[Database]:
    """Give the same database, with sessions that take turns on its connections."""
    waiting = _waiting.get(database.connect)
    if waiting is None:
        yield database
        return

    def connect() -> psycopg.Connection[Any]:
        with suppress(IndexError):
            connection = waiting.pop()
            return connect() if connection.closed else connection
        connection = database.connect()
        connection.close = lambda: take_back(connection)  # type: ignore[method-assign]
        return connection

    def take_back(connection: psycopg.Connection[Any]) -> None:
        if connection.info.transaction_status in (TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN):
            psycopg.Connection.close(connection)
            return
        connection.rollback()
        connection.autocommit = True
        connection.execute("reset all; deallocate all; discard temp; select pg_advisory_unlock_all()")
        connection.autocommit = False
        connection.row_factory = tuple_row
        waiting.append(connection)

    yield replace(database, connect=connect)
