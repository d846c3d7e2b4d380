"""The parts that several reports have: movers, events, budgets, the month's end, and what to do next."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from cloud_costs.insights.reports import paths
from cloud_costs.insights.reports.facts import Delivery, Facts, Sums, month_before
from cloud_costs.insights.reports.model import Row, Section, Table, Todo, change, money, percent
from cloud_costs.insights.reports.periods import WEEK
from cloud_costs.insights.telling import days_of, largest_parts
from cloud_costs.messages import safe
from cloud_costs.months import month_label

# Rows of a table that is not a list of what to do; the rest is one row.
MOST = 8
WITHOUT = {"service": "no service", "account_id": "no account", "region": "no region", "team": "untagged"}
Moved = tuple[Row, Decimal, Decimal]


def day(of: date) -> str:
    """Return a day as people write it.

    >>> day(date(2025, 5, 19))
    'Mon 19 May 2025'
    """
    return f"{of:%a} {of.day} {of:%b %Y}"


def short_day(of: date) -> str:
    """Return a day without its year."""
    return f"{of.day} {of:%b}"


def named(value: str, column: str) -> str:
    """Return a value from a bill as text on one line, also where there is none."""
    return safe(value) or WITHOUT.get(column, "none")


def movers(rows: Mapping[tuple[str, ...], Sequence[Decimal]], most: int = MOST) -> list[Moved]:
    """Return the keys whose cost changed most between the last two spans: key, cost before, and cost now."""
    found = [(key, amounts[-2], amounts[-1]) for key, amounts in rows.items()]
    found.sort(key=lambda one: (-abs(one[2] - one[1]), one[0]))
    return [one for one in found[:most] if round(one[2] - one[1], 2)]


def biggest_part(
    sums: Sums, currency: str, service: str, moved: Decimal, *, team: bool = False
) -> tuple[str, Decimal] | None:
    """Return the part of a service that moved most in the same direction, if one explains something."""
    sign = 1 if moved > 0 else -1
    parts = [
        (sign * (amounts[-1] - amounts[-2]), key[1])
        for key, amounts in sums.get(currency, {}).items()
        if key[0] == service
    ]
    if not parts:
        return None
    most, value = max(parts)
    # Costs without a team have an owner to be found; costs without a region or an account explain nothing.
    return (value, sign * most) if most > 0 and (value or team) else None


def events(facts: Facts, rows: Sequence[Any]) -> Section:
    """Return the events that somebody has to look at."""
    if not rows:
        return Section("Anomalies", ["No anomaly is open."])
    table = Table(
        ("Anomaly", "Days", "Above expected", "Status"),
        [
            (
                f"#{row.anomaly_id} {row.severity}: {scope(facts, row)}",
                days_of(row),
                f"{change(row.impact)} {row.currency}",
                str(row.status),
            )
            for row in rows[:MOST]
        ],
        texts=frozenset({0, 1, 3}),
    )
    left = [f"And {len(rows) - MOST} more: python -m cloud_costs anomalies list"] if len(rows) > MOST else []
    return Section("Anomalies", left, table)


def budgets(rows: Sequence[Any]) -> Section | None:
    """Return how budgets stand; None where there are none."""
    if not rows:
        return None
    table = Table(
        ("Budget", "Amount", "Spent", "Expected", "Status"),
        [
            (
                f"{row.budget}, {period_of(row)} ({row.currency}, {row.cost})",
                money(row.amount),
                money(row.actual),
                money(row.forecast),
                str(row.status),
            )
            for row in rows
        ],
        texts=frozenset({0, 4}),
    )
    return Section("Budgets", (), table)


def period_of(row: Any) -> str:
    """Return the period of a budget in words."""
    start: date = row.period_start
    if (row.period_end - start).days < 31:
        return month_label(start)
    return f"{start:%Y}" if (row.period_end - start).days > 300 else f"{month_label(start)} to {row.period_end:%Y-%m}"


def broken(rows: Iterable[Any]) -> list[Any]:
    """Return the budgets that are exceeded or will be."""
    return [row for row in rows if row.status in ("exceeded", "at risk")]


def month_ends(facts: Facts) -> tuple[list[str], Section | None]:
    """Return where the month will end: a sentence for each currency, and a table."""
    found = facts.rows("month_ends", {"day": facts.day}, "forecasts")
    if not found:
        return [], None
    before = {
        currency: amount
        for currency, amounts in facts.sums("cloud", [month_before(facts.day)]).items()
        if (amount := sum((values[0] for values in amounts.values()), Decimal(0)))
    }
    month = f"{facts.day:%B}"
    sentences, rows = [], []
    for row in found:
        interval = f"{money(row.low)} to {money(row.high)}"
        rows.append(
            (f"{row.currency}, {row.metric}", money(row.to_date), money(row.expected), interval, short_day(row.as_of))
        )
        if row.metric == "effective":
            ends = f"{month} is expected to end at {money(row.expected)} {row.currency} ({interval})"
            if row.low == row.high:
                ends = f"{month} cost {money(row.expected)} {row.currency}"
            against = before.get(row.currency)
            told = f", after {money(against)} in {month_before(facts.day)[0]:%B}" if against else ""
            sentences.append(f"{ends}{told}.")
    table = Table(("Month", "Until now", "Expected", "In 4 of 5 cases", "As of"), rows, texts=frozenset({0, 4}))
    note = "Billed is what the invoice will say. Effective spreads commitments over their use."
    return sentences, Section(f"Where {month} will end", [note], table)


def event_todo(facts: Facts, rows: Sequence[Any], most: int = 3) -> list[Todo]:
    """Return what to do about the largest open events."""
    return [
        Todo(_find_out(facts, row), paths.anomaly(row.anomaly_id))
        for row in [row for row in rows if row.status == "open"][:most]
    ]


def _find_out(facts: Facts, row: Any) -> str:
    restated = " after a restatement" if row.kind == "restatement" else ""
    cost = f"{money(abs(row.impact))} {row.currency} {'more' if row.impact >= 0 else 'less'} than expected{restated}"
    found = [f"{name} {value}" for name, value, _ in largest_parts(row)]
    most_of_it = f" Most of it: {', '.join(found)}." if found else ""
    return (
        f"Find out why {scope(facts, row)} cost {cost}, {days_of(row)}.{most_of_it} "
        f"Then acknowledge anomaly #{row.anomaly_id}, or mark it as expected."
    )


def scope(facts: Facts, row: Any) -> str:
    """Return what an event is about, in words."""
    what = f"source {row.source}" if row.service is None else f"{named(row.service, 'service')} of {row.source}"
    return what if row.account_id is None else f"{what}, account {facts.account(row.account_id)}"


def budget_todo(rows: Sequence[Any]) -> list[Todo]:
    """Return what to do about budgets that are broken or will be."""
    return [
        Todo(
            f"Budget {row.budget}, {period_of(row)}, is {row.status}: "
            f"{money(row.actual)} of {money(row.amount)} {row.currency} spent, {money(row.forecast)} expected at its "
            f"end{_too_much(row)}. Decide what to cut, or raise it in budgets.yaml.",
            paths.BUDGETS,
        )
        for row in broken(rows)
    ]


def _too_much(row: Any) -> str:
    return f", {money(row.forecast - row.amount)} too much" if row.forecast > row.amount else ""


def stopped_todo(deliveries: Sequence[Delivery]) -> list[Todo]:
    """Return what to do about sources from which nothing comes any more."""
    return [
        Todo(
            f"Source {one.source} has no costs after {one.complete}. Trigger the DAG cloud_costs_check to see why, "
            "or remove it from sources.yaml.",
            paths.MONTHS,
        )
        for one in deliveries
        if one.stopped
    ]


def behind(facts: Facts) -> list[str]:
    """Return a warning where the newest complete day is before the end of the period."""
    if facts.day >= facts.period.last:
        return []
    late = (facts.period.last - facts.day).days
    reason = "Later days still grow, so they are not here yet."
    if facts.period.last - facts.day > WEEK:
        reason = f"Nothing came for the {late} days after it: trigger the DAG cloud_costs_check to see why."
    return [f"The newest day that is complete is {day(facts.day)}. {reason}"]


def compared(now: Decimal, before: Decimal, currency: str, words: str) -> str:
    """Return an amount with its change, as a part of a sentence."""
    if not before:
        return f"{money(now)} {currency}; nothing {words}"
    return f"{money(now)} {currency}, {change(now - before)} ({percent(now - before, before)}) {words}"
