"""The digest of a day: what the newest complete day cost, what moved, and what is out of line."""

from decimal import Decimal

from cloud_costs.insights.reports import charts, parts
from cloud_costs.insights.reports.facts import Facts, total
from cloud_costs.insights.reports.model import Content, Section, Table, change, money, percent
from cloud_costs.insights.reports.periods import DAY, WEEK

# Days of the chart, and those in which an event is still worth a line.
SHOWN, RECENT = 28 * DAY, 6 * DAY


def content(facts: Facts) -> Content:
    """Return the digest: the day against the same weekday of the week before."""
    day, before = facts.day, facts.day - WEEK
    spans = [(before, before), (day, day)]
    clouds, moved = facts.sums("cloud", spans), facts.sums("account", spans)
    history = facts.by_day((day - SHOWN + DAY, day))
    events = facts.rows("events", {"first": day - RECENT, "last": day}, "anomalies")
    budgets = facts.budgets()
    ends, _ = parts.month_ends(facts)
    lead, amounts, sections = [], [], []
    for currency in {**clouds, **history}:
        rows = clouds.get(currency, {})
        now, then = total(rows, 1), total(rows, 0)
        lead.append(f"{parts.day(day)}: {parts.compared(now, then, currency, f'against {parts.day(before)}')}.")
        amounts.append(f"{money(now)} {currency}" + (f" ({percent(now - then, then)})" if then else ""))
        if len(rows) > 1:
            sections.append(_clouds(rows, currency))
        alt = f"Cost of each of the last {len(history[currency])} days in {currency}"
        chart = charts.daily(history[currency], day, currency, alt) if history.get(currency) else None
        sections.append(Section(f"The last four weeks, {currency}", chart=chart))
        sections.append(_movers(facts, moved.get(currency, {}), currency, before))
    risky = parts.broken(budgets)
    told = [*(amounts or ["no costs"]), *_counted(len(events), "anomaly", "anomalies")]
    told += _counted(len(risky), "budget at risk", "budgets at risk")
    return Content(
        title=f"Cloud costs of {parts.day(day)}",
        subject=f"Cloud costs, {parts.day(day)}: {', '.join(told)}",
        lead=[*(lead or [f"There are no costs on {parts.day(day)}."]), *ends, *parts.behind(facts)],
        todo=[*parts.event_todo(facts, events), *parts.budget_todo(budgets), *parts.stopped_todo(facts.deliveries)],
        sections=[*sections, parts.events(facts, events), *filter(None, [parts.budgets(risky)])],
        as_of=facts.as_of(),
        notes=[facts.estimated((day, day)), MEANING],
    )


MEANING = "Amounts are effective costs: what was paid for commitments is spread over their use. Currencies are apart."


def _counted(count: int, one: str, many: str) -> list[str]:
    return [f"{count} {one if count == 1 else many}"] * bool(count)


def _clouds(rows: dict[tuple[str, ...], list[Decimal]], currency: str) -> Section:
    ordered = sorted(rows.items(), key=lambda one: -abs(one[1][1]))
    table = Table(
        ("Cloud", "Week before", "Day", "Change"),
        [(parts.named(key[0], "cloud"), money(then), money(now), change(now - then)) for key, (then, now) in ordered],
        ("Total", money(total(rows, 0)), money(total(rows, 1)), change(total(rows, 1) - total(rows, 0))),
    )
    return Section(f"By cloud, {currency}", (), table)


def _movers(facts: Facts, rows: dict[tuple[str, ...], list[Decimal]], currency: str, before: object) -> Section:
    found = parts.movers(rows)
    if not found:
        return Section(f"What moved, {currency}", [f"Nothing differs from {before}."])
    table = Table(
        ("Service, account", "Week before", "Day", "Change"),
        [
            (
                f"{parts.named(key[0], 'service')}, {facts.account(key[1])}",
                *(money(then), money(now), change(now - then)),
            )
            for key, then, now in found
        ],
    )
    return Section(f"What moved against the same weekday of the week before, {currency}", (), table)
