"""The overview: the newest billing month so far, against the same days of the month before.

Sources are delivered at different times. Each is compared with itself, up to its own last complete day, so that a
source that is late does not look like a saving.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection
from cloud_costs.months import month_label
from cloud_costs.page import amounts
from cloud_costs.page.costs import Costs
from cloud_costs.page.dimensions import BY_NAME, Bound, written
from cloud_costs.page.explore import label_of
from cloud_costs.page.models import (
    Comparison,
    CostsOfDay,
    CostsOfOne,
    Expected,
    Forecast,
    Mover,
    Overview,
    OverviewTotals,
    SinceLoad,
    SourceThrough,
)
from cloud_costs.page.periods import month_before, month_end, same_day
from cloud_costs.page.published import Published, now

SERVICES, MOVERS = 10, 10


@dataclass(frozen=True)
class Cut:
    """The last day that counts of a source's billing month."""

    source: str
    billing_period: date
    through: date
    is_current: bool

    @property
    def is_whole(self) -> bool:
        """Whether the whole month counts."""
        return self.through == month_end(self.billing_period)


def overview(costs: Costs, wanted: str | None, connection: Connection, published: Published) -> Overview:
    """Return the overview in a currency."""
    currency = published.currency(wanted)
    months = published.in_currency(currency)
    month = max(one.billing_period for one in months)
    before = month_before(month)
    cuts = cuts_of(published, currency, month)
    has_before = any(one.billing_period == before for one in months)
    clouds, services, everything = _sums(costs, currency, connection, cuts, has_before)
    estimated, because = published.estimated([month], now())
    through = max(one.through for one in cuts if one.is_current)
    return Overview(
        currency=currency,
        month=month_label(month),
        through=through,
        through_by_source=[SourceThrough(source=one.source, through=one.through) for one in cuts if one.is_current],
        previous_month=month_label(before),
        previous_through=max(one.through for one in cuts if not one.is_current),
        totals=everything,
        estimated=estimated,
        estimated_because=because,
        by_cloud=[_of_one("cloud_provider", *one) for one in clouds],
        by_service=[_of_one("service", *one) for one in services[:SERVICES]],
        other_services=_others(services[SERVICES:]),
        days=_days(costs, currency, connection, [month, before]),
        movers=_movers(costs, currency, connection, published, cuts, month) if has_before else [],
        forecast=_forecast(costs, currency, connection, month),
    )


def cuts_of(published: Published, currency: str, month: date) -> list[Cut]:
    """Return how far each source of a month is complete, and the same day of the month before."""
    before = month_before(month)
    through: dict[str, date] = {}
    for one in published.in_currency(currency):
        if one.billing_period == month:
            through[one.source] = max(one.through, through.get(one.source, one.through))
    # A source without this month is not compared: its delivery has not come yet.
    return [
        cut
        for source, day in through.items()
        for cut in (Cut(source, month, day, True), Cut(source, before, same_day(day, before), False))
    ]


def _bound(cuts: Sequence[Cut], bound: Bound) -> dict[str, Any]:
    return {
        "sources": bound([one.source for one in cuts]),
        "months": bound([one.billing_period for one in cuts]),
        "days": bound([one.through for one in cuts]),
        "current": bound([one.is_current for one in cuts]),
    }


Sums = tuple[str, Comparison, Comparison]


def _sums(
    costs: Costs, currency: str, connection: Connection, cuts: Sequence[Cut], has_before: bool
) -> tuple[list[Sums], list[Sums], OverviewTotals]:
    bound = Bound()
    statement = sql_files.compose(
        sql_files.read("page/overview.sql"),
        costs_by_day_service=costs.database.table("costs_by_day_service"),
        currency=bound(currency),
        **_bound(cuts, bound),
    )
    clouds: list[Sums] = []
    services: list[Sums] = []
    totals = OverviewTotals(billed_cost=_compared(amounts.ZERO, None), effective_cost=_compared(amounts.ZERO, None))
    for is_cloud, is_service, value, cost, cost_before, effective, effective_before in connection.execute(
        statement, bound
    ):
        billed = _compared(cost, cost_before if has_before else None)
        spread = _compared(effective, effective_before if has_before else None)
        if is_cloud:
            clouds.append((value, billed, spread))
        elif is_service:
            services.append((value, billed, spread))
        else:
            totals = OverviewTotals(billed_cost=billed, effective_cost=spread)
    return clouds, services, totals


def _compared(amount: Decimal, previous: Decimal | None) -> Comparison:
    change = amounts.change(amount, previous)
    return Comparison(amount=amount, previous=previous, change=change, share=amounts.share(change, previous))


def _of_one(name: str, value: str, billed: Comparison, effective: Comparison) -> CostsOfOne:
    dimension = BY_NAME[name]
    return CostsOfOne(
        value=value,
        label=label_of(dimension, value, {}),
        filters=written({dimension: (value,)}),
        billed_cost=billed,
        effective_cost=effective,
    )


