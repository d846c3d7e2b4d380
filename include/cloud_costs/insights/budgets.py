"""`check_budgets`: what was spent of each budget, where its period will end, and which thresholds that reaches.

A threshold is reached once in a period. What a restatement took back is taken back, with the time. Both are told by
`tell`, each once. Periods that are over are checked again as long as they are in the table, because a month that is
over can be restated.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from psycopg import sql
from psycopg.types.json import Jsonb

from cloud_costs.charges import by_day
from cloud_costs.config.budgets import Budget, Filters
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.insights import days as source_days
from cloud_costs.insights.days import SourceDays
from cloud_costs.insights.forecasting import Daily, forecast
from cloud_costs.insights.forecasts import HISTORY, KINDS, read_levels
from cloud_costs.insights.turn import writing
from cloud_costs.months import months_before, next_month

log = logging.getLogger(__name__)

MONTHS = {"month": 1, "quarter": 3, "year": 12}
# Months after its end for which a period is checked again.
CHECKED = 12
CENT, PERCENT = Decimal("0.01"), Decimal("0.1")
AMOUNT = {"billed": "cost", "effective": "effective_cost"}


@dataclass(frozen=True)
class Period:
    """The days of one period of a budget; `end` is the day after the last."""

    start: date
    end: date


def period_of(kind: str, day: date) -> Period:
    """Return the period of the calendar that a day is in.

    >>> period_of("quarter", date(2025, 5, 17))
    Period(start=datetime.date(2025, 4, 1), end=datetime.date(2025, 7, 1))
    """
    months = MONTHS[kind]
    start = date(day.year, (day.month - 1) // months * months + 1, 1)
    end = start
    for _ in range(months):
        end = next_month(end)
    return Period(start, end)


def check_budgets(database: Database, budgets: Sequence[Budget]) -> list[str]:
    """Bring `budgets` and `budget_status` up to date, and return a warning for each budget that no costs match."""
    warnings: list[str] = []
    with writing(database) as connection:
        _write_budgets(connection, database, budgets)
        known = source_days.read(connection, database) if budgets else []
        teachers: dict[str, dict[str, Daily] | None] = {}
        for budget in budgets:
            matching = [
                days
                for days in known
                if days.currency == budget.currency
                and (not budget.filters.source or days.source in budget.filters.source)
            ]
            if not matching:
                warnings.append(f"budget {budget.name!r}: there are no costs in {budget.currency} that it could match")
                continue
            if budget.currency not in teachers:
                teachers[budget.currency] = _teacher(connection, database, known, budget.currency)
            warnings += _check(connection, database, budget, matching, teachers[budget.currency])
    for warning in warnings:
        log.warning("%s", warning)
    log.info("check_budgets budgets=%s warnings=%s", len(budgets), len(warnings))
    return warnings


def _write_budgets(connection: Connection, database: Database, budgets: Sequence[Budget]) -> None:
    table = database.table("budgets")
    connection.execute(sql.SQL("delete from {}").format(table))
    with connection.cursor() as cursor:
        cursor.executemany(
            sql.SQL("insert into {} values (%s, %s, %s, %s, %s, %s, %s)").format(table),
            [
                (
                    *(one.name, one.amount, one.currency, one.period, one.cost),
                    *(Jsonb(part.model_dump(mode="json")) for part in (one.filters, one.thresholds)),
                )
                for one in budgets
            ],
        )


def _teacher(
    connection: Connection, database: Database, known: Sequence[SourceDays], currency: str
) -> dict[str, Daily] | None:
    """Return the series of all sources of a currency with the newest month, whose errors make the intervals."""
    newest = max(days.billing_period for days in known if days.currency == currency)
    levels = [
        read_levels(connection, database, days, months_before(newest, HISTORY))
        for days in known
        if days.currency == currency and days.billing_period == newest
    ]
    return {
        metric: Daily(
            levels[0].daily[metric].start,
            min(one.daily[metric].known for one in levels),
            *(np.concatenate([getattr(one.daily[metric], kind) for one in levels]) for kind in KINDS),
        )
        for metric in AMOUNT
    }


def _check(
    connection: Connection,
    database: Database,
    budget: Budget,
    matching: Sequence[SourceDays],
    teacher: dict[str, Daily] | None,
) -> list[str]:
    """Write the status of each period of a budget that may have changed, and return its warnings."""
    # As of the day that is complete in every source that is delivered: one that ended long ago says nothing of today.
    newest = max(days.billing_period for days in matching)
    complete = min(days.complete for days in matching if days.billing_period == newest)
    last = max(days.last for days in matching)
    current = period_of(budget.period, last)
    before = _periods(connection, database, budget, current)
    first = min([months_before(newest, HISTORY), *(period.start for period in before), current.start])
    amounts = _amounts(connection, database, budget, first, max(last, current.start))
    for period in [*before, current]:
        _write_status(connection, database, budget, period, amounts, complete, last, teacher)
    if any(current.start <= day < current.end for day, _ in amounts):
        return []
    return [f"budget {budget.name!r}: no costs from {current.start} on match its filters"]


def _periods(connection: Connection, database: Database, budget: Budget, current: Period) -> list[Period]:
    """Return the periods before the current one that were checked before."""
    rows = connection.execute(
        sql.SQL(
            "select period_start, period_end + 1 from {} where budget = %s and period_start < %s and period_end >= %s "
            "order by 1"
        ).format(database.table("budget_status")),
        [budget.name, current.start, months_before(current.start, CHECKED)],
    ).fetchall()
    found = [Period(start, end) for start, end in rows]
    # Those of another kind of period are from before the budget was changed.
    return [period for period in found if period == period_of(budget.period, period.start)]


def _amounts(
    connection: Connection, database: Database, budget: Budget, first: date, last: date
) -> dict[tuple[date, str], Decimal]:
    """Return the daily costs that a budget matches, by day and kind, exact. Tags are in `costs` alone."""
    filters = budget.filters
    query = sql_files.compose(
        sql_files.read("insights/budget_days.sql"),
        amount=sql.Identifier(AMOUNT[budget.cost]),
        costs=database.table(by_day.table_for(_columns(filters))),
        tags=sql.SQL("costs.tags") if filters.tag else sql.SQL("null::jsonb"),
        account_id=sql.SQL("account_id") if filters.account else sql.SQL("null"),
        service=sql.SQL("service") if filters.service else sql.SQL("null"),
    )
    rows = connection.execute(
        query,
        {
            "currency": budget.currency,
            "first": first,
            "last": last,
            "clouds": list(filters.cloud) or None,
            "sources": list(filters.source) or None,
            "accounts": list(filters.account) or None,
            "services": list(filters.service) or None,
            "wanted": Jsonb({key: list(values) for key, values in filters.tag.items()}),
        },
    )
    return {(day, kind): amount for day, kind, amount in rows}


def _columns(filters: Filters) -> list[str]:
    """Return the columns that the query of a budget needs."""
    optional = {"account_id": filters.account, "service": filters.service, "tags": filters.tag}
    return ["date", *(column for column, values in optional.items() if values)]


def _write_status(
    connection: Connection,
    database: Database,
    budget: Budget,
    period: Period,
    amounts: Mapping[tuple[date, str], Decimal],
    complete: date,
    last: date,
    teacher: dict[str, Daily] | None,
) -> None:
    actual = sum((amount for (day, _), amount in amounts.items() if period.start <= day < period.end), Decimal(0))
    matched = any(period.start <= day < period.end for day, _ in amounts)
    expected = low = high = actual
    if complete < period.end - timedelta(days=1) and period.end > last:
        expected, low, high = _forecast(budget, period, amounts, complete, teacher)
    status = "no costs" if not matched else "kept"
    if matched and max(actual, expected) > budget.amount:
        status = "exceeded" if actual > budget.amount else "at risk"
    known = connection.execute(
        sql.SQL("select thresholds from {} where budget = %s and period_start = %s").format(
            database.table("budget_status")
        ),
        [budget.name, period.start],
    ).fetchone()
    reached = _reach(budget, known[0] if known else {}, actual, expected)
    connection.execute(
        sql_files.compose(
            sql_files.read("insights/write_budget_status.sql"), budget_status=database.table("budget_status")
        ),
        {
            "budget": budget.name,
            "period_start": period.start,
            "period_end": period.end - timedelta(days=1),
            "as_of": complete,
            "amount": budget.amount,
            "currency": budget.currency,
            "actual": actual,
            "forecast": expected,
            "low": low,
            "high": high,
            "share": (100 * actual / budget.amount).quantize(PERCENT),
            "status": status,
            "thresholds": Jsonb(reached),
        },
    )


def _forecast(
    budget: Budget,
    period: Period,
    amounts: Mapping[tuple[date, str], Decimal],
    complete: date,
    teacher: dict[str, Daily] | None,
) -> tuple[Decimal, Decimal, Decimal]:
    """Return what the period of a budget is expected to cost, with the low and the high end."""
    taught = teacher[budget.cost] if teacher else None
    start = min([day for day, _ in amounts] + [complete, period.start]) if taught is None else taught.start
    start = min(start, period.start)
    length = (period.end - start).days
    arrays = {kind: np.zeros((1, length)) for kind in KINDS}
    for (day, kind), amount in amounts.items():
        if start <= day < period.end:
            arrays[kind][0, (day - start).days] = float(amount)
    daily = Daily(start, max(0, (complete - start).days + 1), *(arrays[kind] for kind in KINDS))
    made = forecast(daily, period.start, period.end, taught if taught and taught.start == start else None)
    expected, low, high = (Decimal(float(values[0])).quantize(CENT) for values in (made.expected, made.low, made.high))
    return expected, low, high


def _reach(
    budget: Budget, known: Mapping[str, Mapping[str, Any]], actual: Decimal, expected: Decimal
) -> dict[str, dict[str, Any]]:
    """Return the thresholds that are reached or were, by name, such as `actual 80`.

    Each has the time when it was `reached`, `told`, `back` and `back_told`. Only costs that were spent are taken back:
    what is expected changes every day.
    """
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    found = {name: dict(entry) for name, entry in known.items()}
    for of, percents, amount in (
        ("actual", budget.thresholds.actual, actual),
        ("forecast", budget.thresholds.forecast, expected),
    ):
        for percent in percents:
            name, reached = f"{of} {percent}", amount * 100 >= budget.amount * percent
            entry = found.get(name)
            if reached and (entry is None or entry["back"]):
                # One that was taken back and is reached again is told again.
                found[name] = {"reached": now, "told": None, "back": None, "back_told": None}
            elif not reached and entry is not None and of == "actual" and not entry["back"]:
                entry["back"] = now
    return found
