"""A month's data quality: deliveries, restatements, checks, stale sources, estimates and the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from cloud_costs.insights.days import why_open
from cloud_costs.insights.reports import parts, paths
from cloud_costs.insights.reports.facts import Facts
from cloud_costs.insights.reports.model import Content, Section, Table, Todo, change, money, percent, share
from cloud_costs.insights.reports.periods import DAY
from cloud_costs.messages import safe
from cloud_costs.months import month_label, months_before, next_month

# Billing months whose estimates are compared, and the day of a month whose forecast is.
COMPARED, FORECAST_DAY = 4, 15
# The part of the costs without a team from which on there is something to do.
UNALLOCATED = Decimal("0.1")


@dataclass(frozen=True)
class Patience:
    """How old the newest delivery of each source may be, in hours; None or 0 means any age."""

    hours: Mapping[str, int | None]
    now: datetime


def content(facts: Facts, patience: Patience) -> Content:
    """Return what is known about the quality of a month's data."""
    first, last = facts.period.first, facts.period.last
    span = {"first": first, "last": last}
    loads = facts.rows("loads", span, "load_history")
    restated = facts.rows("restated", span, "restatements")
    stale, stale_todo = _stale(facts, patience)
    checks, checks_todo = _checks(facts, span)
    shares, shares_todo = _unallocated(facts, span)
    published = sum(row.published for row in loads)
    failed = sum(row.rejected + row.failed for row in loads)
    months = {(row.source, row.billing_period) for row in restated}
    counts = [
        f"{published} {'load' if published == 1 else 'loads'} published",
        f"{failed} failed",
        f"{len(months)} {'month' if len(months) == 1 else 'months'} restated",
    ]
    todo = [*_failed_todo(loads), *stale_todo, *checks_todo, *shares_todo]
    if not loads:
        todo.insert(0, Todo("Trigger the DAG cloud_costs_check: nothing was loaded in this month."))
    name = f"{first:%B %Y}"
    return Content(
        title=f"Cloud costs: data quality of {name}",
        subject=f"Cloud costs, data quality of {name}: {', '.join(counts)}",
        lead=[f"{name}: {', '.join(counts)}.", facts.estimated((first, last))],
        todo=todo or [Todo("Nothing: all deliveries came in, and all checks passed.")],
        sections=[
            _deliveries(loads),
            stale,
            _restated(restated),
            checks,
            shares,
            *_estimates(facts),
        ],
        as_of=facts.as_of(),
        notes=["Restated is what changed after the end of a billing month. Currencies are apart."],
    )


def _deliveries(rows: Sequence[Any]) -> Section:
    if not rows:
        return Section("Deliveries", ["Nothing was loaded in this month."])
    table = Table(
        ("Source", "Published", "Rejected", "Failed", "Last"),
        [
            (row.source, str(row.published), str(row.rejected), str(row.failed), f"{row.last_at:%Y-%m-%d %H:%M}")
            for row in rows
        ],
    )
    return Section("Deliveries", ["Loads that ended in this month, by what became of them. Times are UTC."], table)


def _failed_todo(rows: Sequence[Any]) -> list[Todo]:
    return [
        Todo(
            f"Source {row.source}: {month_label(row.open_month)} did not come in since: "
            f"{safe(row.open_error or '')[:300]}",
            paths.MONTHS,
        )
        for row in rows
        if row.open_month
    ]


