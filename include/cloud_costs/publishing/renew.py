"""`renew`: derive daily totals again that an earlier version of the package derived.

`costs` holds daily totals, which were derived when their month was published. The FOCUS views compute from raw lines
when they are queried. So a version of the package that maps lines differently changes the views at once, but not
`costs`. The raw lines are in the database: `renew` derives, audits and publishes the daily totals from them, and reads
nothing from the bucket.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from psycopg import sql

from cloud_costs.charges import focus
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.errors import CloudCostsError
from cloud_costs.months import MonthRange
from cloud_costs.publishing.audit import audit
from cloud_costs.publishing.history import Load
from cloud_costs.publishing.normalize import normalize
from cloud_costs.publishing.publish import publish

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Renewal:
    """The loads that were derived again, and the errors of those that failed, by source and month."""

    renewed: tuple[Load, ...]
    failed: Mapping[str, CloudCostsError]


def outdated(
    database: Database, sources: Mapping[str, Source], months: MonthRange, *, force: bool = False
) -> tuple[Load, ...]:
    """Return the published loads whose daily totals were derived by another mapping than today's, newest month first.

    `force` returns those of today's mapping too. A month with published raw lines alone is left out, because the next
    run loads it.
    """
    with database.session() as connection:
        rows = connection.execute(
            sql.SQL(
                """
                select load_id, source, billing_period, rows, bytes, mapping
                from {}
                where source = any(%s) and status = 'published' and not raw_only
                order by billing_period desc, source
                """
            ).format(database.table("load_history")),
            [list(sources)],
        ).fetchall()
    return tuple(
        Load(load_id, name, month, rows=count, bytes=size)
        for load_id, name, month, count, size, mapping in rows
        if month in months and (force or mapping != focus.digest(sources[name].form.mapping))
    )


def renew(
    database: Database,
    sources: Mapping[str, Source],
    loads: tuple[Load, ...],
    on_load: Callable[[Load], None] = lambda load: None,
) -> Renewal:
    """Derive, audit and publish the daily totals of loads again, from their published raw lines.

    A month that fails stays as it was published, and the others are derived all the same. `on_load` is called with each
    load before it begins.
    """
    renewed = []
    failed: dict[str, CloudCostsError] = {}
    for load in loads:
        on_load(load)
        source = sources[load.source]
        try:
            # The load is published, so all three steps work from its partitions. No bucket is read.
            again = normalize(database, source, load)
            audit(database, source, again)
            publish(database, source, again)
            renewed.append(again)
        except CloudCostsError as error:
            failed[load.label] = error
            log.error("%s", error)
    return Renewal(tuple(renewed), failed)
