"""`publish`: the one transaction that makes a staged month visible and retires the one before.

Readers see the old month or the new one: the partitions are swapped in one transaction (docs/adr/0001). The swap
needs a short exclusive lock on the partitioned tables. It waits for it no longer than `LOCK_TIMEOUT`, so that
readers who come meanwhile wait no longer either, and tries again until `PATIENCE` has passed.
"""

import logging
import random
import time

import psycopg
from psycopg import sql

from cloud_costs import sql_files, views
from cloud_costs.columns import RESERVED, wider
from cloud_costs.config import Source
from cloud_costs.errors import LoadLost, PublishBlocked
from cloud_costs.history import Load, current_status, mark
from cloud_costs.months import month_label
from cloud_costs.postgres import Connection, Database, columns_of
from cloud_costs.relations import Relations, find_relations

log = logging.getLogger(__name__)

# Below PostgreSQL's deadlock_timeout of 1 s: of a publisher and a reader that wait for each other, the publisher
# gives way before the server picks a victim.
LOCK_TIMEOUT = "200ms"
PATIENCE = 600.0


def publish(database: Database, source: Source, load: Load, patience: float = PATIENCE) -> None:
    """Make a staged load what readers see; one that is published already stays so.

    Raises `PublishBlocked` when readers held their locks for `patience` seconds, and `LoadLost` when what was
    staged is gone.
    """
    began = time.monotonic()
    deadline = began + patience
    while True:
        try:
            with database.session() as connection, connection.transaction():
                connection.execute(sql.SQL("set local lock_timeout to {}").format(sql.Literal(LOCK_TIMEOUT)))
                swapping = time.monotonic()
                done = _swap(connection, database, source, load)
            break
        except Exception as error:
            if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
                raise
            if time.monotonic() > deadline:
                raise PublishBlocked(
                    f"{load.label}: a reader held a lock on {database.schema}.{source.raw_table} or "
                    f"{source.normalized_table} for {patience:.0f} s ({_blockers(database, source)}); the month is "
                    "staged and will be tried again"
                ) from None
            time.sleep(random.uniform(0.2, 1.0))  # noqa: S311
    now = time.monotonic()
    if not done:
        log.info("%s: load %s is published already", load.label, load.load_id)
        return
    log.info(
        "publish source=%s month=%s load=%s waited=%.1f seconds=%.3f",
        *(load.source, month_label(load.billing_month), load.load_id, swapping - began, now - swapping),
    )


def _swap(connection: Connection, database: Database, source: Source, load: Load) -> bool:
    """Swap the month's partitions in the open transaction; return False when there is nothing left to do."""
    key = f"cloud_costs publish {database.schema} {source.name} {load.billing_month}"
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
    found = _staged(connection, database, load)
    if found is None:
        return False
    if found.raw_is_staged:
        _swap_raw(connection, database, source, load)
    if found.normalized_is_staged:
        _swap_normalized(connection, database, source, load)
        _write_totals(connection, database, load)
    if found.raw_is_staged:
        connection.execute(
            sql.SQL(
                "update {} set status = 'superseded' where source = %s and billing_period = %s and status = 'published'"
            ).format(database.table("load_history")),
            [load.source, load.billing_month],
        )
        mark(connection, database, load, status="published", error=None)
        connection.execute(
            sql.SQL("update {} set finished = clock_timestamp() where load_id = %s").format(
                database.table("load_history")
            ),
            [load.load_id],
        )
    return True


def _staged(connection: Connection, database: Database, load: Load) -> Relations | None:
    """Return what is staged; None when the load is published and nothing of it is staged."""
    status = current_status(connection, database, load)
    found = find_relations(connection, database, load)
    staged = found is not None and (found.raw_is_staged or found.normalized_is_staged)
    if status == "published":
        return found if staged else None
    if status == "staged" and found and found.raw_is_staged and (found.normalized_is_staged or load.raw_only):
        return found
    task = "audit" if status == "rejected" and staged else "normalize" if staged else "load_raw"
    raise LoadLost(f"{load.label}: load {load.load_id} is {status} and cannot be published; clear {task} of this month")


