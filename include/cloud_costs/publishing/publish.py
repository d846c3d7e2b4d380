"""`publish`: the one transaction that makes a staged month visible and retires the one before.

Readers see the old month or the new one, because the partitions are swapped in one transaction (docs/adr/0001). The
swap needs an exclusive lock on the partitioned tables for some milliseconds. `locks` asks for it without making readers
wait. Everything slow is done before the lock. Under the lock, only PostgreSQL's catalog changes.

The number of partitions does not matter to the swap: it locks the partitioned table itself (`lock table only`), the
month's old partition, and the new one. A reader without a condition on `billing_period` locks every partition. Before
PostgreSQL 18, a session keeps its first 16 locks to itself, and puts the others into a table that all sessions share.
So a source with 20 partitions costs such readers more than one with ten, and costs the publisher the same.
"""

import logging
import random
import time

from psycopg import sql

from cloud_costs.charges import by_day, commitments, focus, views
from cloud_costs.config.sources import Source
from cloud_costs.database import locks, sql_files
from cloud_costs.database.locks import PARTITION_LOCK_TIMEOUT, PATIENCE
from cloud_costs.database.postgres import Connection, Database, columns_of, database_errors_of, exists
from cloud_costs.errors import LoadLost
from cloud_costs.loading.columns import RESERVED, wider
from cloud_costs.messages import safe
from cloud_costs.publishing.history import Load, current_status, mark, recorded_errors
from cloud_costs.publishing.relations import Relations, find_relations, lines_of
from cloud_costs.publishing.steps import log_step

log = logging.getLogger(__name__)


def publish(database: Database, source: Source, load: Load, patience: float = PATIENCE) -> None:
    """Publish a staged load; a load that is published already is left as it is.

    Raises `PublishBlocked` when readers held their locks for `patience` seconds, and `LoadLost` when the staging tables
    are gone. Whatever is raised, the transaction is rolled back, and readers see what they saw before.
    """
    began = time.monotonic()
    tables = (source.raw_table, source.normalized_table)
    with recorded_errors(database, load), database_errors_of(load.label):
        seconds = locks.patiently(
            database, lambda connection: _swap(connection, database, source, load), patience, load.label, tables
        )
    if seconds is None:
        log.info("%s: load %s is published already", load.label, load.load_id)
    locked = None if seconds is None else f"{seconds:.3f}"
    log_step(log, "publish", load, time.monotonic() - began, locked=locked)


def _swap(connection: Connection, database: Database, source: Source, load: Load) -> float | None:
    """Swap the month's partitions in the open transaction, and return for how many seconds readers had to wait.

    Returns None when there is nothing left to do.
    """
    # Order matters. All that is slow comes first: columns, totals, the drop of daily lines. Then come the locks that
    # readers notice, and after them only changes to PostgreSQL's catalog, until the commit.
    locks.lock_source(connection, database, source.name)
    found = _staged(connection, database, load)
    if found is None:
        return None
    changes = _prepare_raw(connection, database, source, load) if found.raw_is_staged else {}
    _write_basis(connection, database, source, found)
    if found.normalized_is_staged:
        _prepare_normalized(connection, database, source)
        # Rows that a failed try has written are dead rows of the tables. A reader may hold the locks for minutes of
        # tries, so no row is written before the locks were there once.
        with connection.transaction(force_rollback=True):
            _lock(connection, database, source, found)
        _write_totals(connection, database, load)
        for module, table in ((by_day, load.by_day_table), (commitments, load.commitments_table)):
            module.publish(connection, database, database.staging_table(table), load.source, load.billing_month)
        done = load.derived_tables[1:]
        connection.execute(
            sql.SQL("drop table if exists {}").format(sql.SQL(", ").join(map(database.staging_table, done)))
        )
    # A reader of a view locks the view first, and then the tables that it reads. The same order here avoids deadlocks.
    grants = views.drop_focus(connection, database, source) if changes else []
    locked = time.monotonic()
    _lock(connection, database, source, found)
    if found.raw_is_staged:
        _swap_raw(connection, database, source, load, changes)
    if found.normalized_is_staged:
        name = load.normalized_table
        parent = database.table(source.normalized_table)
        _replace_partition(connection, database, parent, database.staging_table(name), load, name)
        # A load of raw lines alone becomes a complete one when its daily totals are published.
        mark(connection, database, load, raw_only=False, mapping=focus.digest(source.form.mapping))
    if found.raw_is_staged:
        connection.execute(
            sql.SQL(
                "update {} set status = 'superseded' where source = %s and billing_period = %s and status = 'published'"
            ).format(database.table("load_history")),
            [load.source, load.billing_month],
        )
        mark(connection, database, load, status="published", error=None)
        # `now()` would be when this transaction began, before it waited for readers.
        connection.execute(
            sql.SQL("update {} set finished = clock_timestamp() where load_id = %s").format(
                database.table("load_history")
            ),
            [load.load_id],
        )
    if changes:
        views.create_focus(connection, database)
        views.grant(connection, database, grants)
    return time.monotonic() - locked


