"""Explore: costs of a range by up to two dimensions, beside the range before."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection
from cloud_costs.page import amounts
from cloud_costs.page.costs import Costs
from cloud_costs.page.dimensions import ACCOUNTS, Bound, Dimension, narrowed
from cloud_costs.page.models import Explore, Group, Others
from cloud_costs.page.periods import Range
from cloud_costs.page.places import Place, keys_of, place_of
from cloud_costs.page.published import Published, now
from cloud_costs.page.questions import Question


@dataclass(frozen=True)
class Found:
    """The amounts of one group, or of all groups beyond the largest: one for each period, and of the range before."""

    keys: tuple[str, ...]
    series: list[Decimal]
    previous: Decimal | None

    @property
    def total(self) -> Decimal:
        """The sum of all periods."""
        return amounts.total(self.series)


def explore(costs: Costs, question: Question, connection: Connection, published: Published) -> Explore:
    """Answer a question about costs."""
    began = time.perf_counter()
    before = before_of(question, published)
    periods = question.range.periods(question.per)
    place = place_of(question, published, before)
    groups, others, count = _ask(costs, question, place, connection, periods, before)
    currencies = _currencies(costs, question, place, connection, published)
    milliseconds = round((time.perf_counter() - began) * 1000, 1)
    everything = _together([*groups, *([others] if others else [])], len(periods), before)
    names = costs.catalogue.names_of(connection, published, _accounts(question, groups))
    estimated, because = published.estimated(_billing_periods(question, published), now())
    return Explore(
        currency=question.currency,
        metric=question.metric,
        dates=question.dates,
        per=question.per,
        first=question.range.first,
        last=question.range.last,
        previous_first=before.first if before else None,
        previous_last=before.last if before else None,
        periods=periods,
        dimensions=[one.shown() for one in question.groups],
        groups=[_group(question, one, everything.total, names) for one in groups if question.groups],
        others=_others(others, everything.total, count - len(groups)) if others else None,
        total=everything.total,
        previous=everything.previous,
        change=amounts.change(everything.total, everything.previous),
        change_share=_change_share(everything),
        series=everything.series,
        currencies=currencies,
        estimated=estimated,
        estimated_because=because,
        relation=place.relation,
        milliseconds=milliseconds,
    )


def before_of(question: Question, published: Published) -> Range | None:
    """Return the range to compare with; None where nobody asks for one, or nothing is published of it."""
    before = question.range.before
    months = published.in_currency(question.currency)
    if question.dates == "billing":
        known = any(before.first <= one.billing_period <= before.last for one in months)
    else:
        known = any(one.first <= before.last and one.last >= before.first for one in months)
    return before if question.compare and known else None


def label_of(dimension: Dimension, value: str, names: Mapping[str, str]) -> str:
    """Return a value as people read it: the name of an account, or what costs without a value are called."""
    if not value:
        return dimension.none
    return (names.get(value) if dimension.column in ACCOUNTS else None) or value


def _ask(
    costs: Costs,
    question: Question,
    place: Place,
    connection: Connection,
    periods: Sequence[date],
    before: Range | None,
) -> tuple[list[Found], Found | None, int]:
    """Return the largest groups, all others together, and how many groups there are."""
    bound = Bound()
    keys = keys_of(question.groups, bound)
    statement = sql_files.compose(
        sql_files.read("page/explore.sql"),
        first_key=keys[0],
        second_key=keys[1],
        period_of_row=place.period(question, bound),
        metric=place.metric(question),
        relation=costs.database.table(place.relation),
        currency=bound(question.currency),
        condition=place.condition(question, bound, before),
        top=bound(question.top),
    )
    rows = connection.execute(statement, bound).fetchall()
    at = {day: number for number, day in enumerate(periods)}
    found: dict[int, Found] = {}
    for rank, key_1, key_2, day, amount, _ in rows:
        one = found.get(rank)
        if one is None:
            previous = amounts.ZERO if before else None
            keys_found = (key_1 or "", key_2 or "")[: len(question.groups)]
            found[rank] = one = Found(keys_found, [amounts.ZERO] * len(periods), previous)
        if day is None:
            found[rank] = Found(one.keys, one.series, amount)
        else:
            one.series[at[day]] = amount
    largest = [one for rank, one in sorted(found.items()) if rank <= question.top]
    return largest, found.get(question.top + 1), rows[0][-1] if rows else 0


def _currencies(
    costs: Costs, question: Question, place: Place, connection: Connection, published: Published
) -> list[str]:
    """Return the currencies that the filters find in the range."""
    if len(published.currencies) == 1:
        return published.currencies
    bound = Bound()
    statement = sql_files.compose(
        "select distinct currency from {relation} where {condition}",
        relation=costs.database.table(place.relation),
        condition=place.condition(question, bound, None),
    )
    found = {row[0] for row in connection.execute(statement, bound)}
    return [one for one in published.currencies if one in found]


def _billing_periods(question: Question, published: Published) -> Iterable[date]:
    wanted = question.range
    if question.dates == "billing":
        return [one for one in published.billing_periods if wanted.first <= one <= wanted.last]
    return published.with_days(wanted.first, wanted.last)


def _accounts(question: Question, groups: Sequence[Found]) -> Iterable[str]:
    places = [number for number, one in enumerate(question.groups) if one.column in ACCOUNTS]
    return [one.keys[number] for one in groups for number in places]


def _together(found: Sequence[Found], periods: int, before: Range | None) -> Found:
    series = [amounts.total(values) for values in zip(*(one.series for one in found), strict=True)]
    previous = amounts.total(one.previous or amounts.ZERO for one in found) if before else None
    return Found((), series or [amounts.ZERO] * periods, previous)


def _group(question: Question, found: Found, everything: Decimal, names: Mapping[str, str]) -> Group:
    return Group(
        values=list(found.keys),
        labels=[label_of(one, value, names) for one, value in zip(question.groups, found.keys, strict=True)],
        filters=narrowed(question.filters, question.groups, found.keys),
        **_amounts(found, everything),
    )


def _others(found: Found, everything: Decimal, groups: int) -> Others:
    return Others(groups=groups, **_amounts(found, everything))


def _amounts(found: Found, everything: Decimal) -> dict[str, Any]:
    return {
        "total": found.total,
        "share": amounts.share(found.total, everything),
        "previous": found.previous,
        "change": amounts.change(found.total, found.previous),
        "change_share": _change_share(found),
        "series": found.series,
    }


def _change_share(found: Found) -> float | None:
    return amounts.share(amounts.change(found.total, found.previous), found.previous)