def _others(services: Sequence[Sums]) -> CostsOfOne | None:
    if not services:
        return None

    def together(all_of_them: Sequence[Comparison]) -> Comparison:
        before = [one.previous for one in all_of_them if one.previous is not None]
        return _compared(amounts.total(one.amount for one in all_of_them), amounts.total(before) if before else None)

    return CostsOfOne(
        value="",
        label=f"{len(services)} others",
        filters=[],
        billed_cost=together([billed for _, billed, _ in services]),
        effective_cost=together([effective for _, _, effective in services]),
    )


def _days(costs: Costs, currency: str, connection: Connection, months: list[date]) -> list[CostsOfDay]:
    bound = Bound()
    statement = sql_files.compose(
        sql_files.read("page/overview_days.sql"),
        costs_by_day_service=costs.database.table("costs_by_day_service"),
        currency=bound(currency),
        months=bound(months),
    )
    return [
        CostsOfDay(date=day, billed_cost=cost, effective_cost=effective)
        for day, cost, effective in connection.execute(statement, bound)
    ]


def _forecast(costs: Costs, currency: str, connection: Connection, month: date) -> Forecast | None:
    bound = Bound()
    statement = sql_files.compose(
        sql_files.read("page/month_end.sql"),
        forecasts=costs.database.table("forecasts"),
        month=bound(month),
        currency=bound(currency),
    )
    rows = connection.execute(statement, bound).fetchall()
    found = {metric: Expected(expected=expected, low=low, high=high) for metric, _, expected, low, high in rows}
    as_of = max((row[1] for row in rows), default=month_end(month))
    if as_of >= month_end(month):
        return None
    return Forecast(as_of=as_of, billed_cost=found["billed"], effective_cost=found["effective"])


def _movers(
    costs: Costs, currency: str, connection: Connection, published: Published, cuts: Sequence[Cut], month: date
) -> list[Mover]:
    bound = Bound()
    statement = sql_files.compose(
        sql_files.read("page/movers.sql"),
        costs_by_day=costs.database.table("costs_by_day"),
        costs_by_month=costs.database.table("costs_by_month"),
        currency=bound(currency),
        at_most=bound(MOVERS),
        whole=bound([one.is_whole for one in cuts]),
        whole_months=bound([one.billing_period for one in cuts if one.is_whole]),
        partial_months=bound([one.billing_period for one in cuts if not one.is_whole]),
        **_bound(cuts, bound),
    )
    rows = connection.execute(statement, bound).fetchall()
    names = costs.catalogue.names_of(connection, published, (account for _, account, *_ in rows))
    steps = _steps(costs, currency, connection, [row[:3] for row in rows], month)
    return [_mover(row, names, steps.get(row[:3], []), month) for row in rows]


def _mover(row: tuple[Any, ...], names: Mapping[str, str], steps: Sequence[SinceLoad], month: date) -> Mover:
    source, account, service, before, after = row
    change = amounts.EXACT.subtract(after, before)
    dimensions = {BY_NAME["source"]: (source,), BY_NAME["account_id"]: (account,), BY_NAME["service"]: (service,)}
    # The load that moved it most in the same direction; else the month's first load.
    same = [one for one in steps if one.change is not None and (one.change > 0) == (change > 0)]
    first = [one for one in steps if one.change is None]
    return Mover(
        source=source,
        account_id=account,
        account_name=label_of(BY_NAME["account_id"], account, names),
        service=label_of(BY_NAME["service"], service, {}),
        filters=written(dimensions),
        before=before,
        after=after,
        change=change,
        since_load=next(iter([*same, *first]), None),
    )


def _steps(
    costs: Costs, currency: str, connection: Connection, wanted: Sequence[tuple[str, str, str]], month: date
) -> dict[tuple[str, str, str], list[SinceLoad]]:
    """Return the loads that changed each account's service in a month, the largest step first."""
    bound = Bound()
    statement = sql_files.compose(
        sql_files.read("page/steps.sql"),
        sources=bound([one[0] for one in wanted]),
        accounts=bound([one[1] for one in wanted]),
        services=bound([one[2] for one in wanted]),
        month=bound(month),
        currency=bound(currency),
        load_history=costs.database.table("load_history"),
        published_totals=costs.database.table("published_totals"),
    )
    found: dict[tuple[str, str, str], list[SinceLoad]] = {}
    for source, account, service, load_id, version, published_at, change in connection.execute(statement, bound):
        step = SinceLoad(
            load_id=load_id,
            source=source,
            billing_period=month_label(month),
            version=version,
            published_at=published_at,
            change=change,
        )
        found.setdefault((source, account, service), []).append(step)
    return found
