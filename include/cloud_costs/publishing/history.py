"""`load_history`: what each load is, what became of it, and which staging tables nobody needs any more.

A load is `loading`, `staged`, then `published`, and `superseded` by the next. It is `rejected` when a check failed, and
`failed` when anything else did. A session lock on the month tells a load that runs from one whose process was killed.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.errors import LoadBusy, LoadLost
from cloud_costs.formats.delivery import Delivery
from cloud_costs.loading.shape import Fact, StagedFile
from cloud_costs.messages import safe
from cloud_costs.months import month_label, parse_month

log = logging.getLogger(__name__)

# How long the tables of a load that is staged or rejected stay for its next step, or for people to look at.
STALE_AFTER = "1 day"


@dataclass(frozen=True)
class Run:
    """The Airflow run that a load belongs to; empty on the command line."""

    dag_run_id: str | None = None
    map_index: int | None = None


@dataclass(frozen=True)
class Load:
    """One load, as it travels from step to step. Once it is staged, `rows` and `bytes` are those of its delivery."""

    load_id: int
    source: str
    billing_month: date
    raw_only: bool = False
    rows: int | None = None
    bytes: int | None = None

    @property
    def label(self) -> str:
        """The source and the month, as messages name them: `cup 2025-01`."""
        return f"{self.source} {month_label(self.billing_month)}"

    @property
    def raw_table(self) -> str:
        """The staging table of the raw lines; it keeps this name when it becomes a partition."""
        return f"raw_{self.source}_{self.billing_month:%Y%m}_{self.load_id}"

    @property
    def normalized_table(self) -> str:
        """The staging table of the daily totals; it keeps this name when it becomes a partition."""
        return f"{self.source}_normalized_{self.billing_month:%Y%m}_{self.load_id}"

    @property
    def daily_lines_table(self) -> str:
        """The staging table of like lines summed by day: `normalize` derives the daily totals from it, `audit` sums."""
        return f"{self.source}_daily_{self.billing_month:%Y%m}_{self.load_id}"

    @property
    def by_day_table(self) -> str:
        """The staging table of the month's rows for `costs_by_day` and the coarser tables (`charges.by_day`)."""
        return f"{self.source}_by_day_{self.billing_month:%Y%m}_{self.load_id}"

    @property
    def commitments_table(self) -> str:
        """The staging table of the month's rows for `commitment_costs` (`charges.commitments`)."""
        return f"{self.source}_commitment_{self.billing_month:%Y%m}_{self.load_id}"

    @property
    def derived_tables(self) -> tuple[str, str, str, str]:
        """The staging tables that `normalize` makes."""
        return self.normalized_table, self.daily_lines_table, self.by_day_table, self.commitments_table

    def to_dict(self) -> dict[str, Any]:
        """Return the load as JSON types."""
        return {**asdict(self), "billing_month": month_label(self.billing_month)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Load":
        """Return the load that `to_dict` gave; other keys are left out.

        The values come from XCom, where a task of an earlier version of this package may have put them.
        """
        month = parse_month(values["billing_month"], "billing_month")
        rows, size = values.get("rows"), values.get("bytes")
        return cls(int(values["load_id"]), values["source"], month, bool(values["raw_only"]), rows, size)


@contextmanager
def month_lock(connection: Connection, database: Database, source: str, month: date) -> Iterator[None]:
    """Hold the session lock of one source and month; raises `LoadBusy` when another load holds it."""
    key = f"cloud_costs load {database.schema} {source} {month}"
    # A session lock belongs to the connection and survives transactions. PostgreSQL frees it however the connection
    # ends. `_end_killed_loads` of another run takes it for a moment to see whether a load is alive, hence the tries.
    for pause in (0.1, 0.4, None):
        row = connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", [key]).fetchone()
        if row and row[0]:
            break
        if pause is None:
            raise LoadBusy(
                f"{source} {month_label(month)}: another load of this month is running; it will be tried again"
            )
        time.sleep(pause)
    try:
        yield
    finally:
        # After an interrupt the connection may be unusable. Then the end of the session frees the lock.
        with suppress(psycopg.Error):
            connection.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [key])


