"""Say where the month will end: what is known, and for the days that are left what such days cost lately.

Usage of a day to come is the mean of its weekday, at the level of the last days. Fees and credits come on the day on
which they came in the last two months; what came in one of them alone is not expected again. Taxes follow what they are
on. The interval is from the errors that this very method made in the months before, at the same day of the month, in
all series: each error is measured in how much its series varies from week to week, so that calm and restless series
can lend each other their experience.

These are estimates, so they are floats.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from cloud_costs.months import next_month

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
LEAST_VARIATION = 0.01


@dataclass(frozen=True)
class Daily:
    """Daily costs of some series: a row for each, a column for each day from `start` on.

    `fees` are purchases, credits and adjustments. `known` of the days are complete.
    """

    start: date
    known: int
    usage: Floats
    fees: Floats
    taxes: Floats


@dataclass(frozen=True)
class Forecast:
    """What the month of each series will have cost at its end, with the interval that holds 80 % of such months."""

    expected: Floats
    low: Floats
    high: Floats


def forecast(daily: Daily, month: date) -> Forecast:
    """Return the forecast of a billing month, as of the last complete day.

    A month of which every day is complete is what it was, and its interval is empty.
    """
    first, end = _days(daily.start, month)
    expected, rest = _expect(daily, month, daily.known)
    if daily.known >= end:
        return Forecast(expected, expected, expected)
    low, high = _errors(daily, month, max(0, daily.known - first))
    spread = _variation(daily.usage, daily.known)[:, None] * rest[:, None] * np.array([low, high])
    return Forecast(expected, expected + spread[:, 0], expected + spread[:, 1])


def _days(start: date, month: date) -> tuple[int, int]:
    """Return the first day of a month, and the day after its last."""
    return (month - start).days, (next_month(month) - start).days


def _expect(daily: Daily, month: date, known: int) -> tuple[Floats, Floats]:
    """Return what a month will cost as of a day, and how much of that is usage of the days that are left."""
    first, end = _days(daily.start, month)
    known = min(known, end)
    usage = daily.usage[:, first:known].sum(axis=1)
    fees = daily.fees[:, first:known].sum(axis=1)
    rest = _usage_of(daily.usage, known, end)
    net = usage + rest + fees + _fees_of(daily, month, known)
    if known >= end:
        return net + daily.taxes[:, first:end].sum(axis=1), rest
    return net + net * _tax_rate(daily, month), rest


def _usage_of(usage: Floats, known: int, end: int) -> Floats:
    """Return the usage that is expected of the days from `known` to `end`."""
    if known >= end:
        return np.zeros(len(usage))
    known_days = usage[:, max(0, known - WEEKDAYS) : known]
    if known_days.shape[1] < WEEK:
        return known_days.mean(axis=1) * (end - known) if known_days.shape[1] else np.zeros(len(usage))
    # Aligned so that the last column is the day before `known`: weekday 0 is the one of `known`.
    weeks = known_days.shape[1] // WEEK
    by_week = known_days[:, known_days.shape[1] - weeks * WEEK :].reshape(len(usage), weeks, WEEK)
    profile = by_week.mean(axis=1)
    lately = by_week[:, -(LEVEL // WEEK) :, :].mean(axis=(1, 2))
    usual = profile.mean(axis=1)
    ratio = np.divide(lately, usual, out=np.ones_like(lately), where=usual > 0)
    days = np.arange(end - known) % WEEK
    return ratio * profile[:, days].sum(axis=1)


def _fees_of(daily: Daily, month: date, known: int) -> Floats:
    """Return the fees that are expected from the day `known` to the end of the month."""
    first, end = _days(daily.start, month)
    before = _month_before(month)
    earlier = [_fees_by_day(daily, one, end - first) for one in (before, _month_before(before))]
    found = [one for one in earlier if one is not None]
    if not found:
        return np.zeros(len(daily.fees))
    last = found[0][:, known - first :]
    if len(found) == 1:
        return last.sum(axis=1)
    other = found[1][:, known - first :]
    both = np.sign(last) == np.sign(other)
    return np.where(both, np.sign(last) * np.minimum(np.abs(last), np.abs(other)), 0).sum(axis=1)


def _fees_by_day(daily: Daily, month: date, days: int) -> Floats | None:
    """Return the fees of a month by its day; of a longer month, the last day has those of all days after it."""
    first, end = _days(daily.start, month)
    if first < 0:
        return None
    fees = np.zeros((len(daily.fees), days))
    for day in range(end - first):
        fees[:, min(day, days - 1)] += daily.fees[:, first + day]
    return fees


def _tax_rate(daily: Daily, month: date) -> Floats:
    """Return the taxes of the last two months for each unit of what they are on."""
    first, _ = _days(daily.start, _month_before(_month_before(month)))
    end, _ = _days(daily.start, month)
    days = slice(max(0, first), max(0, end))
    taxed = daily.usage[:, days].sum(axis=1) + daily.fees[:, days].sum(axis=1)
    taxes = daily.taxes[:, days].sum(axis=1)
    return np.divide(taxes, taxed, out=np.zeros_like(taxes), where=taxed > 0)


def _variation(usage: Floats, known: int) -> Floats:
    """Return how much the weeks before a day differ from the mean of the four weeks before each, as a share."""
    weeks = min(known, 16 * WEEK) // WEEK
    sums = usage[:, known - weeks * WEEK : known].reshape(len(usage), weeks, WEEK).sum(axis=2)
    if weeks < 6:
        return np.full(len(usage), 0.1)
    means = np.stack([sums[:, at - 4 : at].mean(axis=1) for at in range(4, weeks)], axis=1)
    off = np.abs(np.divide(sums[:, 4:], means, out=np.ones_like(means), where=means > 0) - 1)
    return LEAST_VARIATION + off.mean(axis=1)


def _errors(daily: Daily, month: date, day: int) -> tuple[float, float]:
    """Return how far low and high are from what is expected, in variations of the usage that is left.

    Both are quantiles of the errors of forecasts that were made as of the same day of the months before.
    """
    errors: list[Floats] = []
    one = _month_before(month)
    for _ in range(MONTHS):
        first, end = _days(daily.start, one)
        known = min(first + day, end - 1)
        if first < LEAST:
            break
        expected, rest = _expect(daily, one, known)
        actual, _ = _expect(daily, one, end)
        scale = _variation(daily.usage, known) * rest
        # A cent of usage teaches nothing about the others.
        usable = rest > 1e-3 * max(float(rest.max(initial=0)), 1e-9)
        errors.append((actual - expected)[usable] / scale[usable])
        one = _month_before(one)
    pooled = np.concatenate(errors) if errors else np.array([])
    if len(pooled) < FEW:
        return -WIDE, WIDE
    low, high = np.quantile(pooled, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return min(float(low), 0.0), max(float(high), 0.0)


def _month_before(month: date) -> date:
    return date(month.year - (month.month == 1), (month.month - 2) % 12 + 1, 1)