def _staged(connection: Connection, database: Database, load: Load) -> Relations | None:
    """Return the staged tables of the load; None when it is published and has none.

    A published load has a staged table where `normalize` derived its daily totals again. Raises `LoadLost`, which says
    what task to clear, for a load that cannot be published.
    """
    status = current_status(connection, database, load)
    found = find_relations(connection, database, load)
    staged = found is not None and (found.raw_is_staged or found.normalized_is_staged)
    if status == "published":
        return found if staged else None
    if status == "staged" and found and found.raw_is_staged and (found.normalized_is_staged or load.raw_only):
        return found
    task = "audit" if status == "rejected" and staged else "normalize" if staged else "load_raw"
    raise LoadLost(f"{load.label}: load {load.load_id} is {status} and cannot be published; clear {task} of this month")


def _lock(connection: Connection, database: Database, source: Source, found: Relations) -> None:
    """Lock the partitioned tables, and allow more time for their partitions.

    A reader who joins both tables locks them in the order of the query. If publishing always used the other order, it
    could meet such a reader in every try: the reader holds the second table and waits for the first. So the order is
    random, and every other try has the reader's order.
    """
    parents = [source.raw_table] if found.raw_is_staged else []
    parents += [source.normalized_table] if found.normalized_is_staged else []
    random.shuffle(parents)
    connection.execute(
        sql.SQL("lock table {} in access exclusive mode").format(
            sql.SQL(", ").join(sql.SQL("only {}").format(database.table(name)) for name in parents)
        )
    )
    # From here on, readers of the partitioned table wait. So a partition can still be locked only by autovacuum, or by
    # a reader who names the partition itself.
    locks.limit_waiting(connection, PARTITION_LOCK_TIMEOUT)


def _prepare_raw(connection: Connection, database: Database, source: Source, load: Load) -> dict[str, str]:
    """Make the partitioned table when there is none, and add its columns and types to the staged one.

    Returns the published columns that have to become wider, with their new types. Until they are widened, under the
    lock, readers can work.
    """
    parent = database.table(source.raw_table)
    staged = database.staging_table(load.raw_table)
    if not exists(connection, parent):
        # `like` copies the columns, and not the CHECK constraint, which is about one month.
        connection.execute(
            sql.SQL("create table {} (like {}) partition by list ({})").format(parent, staged, sql.Identifier(RESERVED))
        )
        _comment_raw(connection, parent, source)
    here, known = columns_of(connection, staged), columns_of(connection, parent)
    changes = {}
    for name, kind in here.items():
        published = known.get(name, kind)
        joined = wider(published, kind)
        if joined is None:
            raise LoadLost(
                f"{load.label}: column {name!r} became {published} since this month was staged as {kind}; clear "
                "load_raw of this month"
            )
        # This rewrites the staged table, which nobody reads yet.
        if joined != kind:
            _alter_type(connection, staged, name, joined)
        if joined != published:
            changes[name] = joined
    # PostgreSQL attaches a table only if it has all columns of the partitioned one.
    for name, kind in known.items():
        if name not in here:
            _add_column(connection, staged, name, kind)
    _write_raw_columns(connection, database, load, staged, list(here))
    connection.execute(
        sql.SQL(
            """
            insert into {} (source, billing_period, columns) values (%s, %s, %s)
            on conflict (source, billing_period) do update set columns = excluded.columns
            """
        ).format(database.table("raw_months")),
        [load.source, load.billing_month, [name for name in here if name != RESERVED]],
    )
    return changes


def _write_basis(connection: Connection, database: Database, source: Source, found: Relations) -> None:
    """Record which billing accounts are on the net basis in this month. The FOCUS view reads it from there."""
    daily = database.staging_table(found.load.daily_lines_table)
    lines = lines_of(connection, database, source.form, found)
    accounts = focus.net_accounts(connection, lines, daily if exists(connection, daily) else None)
    connection.execute(
        sql.SQL("update {} set net_accounts = %s where source = %s and billing_period = %s").format(
            database.table("raw_months")
        ),
        [accounts, found.load.source, found.load.billing_month],
    )


def _prepare_normalized(connection: Connection, database: Database, source: Source) -> None:
    """Make the partitioned table of the daily totals, and its index on `date`, where they are missing."""
    parent = database.table(source.normalized_table)
    if not exists(connection, parent):
        connection.execute(sql_files.compose(sql_files.read("tables/normalized.sql"), table=parent))
        views.comment_costs(connection, sql.SQL("table"), parent)
    index = f"{source.normalized_table}_date"
    row = connection.execute(
        "select to_regclass(%s) is not null", [database.table(index).as_string(connection)]
    ).fetchone()
    if not row or not row[0]:
        # This also builds the index of partitions that an earlier version published. Readers go on meanwhile: the
        # lock of CREATE INDEX keeps out writers alone.
        connection.execute(sql.SQL("create index {} on {} (date)").format(sql.Identifier(index), parent))