def open_load(
    connection: Connection, database: Database, source: Source, month: date, raw_only: bool, run: Run
) -> Load:
    """Write the load's row, and mark every earlier load of the month that was not finished as failed.

    The caller holds the month's lock, so no earlier load of the month is still running.
    """
    row = connection.execute(
        sql.SQL(
            """
            insert into {} (source, format, billing_period, raw_only, dag_run_id, map_index)
            values (%s, %s, %s, %s, %s, %s) returning load_id
            """
        ).format(database.table("load_history")),
        [source.name, source.format, month, raw_only, run.dag_run_id, run.map_index],
    ).fetchone()
    load = Load(row[0] if row else 0, source.name, month, raw_only)
    # Ids come from a sequence, so a smaller id is an earlier load.
    abandoned = connection.execute(
        sql.SQL(
            """
            update {} set status = 'failed', finished = clock_timestamp(), error = %s
            where source = %s and billing_period = %s and load_id < %s and status in ('loading', 'staged')
            returning load_id
            """
        ).format(database.table("load_history")),
        [f"abandoned: load {load.load_id} of the same month began", source.name, month, load.load_id],
    ).fetchall()
    for (load_id,) in abandoned:
        log.warning("%s: load %s was never finished; its staging tables are dropped", load.label, load_id)
    drop_dead_staging(connection, database, own=load.load_id)
    return load


def mark(connection: Connection, database: Database, load: Load, **values: Any) -> None:
    """Set columns of the load's row in `load_history`, by their names."""
    assignments = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(k), sql.Placeholder(k)) for k in values)
    connection.execute(
        sql.SQL("update {} set {} where load_id = {}").format(
            database.table("load_history"), assignments, sql.Placeholder("load_id")
        ),
        {**values, "load_id": load.load_id},
    )


def mark_staged(connection: Connection, database: Database, load: Load) -> None:
    """Mark a load as staged, also one that was rejected before; raises `LoadLost` when a newer load ended it."""
    marked = connection.execute(
        sql.SQL(
            "update {} set status = 'staged', error = null, finished = null "
            "where load_id = %s and status in ('staged', 'rejected')"
        ).format(database.table("load_history")),
        [load.load_id],
    )
    if not marked.rowcount:
        raise LoadLost(
            f"{load.label}: a newer load replaced load {load.load_id}; clear load_raw of this month if that one fails"
        )


def drop_derived(connection: Connection, database: Database, load: Load) -> None:
    """Drop the staging tables of `normalize`, where there are any."""
    tables = sql.SQL(", ").join(map(database.staging_table, load.derived_tables))
    connection.execute(sql.SQL("drop table if exists {}").format(tables))


def record_delivery(connection: Connection, database: Database, load: Load, delivery: Delivery) -> None:
    """Write which delivery the load brings in, and the billed cost that its manifest promises."""
    mark(
        connection,
        database,
        load,
        version=delivery.version,
        manifest_uri=delivery.manifest.file.uri,
        manifest_etag=delivery.manifest.file.etag,
        files=len(delivery.files),
        bytes=delivery.size,
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            sql.SQL("insert into {} values (%s, %s, %s)").format(database.table("manifest_totals")),
            [(load.load_id, currency, cost) for currency, cost in delivery.billed.items()],
        )


def record_files(
    connection: Connection, database: Database, load: Load, files: Sequence[StagedFile], facts: Sequence[Fact]
) -> None:
    """Write what was stored of each file, and the facts of the second engine.

    Facts of earlier loads of the month are deleted, except those of the published load, which can be audited again.
    """
    with connection.transaction():
        connection.execute(
            sql.SQL(
                """
                delete from {} where load_id in (
                    select load_id from {} where source = %s and billing_period = %s and status <> 'published'
                )
                """
            ).format(database.table("file_facts"), database.table("load_history")),
            [load.source, load.billing_month],
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                sql.SQL("insert into {} values (%s, %s, %s, %s, %s, %s)").format(database.table("load_files")),
                [
                    (load.load_id, one.file.uri, one.file.etag, one.file.size, one.rows, list(one.transactions))
                    for one in files
                ],
            )
            # There is a fact for each value of each key of each file, which is too many for inserts.
            with cursor.copy(sql.SQL("copy {} from stdin").format(database.table("file_facts"))) as copy:
                for fact in facts:
                    copy.write_row((load.load_id, fact.uri, fact.column, fact.kind, fact.value, fact.number))


def fail_load(database: Database, load: Load, status: str, error: BaseException) -> None:
    """Record that a load failed or was rejected, unless it is over already.

    Never raises, so that the caller's own error is the one that is seen. The session is a new one, because the error
    may have broken the caller's.
    """
    try:
        with database.session() as connection:
            # A load that is published stays so, whatever fails after that.
            connection.execute(
                sql.SQL(
                    """
                    update {} set status = %s, error = %s, finished = clock_timestamp()
                    where load_id = %s and status in ('loading', 'staged', 'rejected')
                    """
                ).format(database.table("load_history")),
                [status, _words(error), load.load_id],
            )
    except Exception as second:
        log.warning("%s: load %s could not be marked %s: %s", load.label, load.load_id, status, _words(second))


