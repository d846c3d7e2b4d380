"""A few read-only sessions, which requests borrow one after the other.

A dashboard that everybody opens must not take the connections that loads need, so their number is bounded. When all are
in use, a request waits for some seconds, and then says that the database is busy. A session that the server has ended
is noticed before it is handed out, so that a restarted database costs nobody an error.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from cloud_costs.database.postgres import Connection, Database
from cloud_costs.errors import CloudCostsError
from cloud_costs.messages import safe
from cloud_costs.page.problems import AWAY, Refusal, refusal_of

log = logging.getLogger(__name__)

# Of all API server processes together (`airflow.costs_page` divides them).
MAX_CONNECTIONS = 8
# Seconds. A view answers in a tenth of one; what takes longer is a question that the roll-ups cannot answer.
STATEMENT_SECONDS = 10.0
WAIT_SECONDS = 5.0
# A session that was idle for longer is asked whether it is still there, and one for much longer is closed.
UNSURE_SECONDS, IDLE_SECONDS = 1.0, 300.0
SETTINGS = {
    "application_name": "cloud_costs_page",
    "default_transaction_read_only": "on",
    "idle_in_transaction_session_timeout": "60s",
    # A lock that a publication holds is gone after some milliseconds.
    "lock_timeout": "5s",
    # Compiling the expressions of a short query takes longer than running it.
    "jit": "off",
    # Sums by account and service of a year do not fit in PostgreSQL's default of 4 MB.
    "work_mem": "32MB",
    # Many short questions at once use all cores. One long question must not.
    "max_parallel_workers_per_gather": "0",
    # A page of charges is a part of what a scan finds, so each scan has to begin at the same place.
    "synchronize_seqscans": "off",
}


@dataclass
class _Idle:
    connection: Connection
    since: float


class Pool:
    """At most `size` sessions of a database, opened when they are first needed."""

    def __init__(self, database: Database, size: int = MAX_CONNECTIONS, seconds: float = STATEMENT_SECONDS) -> None:
        self.database, self.size, self.seconds = database, size, seconds
        self._free = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[_Idle] = []

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[Connection]:
        """Borrow a session for one transaction, which can change nothing.

        A statement that takes longer than `seconds`, or the pool's, is ended. Raises `Refusal` for every error of the
        database.
        """
        seconds = self.seconds if seconds is None else seconds
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise Refusal(AWAY, "The database of the costs is busy.", "Try again in a few seconds.")
        try:
            with self._errors(seconds):
                connection = self._borrow()
                try:
                    with connection.transaction():
                        connection.execute(
                            sql.SQL("set local statement_timeout to {}").format(sql.Literal(int(seconds * 1000)))
                        )
                        yield connection
                except BaseException:
                    self._give_back(connection)
                    raise
                self._give_back(connection)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close the idle sessions."""
        with self._lock:
            idle, self._idle = self._idle, []
        for one in idle:
            one.connection.close()

    @contextmanager
    def _errors(self, seconds: float) -> Iterator[None]:
        try:
            yield
        except (psycopg.Error, CloudCostsError) as error:
            log.warning("the Costs page: %s", safe(str(error)))
            raise refusal_of(error, seconds) from error

    def _borrow(self) -> Connection:
        while True:
            with self._lock:
                # The last one that came back: the others grow old, and are closed.
                one = self._idle.pop() if self._idle else None
                now = time.monotonic()
                old = [idle for idle in self._idle if now - idle.since > IDLE_SECONDS]
                self._idle = [idle for idle in self._idle if now - idle.since <= IDLE_SECONDS]
            for idle in old:
                idle.connection.close()
            if one is None:
                return self._open()
            if now - one.since < UNSURE_SECONDS or _answers(one.connection):
                return one.connection
            one.connection.close()

    def _open(self) -> Connection:
        connection = self.database.open(SETTINGS)
        # In a REPEATABLE READ transaction, a month whose partition is swapped meanwhile would be empty.
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        connection.read_only = True
        # After five times, psycopg would prepare a statement, and PostgreSQL plan it without its values.
        connection.prepare_threshold = None
        return connection

    def _give_back(self, connection: Connection) -> None:
        if connection.closed or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            connection.close()
            return
        with self._lock:
            self._idle.append(_Idle(connection, time.monotonic()))


def _answers(connection: Connection) -> bool:
    with suppress(psycopg.Error):
        connection.execute("select 1")
        return True
    return False
