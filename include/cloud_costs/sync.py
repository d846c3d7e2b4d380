"""The whole of it from a shell: what the DAG does, one month after the other."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from cloud_costs.audit import audit
from cloud_costs.config import Source
from cloud_costs.errors import CloudCostsError
from cloud_costs.load import load_raw
from cloud_costs.normalize import normalize
from cloud_costs.plan import Plan, PlannedMonth
from cloud_costs.postgres import Database
from cloud_costs.publish import publish
from cloud_costs.retention import drop_old_raw
from cloud_costs.shape import Progress
from cloud_costs.storage import Storage
from cloud_costs.views import refresh_views

log = logging.getLogger(__name__)

Step = Callable[[PlannedMonth, str], None]


@dataclass(frozen=True)
class Outcome:
    """What became of the months of a plan."""

    published: tuple[PlannedMonth, ...]
    failed: dict[str, CloudCostsError]


def load_months(
    database: Database,
    sources: dict[str, Source],
    storage_of: Callable[[Source], Storage],
    plan: Plan,
    *,
    raw_only: bool = False,
    on_step: Step = lambda month, step: None,
    progress: Progress | None = None,
) -> Outcome:
    """Load, normalize, audit and publish every month of the plan, then refresh the views and drop old raw lines.

    A month that fails hinders no other month.
    """
    published = []
    failed: dict[str, CloudCostsError] = {}
    for month in plan.to_load:
        source = sources[month.source]
        try:
            on_step(month, "load_raw")
            load = load_raw(
                database,
                storage_of(source),
                source,
                month.billing_month,
                raw_only=raw_only,
                progress=progress,
            )
            on_step(month, "normalize")
            load = normalize(database, source, load)
            on_step(month, "audit")
            audit(database, source, load)
            on_step(month, "publish")
            publish(database, source, load)
            published.append(month)
            on_step(month, "published")
        except CloudCostsError as error:
            on_step(month, "failed")
            failed[month.label] = error
            log.error("%s", error)
    refresh_views(database)
    drop_old_raw(database, tuple(sources.values()))
    return Outcome(tuple(published), failed)