def _swap_raw(connection: Connection, database: Database, source: Source, load: Load) -> None:
    parent = database.table(source.raw_table)
    staged = database.staging_table(load.raw_table)
    here = columns_of(connection, staged)
    known = columns_of(connection, parent)
    if not known:
        connection.execute(
            sql.SQL("create table {} (like {}) partition by list ({})").format(parent, staged, sql.Identifier(RESERVED))
        )
        _comment_raw(connection, parent, source)
        known = here
    _widen(connection, database, source, parent, here, known)
    for name, kind in here.items():
        if name not in known:
            _add_column(connection, parent, name, kind)
    for name, kind in columns_of(connection, parent).items():
        if name not in here:
            _add_column(connection, staged, name, kind)
    _replace_partition(connection, database, parent, staged, load, load.raw_table)
    _write_raw_columns(connection, database, load, list(here))


def _swap_normalized(connection: Connection, database: Database, source: Source, load: Load) -> None:
    parent = database.table(source.normalized_table)
    if not columns_of(connection, parent):
        connection.execute(sql_files.compose(sql_files.read("tables/normalized.sql"), table=parent))
        views.comment_costs(connection, sql.SQL("table"), parent)
    _replace_partition(
        connection,
        database,
        parent,
        database.staging_table(load.normalized_table),
        load,
        load.normalized_table,
    )


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
    connection.execute(sql.SQL("alter table {} set schema {}").format(staged, sql.Identifier(database.schema)))
    connection.execute(
        sql.SQL("alter table {} attach partition {} for values in ({})").format(parent, database.table(name), month)
    )


def _widen(
    connection: Connection,
    database: Database,
    source: Source,
    parent: sql.Identifier,
    here: dict[str, str],
    known: dict[str, str],
) -> None:
    """Widen published columns that the new month needs wider; this rewrites the source's raw partitions."""
    changes = {name: kind for name, kind in here.items() if name in known and known[name] != kind}
    if not changes:
        return
    views.drop_focus(connection, database, source)
    for name, kind in changes.items():
        if wider(known[name], kind) != kind:
            raise LoadLost(
                f"{source.name}: column {name!r} became {known[name]} since this month was staged as {kind}; clear "
                "load_raw of this month"
            )
        log.warning("%s: raw column %s is widened from %s to %s", source.name, name, known[name], kind)
        connection.execute(
            sql.SQL("alter table {} alter column {} type {}").format(
                parent,
                sql.Identifier(name),
                sql.SQL(kind),
            )
        )
    views.create_focus(connection, database)


def _add_column(connection: Connection, table: sql.Identifier, name: str, kind: str) -> None:
    connection.execute(sql.SQL("alter table {} add column {} {}").format(table, sql.Identifier(name), sql.SQL(kind)))


def _comment_raw(connection: Connection, parent: sql.Identifier, source: Source) -> None:
    connection.execute(
        sql.SQL("comment on table {} is {}").format(
            parent,
            sql.Literal(
                f"One row per line that the billing export {source.name} holds, every exported column; NULL where a "
                "month's export did not have the column."
            ),
        )
    )


def _write_raw_columns(connection: Connection, database: Database, load: Load, names: list[str]) -> None:
    """Record each column of the month: the exporter's name stands in the comment that `load_raw` left."""
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
            "table": database.table(load.raw_table).as_string(connection),
            "names": names,
            "reserved": RESERVED,
        },
    )


def _write_totals(connection: Connection, database: Database, load: Load) -> None:
    """Keep the totals of this version, which `restatements` compares with the next one's."""
    totals = database.table("published_totals")
    connection.execute(sql.SQL("delete from {} where load_id = %s").format(totals), [load.load_id])
    connection.execute(
        sql.SQL(
            """
            insert into {} (
                load_id, account_id, service, charge_category, currency, line_items, cost, effective_cost
            )
            select
                %s, account_id, coalesce(service, ''), charge_category, currency, sum(line_items), sum(cost),
                sum(effective_cost)
            from {}
            group by account_id, coalesce(service, ''), charge_category, currency
            """
        ).format(totals, database.table(load.normalized_table)),
        [load.load_id],
    )


def _blockers(database: Database, source: Source) -> str:
    """Return who holds locks on the source's tables, for the operator's eyes."""
    with database.session() as connection:
        rows = connection.execute(
            """
            select distinct activity.pid, activity.usename, date_trunc('second', now() - activity.xact_start)
            from pg_locks as held
            inner join pg_stat_activity as activity on activity.pid = held.pid
            where
                held.granted
                and held.pid <> pg_backend_pid()
                and held.relation = any(array[to_regclass(%s), to_regclass(%s)]::oid[])
            """,
            [
                database.table(source.raw_table).as_string(connection),
                database.table(source.normalized_table).as_string(connection),
            ],
        ).fetchall()
    return ", ".join(f"pid {pid}, user {user}, in a transaction for {age}" for pid, user, age in rows) or "now gone"
