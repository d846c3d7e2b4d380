"""Say where a month will end: what is known, and for the days that are left what such days cost lately.

Usage of a day to come is the mean of its weekday, at the level of the last days. Fees and credits come on the day on
which they came in the last two months; what came in one of them alone is not expected again. Taxes follow what they are
on. The interval is from the errors that this very method made in the months before, at the same day of the month, in
all series: each error is measured in how much its series varies from week to week, so that calm and restless series
can lend each other their experience.

These are estimates, so they are floats.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from cloud_costs.months import months_before, next_month

Floats = NDArray[np.float64]

WEEK = 7
# Days that make the weekdays, and the level.
WEEKDAYS, LEVEL = 6 * WEEK, 2 * WEEK
# Months that teach the errors, and days before one of them that a forecast needs.
MONTHS, LEAST = 12, 2 * WEEK
# The share of months that should end in the interval.
SHARE = 0.8
# With fewer errors, the interval is as wide as `WIDE` variations: nothing is known of them.
FEW, WIDE = 20, 2.5
# The least variation, and that of a series with less than six weeks.
LEAST_VARIATION, UNKNOWN_VARIATION = 0.01, 0.1
# Days that the errors are about at most. A longer time is less certain, by the root of its length.
MONTH = 31


@dataclass(frozen=True)
class Daily:
    """Daily costs of some series: a row for each, a column for each day from `start` on.

    `fees` are purchases, credits and adjustments. The first `known` days are complete.
    """

    start: date
    known: int
    usage: Floats
    fees: Floats
    taxes: Floats


@dataclass(frozen=True)
class Forecast:
    """What a time of each series will have cost at its end, with the interval that holds 80 % of such months."""

    expected: Floats
    low: Floats
    high: Floats


def forecast(daily: Daily, first: date, end: date, teacher: Daily | None = None) -> Forecast:
    """Return the forecast of the time from `first` to the day before `end`, as of the last complete day.

    A time of which every day is complete is what it was, and its interval is empty. `teacher` has the series whose
    errors make the interval, and the same days. Without one, these are the series themselves.
    """
    teacher, daily = _from_first_cost(teacher or daily), _from_first_cost(daily)
    begin, stop = _index(daily, first), _index(daily, end)
    expected, rest = _expect(daily, begin, stop, daily.known)
    if daily.known >= stop:
        return Forecast(expected, expected, expected)
    errors = _errors(teacher, daily.known + _index(teacher, daily.start))
    longer = max(1.0, (stop - max(daily.known, begin)) / MONTH) ** 0.5
    spread = longer * _variation(daily.usage, daily.known) * np.abs(rest)
    # The usage to come is not less than nothing.
    low = np.maximum(errors[0] * spread, -np.abs(rest))
    return Forecast(expected, expected + low, expected + errors[1] * spread)


def _from_first_cost(daily: Daily) -> Daily:
    """Leave out the days before the first one with costs: nothing is known of them, and they are no days without."""
    parts = (daily.usage, daily.fees, daily.taxes)
    days = np.flatnonzero(np.any([(values[:, : daily.known] != 0).any(axis=0) for values in parts], axis=0))
    first = int(days[0]) if len(days) else 0
    return Daily(daily.start + timedelta(days=first), daily.known - first, *(values[:, first:] for values in parts))


def _expect(daily: Daily, begin: int, stop: int, known: int) -> tuple[Floats, Floats]:
    """Return what the days from `begin` to `stop` will cost as of a day, and how much of that is usage to come."""
    known = min(known, stop)
    rest = _usage_of(daily.usage, known, max(known, begin), stop)
    month = _index(daily, _month(daily, known))
    # Taxes of a month are known when the month is: until then they grow, on a day that was long ago.
    closed = max(begin, month) if known < stop else stop
    net_of_closed = _sum(daily.usage, begin, closed) + _sum(daily.fees, begin, closed)
    net_of_open = (
        _sum(daily.usage, closed, known) + rest + _sum(daily.fees, closed, known) + _fees_of(daily, known, begin, stop)
    )
    taxes = _sum(daily.taxes, begin, closed)
    return net_of_closed + taxes + net_of_open * (1 + _tax_rate(daily, known)), rest


def _sum(values: Floats, first: int, end: int) -> Floats:
    summed: Floats = values[:, max(0, first) : max(0, first, end)].sum(axis=1)
    return summed


def _month(daily: Daily, day: int) -> date:
    return (daily.start + timedelta(days=day)).replace(day=1)


def _index(daily: Daily, day: date) -> int:
    return (day - daily.start).days


def _usage_of(usage: Floats, known: int, begin: int, stop: int) -> Floats:
    """Return the usage that is expected of the days from `begin` to `stop`, as of the day `known` before them."""
    before = usage[:, max(0, known - WEEKDAYS) : known]
    weeks = before.shape[1] // WEEK
    if begin >= stop or not before.shape[1]:
        return np.zeros(len(usage))
    if not weeks:
        mean: Floats = before.mean(axis=1) * (stop - begin)
        return mean
    # The last column is the day before `known`, so the first weekday here is the one of `known`.
    by_week = before[:, before.shape[1] - weeks * WEEK :].reshape(len(usage), weeks, WEEK)
    profile = by_week.mean(axis=1)
    lately, usual = by_week[:, -(LEVEL // WEEK) :].mean(axis=(1, 2)), profile.mean(axis=1)
    ratio = np.divide(lately, usual, out=np.ones_like(lately), where=usual > 0)
    rest: Floats = ratio * profile[:, np.arange(begin - known, stop - known) % WEEK].sum(axis=1)
    return rest


def _fees_of(daily: Daily, known: int, begin: int, stop: int) -> Floats:
    """Return the fees that are expected from the day `known` on: those of the last two months, on their days."""
    month = _month(daily, known)
    found = [fees for count in (1, 2) if (fees := _fees_by_day(daily, months_before(month, count))) is not None]
    if not found:
        return np.zeros(len(daily.fees))
    usual = found[0]
    if len(found) > 1:
        both = np.sign(found[0]) == np.sign(found[1])
        usual = np.where(both, np.sign(found[0]) * np.minimum(np.abs(found[0]), np.abs(found[1])), 0.0)
    total = np.zeros(len(daily.fees))
    for day in range(max(known, begin), stop):
        on = daily.start + timedelta(days=day)
        # The last day of a short month has the fees of the days that it lacks.
        is_last = (on + timedelta(days=1)).day == 1
        total += usual[:, on.day :].sum(axis=1) if is_last else usual[:, on.day]
    return total


def _fees_by_day(daily: Daily, month: date) -> Floats | None:
    """Return the fees of a month by its day, from 1 to 31; None for a month that is not known from its beginning."""
    first, end = _index(daily, month), _index(daily, next_month(month))
    if first < 0:
        return None
    fees = np.zeros((len(daily.fees), MONTH + 1))
    fees[:, 1 : end - first + 1] = daily.fees[:, first:end]
    return fees


def _tax_rate(daily: Daily, known: int) -> Floats:
    """Return the taxes of the last two closed months for each unit of what they are on."""
    month = _month(daily, known)
    first, end = _index(daily, months_before(month, 2)), _index(daily, month)
    taxed = _sum(daily.usage, first, end) + _sum(daily.fees, first, end)
    taxes = _sum(daily.taxes, first, end)
    return np.divide(taxes, taxed, out=np.zeros_like(taxes), where=taxed > 0)


def _variation(usage: Floats, known: int) -> Floats:
    """Return how much the weeks before a day differ from the mean of the four weeks before each, as a share.

    The weeks before the first one with costs do not count, nor do the four that are compared with them.
    """
    weeks = min(known, 16 * WEEK) // WEEK
    if weeks < 6:
        return np.full(len(usage), UNKNOWN_VARIATION)
    sums = usage[:, known - weeks * WEEK : known].reshape(len(usage), weeks, WEEK).sum(axis=2)
    means = np.stack([sums[:, at - 4 : at].mean(axis=1) for at in range(4, weeks)], axis=1)
    off = np.abs(np.divide(sums[:, 4:], means, out=np.ones_like(means), where=means > 0) - 1)
    has_begun = np.cumsum(sums != 0, axis=1)[:, : weeks - 4] > 0
    count = has_begun.sum(axis=1)
    mean = np.divide((off * has_begun).sum(axis=1), count, out=np.full(len(usage), UNKNOWN_VARIATION), where=count > 1)
    variation: Floats = LEAST_VARIATION + mean
    return variation


def _errors(daily: Daily, known: int) -> tuple[float, float]:
    """Return how far low and high are from what is expected, in variations of the usage that is left.

    Both are quantiles of the errors of forecasts that were made as of the same day of the months before.
    """
    errors: list[Floats] = []
    month = _month(daily, known)
    day = known - _index(daily, month)
    for count in range(1, MONTHS + 1):
        one = months_before(month, count)
        first, end = _index(daily, one), _index(daily, next_month(one))
        if first < LEAST:
            break
        then = min(first + day, end - 1)
        expected, rest = _expect(daily, first, end, then)
        actual, _ = _expect(daily, first, end, end)
        # A cent of usage teaches nothing about the others.
        usable = rest > 1e-3 * max(float(rest.max(initial=0)), 1e-9)
        errors.append(((actual - expected)[usable]) / (_variation(daily.usage, then) * rest)[usable])
    pooled = np.concatenate(errors) if errors else np.array([])
    if len(pooled) < FEW:
        return -WIDE, WIDE
    low, high = np.quantile(pooled, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return min(float(low), 0.0), max(float(high), 0.0)