def _swap_raw(connection: Connection, database: Database, source: Source, load: Load, changes: dict[str, str]) -> None:
    """Widen the columns that have to be wider, add new columns, and swap the month's partition.

    Widening rewrites every raw partition of the source under the lock. It happens only when an export changes a type.
    """
    parent = database.table(source.raw_table)
    staged = database.staging_table(load.raw_table)
    known = columns_of(connection, parent)
    for name, kind in changes.items():
        log.warning("%s: raw column %s is widened from %s to %s", source.name, safe(name), known[name], kind)
        _alter_type(connection, parent, name, kind)
    for name, kind in columns_of(connection, staged).items():
        if name not in known:
            _add_column(connection, parent, name, kind)
    _replace_partition(connection, database, parent, staged, load, load.raw_table)


def _replace_partition(
    connection: Connection,
    database: Database,
    parent: sql.Identifier,
    staged: sql.Identifier,
    load: Load,
    name: str,
) -> None:
    """Detach and drop the month's old partition, move the staged table and attach it."""
    month = sql.Literal(load.billing_month)
    # A partition's name ends with the id of its load, which nobody here knows for the old one. Its bound, such as
    # `FOR VALUES IN ('2025-01-01')`, tells the month.
    old = connection.execute(
        """
        select child.relname, pg_get_expr(child.relpartbound, child.oid)
        from pg_inherits
        inner join pg_class as child on child.oid = pg_inherits.inhrelid
        where pg_inherits.inhparent = to_regclass(%s)
        """,
        [parent.as_string(connection)],
    ).fetchall()
    for child, bound in old:
        if f"'{load.billing_month}'" in bound:
            connection.execute(sql.SQL("alter table {} detach partition {}").format(parent, database.table(child)))
            connection.execute(sql.SQL("drop table {}").format(database.table(child)))
    # The staged table has a CHECK constraint on the month, so PostgreSQL attaches it without reading its rows.
    connection.execute(sql.SQL("alter table {} set schema {}").format(staged, sql.Identifier(database.schema)))
    connection.execute(
        sql.SQL("alter table {} attach partition {} for values in ({})").format(parent, database.table(name), month)
    )


def _alter_type(connection: Connection, table: sql.Identifier, name: str, kind: str) -> None:
    connection.execute(
        sql.SQL("alter table {} alter column {} type {}").format(table, sql.Identifier(name), sql.SQL(kind))
    )


def _add_column(connection: Connection, table: sql.Identifier, name: str, kind: str) -> None:
    connection.execute(sql.SQL("alter table {} add column {} {}").format(table, sql.Identifier(name), sql.SQL(kind)))


def _comment_raw(connection: Connection, parent: sql.Identifier, source: Source) -> None:
    connection.execute(
        sql.SQL("comment on table {} is {}").format(
            parent,
            sql.Literal(
                f"One row per line that the billing export {source.name} holds, its columns as exported; NULL where a "
                "month was loaded without the column."
            ),
        )
    )


def _write_raw_columns(
    connection: Connection,
    database: Database,
    load: Load,
    staged: sql.Identifier,
    names: list[str],
) -> None:
    """Record each column of the month. `load_raw` left the exporter's name of a column in its comment."""
    connection.execute(
        sql.SQL(
            """
            insert into {} (source, column_name, original_name, type, first_month, last_month)
            select
                %(source)s,
                attname,
                coalesce(col_description(attrelid, attnum), attname),
                format_type(atttypid, atttypmod),
                %(month)s,
                %(month)s
            from pg_attribute
            where attrelid = to_regclass(%(table)s) and attname = any(%(names)s) and attname <> %(reserved)s
            on conflict (source, column_name) do update set
                type = excluded.type,
                first_month = least(raw_columns.first_month, excluded.first_month),
                last_month = greatest(raw_columns.last_month, excluded.last_month)
            """
        ).format(database.table("raw_columns")),
        {
            "source": load.source,
            "month": load.billing_month,
            "table": staged.as_string(connection),
            "names": names,
            "reserved": RESERVED,
        },
    )


def _write_totals(connection: Connection, database: Database, load: Load) -> None:
    """Keep the totals of this version. The view `restatements` compares them with the next version's."""
    totals = database.table("published_totals")
    # A month that is derived again replaces the totals of its load.
    connection.execute(sql.SQL("delete from {} where load_id = %s").format(totals), [load.load_id])
    connection.execute(
        sql.SQL(
            """
            insert into {} (
                load_id, account_id, service, charge_category, currency, line_items, cost, effective_cost
            )
            select
                %s, coalesce(account_id, ''), coalesce(service, ''), charge_category, currency, sum(line_items),
                sum(cost), sum(effective_cost)
            from {}
            where relation = 'costs_by_month'
            group by coalesce(account_id, ''), coalesce(service, ''), charge_category, currency
            """
        ).format(totals, database.staging_table(load.by_day_table)),
        [load.load_id],
    )
