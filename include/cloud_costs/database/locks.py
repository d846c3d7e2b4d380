"""Exclusive locks on relations that people read.

PostgreSQL's queue for a lock is first come, first served. While a transaction waits for an exclusive lock, every reader
that comes later waits behind it. So a transaction here waits for `LOCK_TIMEOUT` at most. Then it gives up, lets the
readers pass, and tries again until its patience is over.

Advisory locks, here and elsewhere in the package, have texts as keys, such as the schema and the source.
`hashtextextended` makes of each text the number of 64 bits that PostgreSQL wants.
"""

import random
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import psycopg
from psycopg import sql

from cloud_costs.database.postgres import Connection, Database
from cloud_costs.errors import CloudCostsError, PublishBlocked

# Two such waits are well below PostgreSQL's deadlock_timeout of 1 s. A publisher and a reader may wait for each other.
# Then the publisher gives way before the server ends one of the two, which could be the reader.
LOCK_TIMEOUT = "200ms"
# Seconds. A report or a dump that runs for less delays a publication and does not fail it.
PATIENCE = 600.0
# Autovacuum lets go of a partition when somebody has waited for it for deadlock_timeout, so this has to be longer.
PARTITION_LOCK_TIMEOUT = "3s"

T = TypeVar("T")


def patiently(
    database: Database, work: Callable[[Connection], T], patience: float, label: str, relations: Sequence[str]
) -> T:
    """Run `work` in a transaction that gives up a lock which does not come soon, and return what `work` returns.

    The transaction is repeated until `patience` seconds are over, so `work` may run several times. After that, raises
    `PublishBlocked`, which names the sessions that hold locks on the `relations`.
    """
    # Each try has a session of its own: after an error the old transaction is rolled back, and all its locks are free.
    deadline = time.monotonic() + patience
    while True:
        try:
            with database.session() as connection, connection.transaction():
                limit_waiting(connection, LOCK_TIMEOUT)
                return work(connection)
        except CloudCostsError as error:
            # `session` has turned psycopg's error into ours, with the original as its cause.
            if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
                raise
            if time.monotonic() > deadline:
                names = " or ".join(f"{database.schema}.{name}" for name in relations)
                raise PublishBlocked(
                    f"{label}: a reader held a lock on {names} for {patience:g} s ({_holders(database, relations)}); "
                    "readers see the same as before, and it will be tried again"
                ) from None
        # A random pause keeps two publishers, or a publisher and a periodic reader, from meeting again each time.
        time.sleep(random.uniform(0.2, 1.0))  # noqa: S311  no secret depends on it


def limit_waiting(connection: Connection, timeout: str) -> None:
    """Give up each lock that does not come in this time, until the transaction ends."""
    connection.execute(sql.SQL("set local lock_timeout to {}").format(sql.Literal(timeout)))


def lock_source(connection: Connection, database: Database, source: str) -> None:
    """Keep others from changing the source's tables until the transaction ends.

    The lock is on the source and not on the month: the first two months of a source would both make its partitioned
    tables.
    """
    key = f"cloud_costs publish {database.schema} {source}"
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])


def _holders(database: Database, relations: Sequence[str]) -> str:
    """Return who holds locks on the relations or their partitions, as words for an operator."""
    # A second connection: the transaction that waited is over, and its locks must not be among those that are found.
    with database.session() as connection:
        rows = connection.execute(
            """
            with named as (
                select to_regclass(name) as relation from unnest(%s::text[]) as name
                union
                select inhrelid from pg_inherits
                where inhparent = any(select to_regclass(name) from unnest(%s::text[]) as name)
            )
            select distinct
                activity.pid, 'user ' || activity.usename, activity.backend_type,
                date_trunc('second', now() - activity.xact_start)
            from pg_locks as held
            inner join named on held.relation = named.relation
            inner join pg_database on held.database = pg_database.oid and datname = current_database()
            inner join pg_stat_activity as activity on activity.pid = held.pid
            where held.granted and held.pid <> pg_backend_pid()
            """,
            [[database.table(name).as_string(connection) for name in relations]] * 2,
        ).fetchall()
    # PostgreSQL shows the start of a transaction only to its own role and to members of pg_read_all_stats.
    held = (
        f"pid {pid}, {user or kind}" + ("" if age is None else f", in a transaction for {age}")
        for pid, user, kind, age in rows
    )
    return ", ".join(held) or "now gone"