def _stale(facts: Facts, patience: Patience) -> tuple[Section, list[Todo]]:
    found = []
    for one in facts.deliveries:
        hours = patience.hours.get(one.source)
        age = patience.now - one.loaded_at
        if hours and age > timedelta(hours=hours):
            found.append((one.source, f"{one.loaded_at:%Y-%m-%d %H:%M}", str(age // timedelta(hours=1)), str(hours)))
    todo = [
        Todo(f"Source {row[0]} is stale: find out why nothing came since {row[1]} UTC.", paths.MONTHS) for row in found
    ]
    gone = parts.stopped_todo([one for one in facts.deliveries if one.source not in {row[0] for row in found}])
    if not found:
        return Section("Stale sources", ["As of now, no source is older than its stale_after_hours allows."]), gone
    table = Table(("Source", "Newest delivery (UTC)", "Hours ago", "Allowed"), found)
    return Section("Stale sources, as of now", (), table), [*todo, *gone]


def _restated(rows: Sequence[Any]) -> Section:
    if not rows:
        return Section("Restatements", ["No billing month was changed after its end."])
    table = Table(
        ("Source, billing month", "Times", "Billed", "Effective"),
        [
            (
                f"{row.source}, {month_label(row.billing_period)} ({row.currency})",
                *(str(row.times), change(row.cost_change), change(row.effective_cost_change)),
            )
            for row in rows
        ],
    )
    return Section("Restatements", ["Billing months that a delivery of this month changed after their end."], table)


def _checks(facts: Facts, span: Mapping[str, date]) -> tuple[Section, list[Todo]]:
    rows = facts.rows("checks", span, "audit_results", "load_history")
    ran = sum(row.ran for row in rows)
    broken = [row for row in rows if row.broken]
    if not ran:
        return Section("Checks", ["No check ran, because nothing was loaded."]), []
    if not broken:
        return Section("Checks", [f"{ran} checks ran, and all passed."]), []
    table = Table(
        ("Check", "Severity", "Ran", "Failed"),
        [(row.check_name, row.severity, str(row.ran), str(row.broken)) for row in broken],
        texts=frozenset({0, 1}),
    )
    todo = [
        Todo(
            f"Look at the check {row.check_name} ({row.severity}), which {row.broken} of {row.ran} loads failed: "
            "docs/operations.md says what to do.",
            paths.MONTHS,
        )
        for row in broken
    ]
    return Section("Checks", [f"{ran} checks ran; {len(broken)} found something."], table), todo


def _unallocated(facts: Facts, span: Mapping[str, date]) -> tuple[Section, list[Todo]]:
    rows = facts.rows("unallocated", {**span, "team": facts.team}, "costs")
    if not rows:
        return Section("Unallocated", ["The month has no costs."]), []
    heads = ["Source", "Billed", "No account", "Share"]
    if facts.team:
        heads += [f"No {safe(facts.team)}", "Share"]
    table = Table(
        tuple(heads),
        [
            (
                f"{row.source} ({row.currency})",
                *(money(row.cost), money(row.without_account), share(row.without_account, row.cost)),
                *((money(row.without_team), share(row.without_team, row.cost)) if facts.team else ()),
            )
            for row in rows
        ],
    )
    todo = []
    for currency in dict.fromkeys(row.currency for row in rows if facts.team):
        of_currency = [row for row in rows if row.currency == currency]
        cost, missing = (
            sum((getattr(row, name) for row in of_currency), Decimal(0)) for name in ("cost", "without_team")
        )
        if facts.team and missing > cost * UNALLOCATED > 0:
            most = max(of_currency, key=lambda row: row.without_team)
            todo.append(
                Todo(
                    f"{money(missing)} {currency} of the month ({share(missing, cost)}) has no tag "
                    f"{safe(facts.team)}, most of it in {most.source}: let the owners of these resources set it.",
                    paths.explore(
                        (span["first"], span["last"]), currency, {paths.tag(facts.team): ""}, "source", "billed_cost"
                    ),
                )
            )
    return Section(
        "Unallocated", ["Billed cost of the days of this month that no owner can be found for."], table
    ), todo


def _estimates(facts: Facts) -> list[Section]:
    """Return how far estimates were from what the months cost now."""
    first = months_before(facts.period.first, COMPARED - 1)
    span = {"first": first, "last": facts.period.last}
    billed = facts.rows("first_estimates", span, "load_history", "published_months")
    forecasts = facts.rows("forecast_errors", {**span, "day": FORECAST_DAY}, "forecasts", "costs_by_day_service")
    sections = []
    if billed:
        table = Table(
            ("Source, billing month", "First", "Now", "Change", "State"),
            [
                (
                    f"{row.source}, {month_label(row.billing_period)} ({row.currency})",
                    *(money(row.first_cost), money(row.cost), percent(row.cost - row.first_cost, row.first_cost)),
                    _state(row.billing_period, facts.today()),
                )
                for row in billed
            ],
            texts=frozenset({0, 4}),
        )
        note = "Billed cost of billing months: as of the first delivery after their end, and now."
        sections.append(Section("Estimated against final", [note], table))
    if forecasts:
        table = Table(
            ("Month", "Forecast", "As of", "Now", "Off by"),
            [
                (
                    f"{month_label(row.month)} ({row.currency})",
                    money(row.expected),
                    f"{row.as_of}",
                    money(row.cost),
                    percent(row.expected - row.cost, row.cost),
                )
                for row in forecasts
            ],
            texts=frozenset({0, 2}),
        )
        note = f"Billed cost of all sources by day of use, as forecast on day {FORECAST_DAY} or before, and now."
        sections.append(Section("Forecasts against the truth", [note], table))
    return sections


def _state(month: date, today: date) -> str:
    return "estimate" if why_open(next_month(month) - DAY, today) else "final"
