"""`sync`: do in one process, one month after the other, what the DAG does in tasks."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from cloud_costs.charges.views import refresh_views
from cloud_costs.config.accounts import Account
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.errors import CloudCostsError
from cloud_costs.loading.shape import Progress
from cloud_costs.publishing.audit import audit
from cloud_costs.publishing.history import Load
from cloud_costs.publishing.load import load_raw
from cloud_costs.publishing.normalize import normalize
from cloud_costs.publishing.plan import Plan, PlannedMonth
from cloud_costs.publishing.publish import publish
from cloud_costs.publishing.retention import drop_old_raw
from cloud_costs.storage.files import Storage

log = logging.getLogger(__name__)

Step = Callable[[PlannedMonth, str], None]


@dataclass(frozen=True)
class Outcome:
    """The months that were published, and the errors of those that failed, by source and month."""

    published: tuple[PlannedMonth, ...]
    failed: dict[str, CloudCostsError]


def load_month(
    database: Database,
    storage: Storage,
    source: Source,
    month: date,
    *,
    raw_only: bool = False,
    on_step: Callable[[str], None] = lambda step: None,
    progress: Progress | None = None,
) -> Load:
    """Take one month through all steps and return its load. `on_step` is called with each step before it begins.

    Raises the error of the step that fails; the steps after it do not run.
    """
    on_step("load_raw")
    load = load_raw(database, storage, source, month, raw_only=raw_only, progress=progress)
    on_step("normalize")
    load = normalize(database, source, load)
    on_step("audit")
    audit(database, source, load)
    on_step("publish")
    publish(database, source, load)
    return load


def load_months(
    database: Database,
    sources: dict[str, Source],
    storage_of: Callable[[Source], Storage],
    plan: Plan,
    *,
    raw_only: bool = False,
    on_step: Step = lambda month, step: None,
    progress: Progress | None = None,
    listed: Sequence[Account] | None = None,
) -> Outcome:
    """Load, normalize, audit and publish every month of the plan, then refresh the views and drop old raw lines.

    `listed` are the accounts that the configuration lists. When a month fails, the others are loaded all the same. The
    raw lines of sources that are exported wait for their export.
    """
    published = []
    failed: dict[str, CloudCostsError] = {}
    for month in plan.to_load:
        source = sources[month.source]
        try:
            load_month(
                database,
                storage_of(source),
                source,
                month.billing_month,
                raw_only=raw_only,
                on_step=partial(on_step, month),
                progress=progress,
            )
            published.append(month)
            on_step(month, "published")
        except CloudCostsError as error:
            on_step(month, "failed")
            failed[month.label] = error
            log.error("%s", error)
    # Also after failures: readers are to see the months that were published.
    refresh_views(database, listed=listed)
    drop_old_raw(database, [source for source in sources.values() if not source.export])
    return Outcome(tuple(published), failed)