@contextmanager
def recorded_errors(database: Database, load: Load) -> Iterator[None]:
    """Write the error of a step after `load_raw` to the load's row. The status stays, so the step can be repeated."""
    try:
        yield
    except BaseException as error:
        # Another load of the month began, and dropped the tables of this one while it was read.
        if isinstance(error.__cause__, psycopg.errors.UndefinedTable) and database.staging_schema in str(error):
            raise LoadLost(
                f"{load.label}: a newer load dropped the staging tables of load {load.load_id}; clear load_raw of this "
                "month if that one fails"
            ) from None
        try:
            with database.session() as connection:
                connection.execute(
                    sql.SQL("update {} set error = %s where load_id = %s and status = 'staged'").format(
                        database.table("load_history")
                    ),
                    [_words(error), load.load_id],
                )
        except Exception as second:
            log.warning("%s: load %s: the error could not be recorded: %s", load.label, load.load_id, _words(second))
        raise


def _words(error: BaseException) -> str:
    """Return the error's message as PostgreSQL can store it, or its type where it has none, as for an interrupt."""
    return safe(str(error) or type(error).__name__)[:8000]


def raw_names_of(connection: Connection, database: Database, source: str) -> dict[str, str]:
    """Return the raw name of each exported column that a published month of the source has had."""
    rows = connection.execute(
        sql.SQL("select original_name, column_name from {} where source = %s").format(database.table("raw_columns")),
        [source],
    ).fetchall()
    return dict(rows)


def drop_dead_staging(connection: Connection, database: Database, own: int = 0) -> list[str]:
    """Drop the staging tables that no running load owns, and return their names.

    A load owns its tables while it is `loading` and its process holds the lock of the month. A `staged` load owns them
    for a day, so that its next step can run. A `rejected` load owns them for a day too, so that people can look at the
    lines that broke a check. `own` is the load of the caller. It is left out, because its lock is held by this very
    session, which could take it once more.
    """
    _end_killed_loads(connection, database, own)
    # Staging tables end with their month and the id of their load. One whose load has no row here, or a row that no
    # longer owns it, goes.
    rows = connection.execute(
        sql.SQL(
            """
            select staged.relname
            from pg_class as staged
            left join {history} as load
                on load.load_id = substring(staged.relname from '_([0-9]{{1,18}})$')::bigint
                and (
                    (
                        load.status in ('staged', 'rejected')
                        and coalesce(load.finished, load.started) > now() - %s::interval
                        and load.load_id = (
                            select max(newest.load_id) from {history} as newest
                            where newest.source = load.source and newest.billing_period = load.billing_period
                        )
                    )
                    or load.status in ('loading', 'published')
                )
            where
                staged.relnamespace = to_regnamespace(%s)
                and staged.relkind = 'r'
                and staged.relname ~ '^[a-z][a-z0-9_]*_[0-9]{{6}}_[0-9]{{1,18}}$'
                and load.load_id is null
            """
        ).format(history=database.table("load_history")),
        [STALE_AFTER, sql.Identifier(database.staging_schema).as_string(connection)],
    ).fetchall()
    for (name,) in rows:
        connection.execute(sql.SQL("drop table if exists {}").format(database.staging_table(name)))
        log.info("dropped the staging table %s, which no running load owns", name)
    return [name for (name,) in rows]


def _end_killed_loads(connection: Connection, database: Database, own: int) -> None:
    """Mark each load as failed that is `loading` although nobody holds the month's lock: its process was killed.

    PostgreSQL frees a session lock when its connection ends, however it ends. So a lock that can be taken proves that
    the process is gone. The key is the one of `month_lock`, and the end of this statement frees the lock again.
    """
    connection.execute(
        sql.SQL(
            """
            update {} set
                status = 'failed',
                finished = clock_timestamp(),
                error = 'killed: the process that loaded it ended'
            where status = 'loading' and load_id in (
                select load_id from {} where status = 'loading' and load_id <> %s
                and pg_try_advisory_xact_lock(
                    hashtextextended(concat('cloud_costs load ', %s::text, ' ', source, ' ', billing_period), 0)
                )
            )
            """
        ).format(database.table("load_history"), database.table("load_history")),
        [own, database.schema],
    )


def current_status(connection: Connection, database: Database, load: Load) -> str:
    """Return the load's status; raises `LoadLost` when there is no such load."""
    row = connection.execute(
        sql.SQL("select status from {} where load_id = %s").format(database.table("load_history")),
        [load.load_id],
    ).fetchone()
    if not row:
        raise LoadLost(f"{load.label}: load {load.load_id} is not in load_history; clear load_raw of this month")
    return str(row[0])
