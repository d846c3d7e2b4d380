"""Months: every source's billing months, which version readers see, and whether anything is wrong with it."""

from datetime import date, datetime, timedelta
from typing import Any

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection
from cloud_costs.insights.days import OPEN_DAYS, why_open
from cloud_costs.months import month_label, next_month
from cloud_costs.page import amounts, links
from cloud_costs.page.costs import Costs
from cloud_costs.page.load_models import Month, MonthCost, Months
from cloud_costs.page.published import Published, now


def months(costs: Costs, connection: Connection, published: Published) -> Months:
    """Return every source and billing month, newest month first."""
    statement = sql_files.compose(
        sql_files.read("page/months.sql"),
        load_history=costs.database.table("load_history"),
        audit_results=costs.database.table("audit_results"),
    )
    rows = connection.execute(statement).fetchall()
    billed = costs_by_month(published)
    patience = {one.name: one.stale_after_hours for one in costs.sources()}
    newest: dict[str, date] = {}
    for source, billing_period, load_id, *_ in rows:
        if load_id is not None:
            newest.setdefault(source, billing_period)
    return Months(months=[_month(row, billed, patience, newest) for row in rows])


def costs_by_month(published: Published) -> dict[tuple[str, date], list[MonthCost]]:
    """Return the costs of each source and billing month, one for each currency."""
    found: dict[tuple[str, date], dict[str, MonthCost]] = {}
    for one in published.months:
        of_month = found.setdefault((one.source, one.billing_period), {})
        # A month of a FOCUS file may hold charges of several clouds.
        known = of_month.get(one.currency)
        of_month[one.currency] = MonthCost(
            currency=one.currency,
            billed_cost=amounts.total([one.billed_cost, *([known.billed_cost] if known else [])]),
            effective_cost=amounts.total([one.effective_cost, *([known.effective_cost] if known else [])]),
        )
    return {key: list(of_month.values()) for key, of_month in found.items()}


def is_stale(published_at: datetime | None, hours: int | None, present: datetime) -> bool:
    """Tell whether the newest month of a source is older than its configuration allows; 0 hours allow anything."""
    return bool(published_at and hours and present - published_at > timedelta(hours=hours))


def _month(
    row: tuple[Any, ...],
    billed: dict[tuple[str, date], list[MonthCost]],
    patience: dict[str, int],
    newest: dict[str, date],
) -> Month:
    source, month, load_id, version, published_at, lines, note, passed, warned, failed, error, run, index = row
    present = now()
    reason = why_open(next_month(month) - timedelta(days=1), present.date())
    is_newest = newest.get(source) == month
    return Month(
        source=source,
        billing_period=month_label(month),
        load_id=load_id,
        version=version,
        published_at=published_at,
        rows=lines,
        costs=billed.get((source, month), []) if load_id is not None else [],
        checks_passed=passed,
        checks_warned=warned,
        estimated=reason is not None,
        estimated_because=f"The month {reason}." if reason else f"The month ended more than {OPEN_DAYS} days ago.",
        stale=is_newest and is_stale(published_at, patience.get(source), present),
        failed_last=failed is not None,
        failed_load_id=failed,
        error=error,
        note=note,
        run_url=links.run(run),
        task_url=links.tasks(run, index),
    )
