"""The week, for people who decide: four weeks by cloud, service and team, where the month ends, and what to do next."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from cloud_costs.insights.reports import charts, parts, paths
from cloud_costs.insights.reports.daily import MEANING
from cloud_costs.insights.reports.facts import Facts, Key, Span, Sums, total, weeks
from cloud_costs.insights.reports.model import Content, Row, Section, Table, Todo, change, money, percent, share
from cloud_costs.insights.reports.periods import WEEK
from cloud_costs.messages import safe
from cloud_costs.months import month_label, months_before

WEEKS = 4
# Services of the chart; movers that are explained; and the part of a week's costs that a mover is at least.
DRAWN, EXPLAINED, WORTH = 5, 5, Decimal("0.005")
# Parts of all costs from which on there is something to do: without a team, paid for nothing, or moved in a week.
UNTAGGED, UNUSED, MOVED = (Decimal(number) / 100 for number in (10, 5, 5))
Rows = dict[Key, list[Decimal]]


def content(facts: Facts) -> Content:
    """Return the week that ends on the last complete day, and the three before it."""
    spans = weeks(facts.day, WEEKS)
    first, last = spans[-1]
    sums = {by: facts.sums(by, spans) for by in ("cloud", "service", *(["team"] if facts.team else []))}
    events = facts.rows("events", {"first": first, "last": last}, "anomalies")
    budgets = facts.budgets()
    ends, month_end = parts.month_ends(facts)
    lead, amounts, sections = [], [], []
    for currency, services in sums["service"].items():
        now, then = total(services, -1), total(services, -2)
        week = f"Week to {parts.day(last)}"
        lead.append(f"{week}: {parts.compared(now, then, currency, 'against the week before')}.")
        amounts.append(f"{money(now)} {currency}" + (f" ({percent(now - then, then)})" if then else ""))
        sections += _of_currency(facts, sums, currency, spans)
    commitments, unused = _commitments(facts)
    todo = [
        *parts.event_todo(facts, events),
        *parts.budget_todo(budgets),
        *_mover_todo(sums["service"], events, spans[-1]),
        *unused,
        *_untagged_todo(facts, sums.get("team", {}), spans[-1]),
        *parts.stopped_todo(facts.deliveries),
    ]
    rest = [month_end, parts.budgets(budgets), commitments]
    return Content(
        title=f"Cloud costs: the week to {parts.day(last)}",
        subject=f"Cloud costs, week to {last.day} {last:%b %Y}: {', '.join(amounts) or 'no costs'}"
        + (f", {len(todo)} to do" if todo else ""),
        lead=[
            *(lead or [f"There are no costs from {spans[0][0]} to {last}."]),
            *ends,
            *parts.behind(facts),
        ],
        todo=todo or [Todo("Nothing: no anomaly is open, and no budget is at risk.")],
        sections=[*sections, parts.events(facts, events), *filter(None, rest)],
        as_of=facts.as_of(),
        notes=[facts.estimated((spans[0][0], last)), MEANING],
    )


def _of_currency(facts: Facts, sums: dict[str, Sums], currency: str, spans: Sequence[Span]) -> list[Section]:
    services = sums["service"][currency]
    sections = [
        Section(f"Four weeks, {currency}", chart=_chart(services, currency, spans)),
        _table("By cloud", "cloud", sums["cloud"][currency], currency, spans),
        _table("By service", "service", services, currency, spans),
    ]
    if facts.team:
        title = f"By team (tag {safe(facts.team)})"
        sections.append(_table(title, "team", sums["team"][currency], currency, spans))
    return [*sections, _explained(facts, services, currency, spans)]


def _chart(services: Rows, currency: str, spans: Sequence[Span]) -> Any:
    ordered = sorted(services.items(), key=lambda one: -sum(one[1], Decimal(0)))
    drawn = {parts.named(key[0], "service"): amounts for key, amounts in ordered[:DRAWN]}
    if rest := [amounts for _, amounts in ordered[DRAWN:]]:
        drawn["All others"] = [sum(column, Decimal(0)) for column in zip(*rest, strict=True)]
    names = [f"to {parts.short_day(last)}" for _, last in spans]
    return charts.stacked(names, drawn, currency, f"Cost of four weeks by service, in {currency}")


def _table(title: str, column: str, rows: Rows, currency: str, spans: Sequence[Span]) -> Section:
    heads = ("", *(f"to {parts.short_day(last)}" for _, last in spans), "Change")
    ordered = sorted(rows.items(), key=lambda one: (-abs(one[1][-1]), -abs(sum(one[1], Decimal(0))), one[0]))
    shown = [_line(parts.named(key[0], column), amounts) for key, amounts in ordered[: parts.MOST]]
    if rest := [amounts for _, amounts in ordered[parts.MOST :]]:
        shown.append(_line(f"{len(rest)} more", [sum(values, Decimal(0)) for values in zip(*rest, strict=True)]))
    whole = _line("Total", [total(rows, nth) for nth in range(len(spans))])
    return Section(f"{title}, {currency}", (), Table(heads, shown, whole))


def _line(name: str, amounts: Sequence[Decimal]) -> Row:
    return (name, *map(money, amounts), change(amounts[-1] - amounts[-2]))


def _explained(facts: Facts, services: Rows, currency: str, spans: Sequence[Span]) -> Section:
    """Return what moved most between the last two weeks, each with the parts that moved with it."""
    whole = total(services, -2)
    found = [one for one in parts.movers(services, EXPLAINED) if abs(one[2] - one[1]) >= abs(whole) * WORTH]
    title = f"What moved against the week before, {currency}"
    if not found:
        return Section(title, ["No service differs by half a percent of the week before."])
    by = [("account", "account_id"), ("region", "region"), ("category", "category")]
    by += [("service team", "team")] if facts.team else []
    details = [(facts.sums(name, spans[-2:]), column) for name, column in by]
    lines = []
    for key, then, now in found:
        moved = now - then
        told = []
        for sums, column in details:
            part = parts.biggest_part(sums, currency, key[0], moved, team=column == "team")
            # All usage is what everyone expects.
            if part and not (column == "category" and part[0] == "Usage"):
                label = {"account_id": "account", "category": "charges of"}.get(column, column)
                name = facts.account(part[0]) if column == "account_id" else parts.named(part[0], column)
                told.append(f"{label} {name} {change(part[1])}")
        parts_of = f" Most of it: {', '.join(told)}." if told else ""
        of_all = f", {percent(moved, whole)} of all costs" if whole else ""
        name = parts.named(key[0], "service")
        lines.append(f"{name}: {change(moved)} {currency}, from {money(then)} to {money(now)}{of_all}.{parts_of}")
    return Section(title, lines)


def _mover_todo(sums: Sums, events: Sequence[Any], week: Span) -> list[Todo]:
    """Return what to do about rises that no anomaly tells."""
    known = {row.service for row in events if row.service}
    found = []
    for currency, services in sums.items():
        whole = total(services, -2)
        for (service,), then, now in parts.movers(services, 1):
            if whole > 0 and now - then > whole * MOVED and service not in known:
                found.append(
                    Todo(
                        f"Ask who uses {parts.named(service, 'service')}: it costs {money(now - then)} {currency} more "
                        "than the week before, and nothing else explains it.",
                        paths.explore(week, currency, {"service": service}, "account_id"),
                    )
                )
    return found


def _untagged_todo(facts: Facts, teams: Sums, week: Span) -> list[Todo]:
    found = []
    for currency, rows in teams.items():
        untagged, whole = rows.get(("",), [Decimal(0)])[-1], total(rows, -1)
        if facts.team and untagged > whole * UNTAGGED > 0:
            found.append(
                Todo(
                    f"{money(untagged)} {currency} of the week ({share(untagged, whole)}) has no tag "
                    f"{safe(facts.team)}: let the owners of these resources set it.",
                    paths.explore(week, currency, {paths.tag(facts.team): ""}, "account_id"),
                )
            )
    return found


def _commitments(facts: Facts) -> tuple[Section | None, list[Todo]]:
    """Return what commitments cost in three billing months, and what to do about what nobody used."""
    first = months_before(facts.day, 2)
    rows = facts.rows("commitments", {"first": first, "last": facts.day}, "commitment_costs")
    if not rows:
        return None, []
    table = Table(
        ("Billing month", "Used", "Paid for nothing", "Utilization"),
        [
            (
                f"{month_label(row.billing_period)}, {row.currency}",
                *(money(row.used), money(row.unused), share(row.used, row.used + row.unused)),
            )
            for row in rows
        ],
    )
    newest = {row.currency: row for row in rows if row.billing_period >= (facts.day - 2 * WEEK).replace(day=1)}
    todo = [
        Todo(
            f"{money(row.unused)} {row.currency} of the commitments of {month_label(row.billing_period)} was paid for "
            f"nothing ({share(row.unused, row.used + row.unused)}): see which in Commitments, and use or sell them.",
            paths.commitments(month_label(first), month_label(row.billing_period), row.currency),
        )
        for row in newest.values()
        if row.unused > (row.used + row.unused) * UNUSED > 0
    ]
    note = "Savings Plans, reservations and committed use discounts, by effective cost."
    return Section("Commitments", [note], table), todo
