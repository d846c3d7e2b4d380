"""Retention: a source with `raw_months` keeps the raw lines of that many billing months. `costs` keeps all months.

Months are counted back from the newest one that the source has published, and not from today, so an export that ends
keeps its last months. Raw lines are dropped only after their daily totals are published.
"""

import logging
from collections.abc import Sequence
from functools import partial

from psycopg import sql

from cloud_costs.config.sources import Source
from cloud_costs.database import locks
from cloud_costs.database.locks import LOCK_TIMEOUT, PARTITION_LOCK_TIMEOUT
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.errors import PublishBlocked
from cloud_costs.publishing.history import Load
from cloud_costs.publishing.relations import find_relations

log = logging.getLogger(__name__)

# Seconds. A month that is not dropped costs disk until the next run, and nothing else.
PATIENCE = 60.0


def drop_old_raw(database: Database, sources: Sequence[Source], patience: float = PATIENCE) -> list[Load]:
    """Drop the raw partitions that are older than their source's `raw_months`, and return the loads of these.

    Each is dropped in a transaction of its own. A partition that a reader holds for `patience` seconds is left for the
    next run.
    """
    dropped = []
    for source in sources:
        for load in _old_loads(database, source):
            drop = partial(_drop, database=database, source=source, load=load)
            try:
                if locks.patiently(database, drop, patience, load.label, (source.raw_table,)):
                    dropped.append(load)
                    log.info("%s: raw lines are dropped: raw_months is %s", load.label, source.raw_months)
            except PublishBlocked as error:
                log.warning("%s", error)
    return dropped


def _old_loads(database: Database, source: Source) -> list[Load]:
    if source.raw_months is None:
        return []
    with database.session() as connection:
        rows = connection.execute(
            sql.SQL(
                """
                select months.load_id, months.billing_period
                from {months} as months
                inner join {kept} as kept using (source, billing_period)
                where
                    months.source = %(source)s
                    and months.normalized_load_id = months.load_id
                    and months.billing_period < (
                        select max(newest.billing_period) - make_interval(months => %(kept)s)
                        from {months} as newest
                        where newest.source = %(source)s
                    )
                order by months.billing_period
                """
            ).format(months=database.table("published_months"), kept=database.table("raw_months")),
            {"source": source.name, "kept": source.raw_months - 1},
        ).fetchall()
    return [Load(load_id, source.name, month) for load_id, month in rows]


def _drop(connection: Connection, database: Database, source: Source, load: Load) -> bool:
    """Drop the load's raw partition in the open transaction; tell whether there was one to drop."""
    locks.lock_source(connection, database, source.name)
    found = find_relations(connection, database, load)
    # The month's daily totals are being derived again. The audit needs the lines until these totals are published.
    if found is None or found.normalized_is_staged:
        return False
    # Autovacuum may hold the partition for a second. Readers of other months do not wait meanwhile, because the
    # partitioned table is not locked yet.
    locks.limit_waiting(connection, PARTITION_LOCK_TIMEOUT)
    connection.execute(sql.SQL("lock table {} in access exclusive mode").format(found.raw))
    locks.limit_waiting(connection, LOCK_TIMEOUT)
    connection.execute(sql.SQL("drop table {}").format(found.raw))
    connection.execute(
        sql.SQL("delete from {} where source = %s and billing_period = %s").format(database.table("raw_months")),
        [load.source, load.billing_month],
    )
    return True
