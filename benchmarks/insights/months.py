"""Hold forecasts of the second year and its months against what they cost, beside the straight line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from benchmarks.insights.year import START, Floats, Source
from cloud_costs.insights.forecasting import Daily, forecast
from cloud_costs.months import months_before, next_month

DAYS_OF_MONTH = (5, 10, 15, 20)
# The day of a month as of which quarters and years are forecast.
MIDDLE = 15
MONTHS = tuple(date(2024, number, 1) for number in range(1, 13))
LEVELS = ("total", "source", "account", "service")
# Series of less than this a day are left out: nobody forecasts cents.
LEAST = 20.0


# The levels, and their daily usage, fees and taxes.
Series = tuple[list[str], Floats, Floats, Floats]


@dataclass(frozen=True)
class Try:
    """One month of one series, as of one day: what was expected, what the straight line says, and what it became."""

    level: str
    month: date
    day: int
    expected: float
    low: float
    high: float
    line: float
    actual: float

    @property
    def error(self) -> float:
        """How far the forecast is off, as a share."""
        return abs(self.expected / self.actual - 1)

    @property
    def line_error(self) -> float:
        """How far the straight line of the month to date is off, as a share."""
        return abs(self.line / self.actual - 1)

    @property
    def is_inside(self) -> bool:
        """Whether the month ended in the interval."""
        return self.low <= self.actual <= self.high


def tries(sources: Sequence[Source]) -> list[Try]:
    """Return every try: each month of the second year, as of each of the days, for each series of each level."""
    series = _series(sources)
    found: list[Try] = []
    for month in MONTHS:
        for day in DAYS_OF_MONTH:
            found += _tries(series, month, day, month, next_month(month))
    return found


def period_tries(sources: Sequence[Source]) -> dict[str, list[Try]]:
    """Return the tries of the quarters and of the year, as of the middle of each month, as budgets need them."""
    series = _series(sources)
    found: dict[str, list[Try]] = {"quarter": [], "year": []}
    for month in MONTHS:
        for kind, months in (("quarter", 3), ("year", 12)):
            begin = date(month.year, (month.month - 1) // months * months + 1, 1)
            found[kind] += _tries(series, month, MIDDLE, begin, months_before(begin, -months))
    return found


def _tries(series: Series, month: date, day: int, begin: date, end: date) -> Iterator[Try]:
    """Yield the forecasts of the time from `begin` to `end`, as of a day of a month in it."""
    levels, usage, fees, taxes = series
    first, stop, of_month = ((one - START).days for one in (begin, end, month))
    actual = sum(values[:, first:stop].sum(axis=1) for values in (usage, fees, taxes))
    known = of_month + day
    # Taxes are dated on the first, and grow with what they are on.
    until = (next_month(month) - START).days
    done = usage[:, of_month:known].sum(axis=1) / np.maximum(usage[:, of_month:until].sum(axis=1), 1e-9)
    so_far = taxes.copy()
    so_far[:, of_month] *= done
    so_far[:, of_month + 1 :] = 0
    made = forecast(Daily(START, known, usage, fees, so_far), begin, end)
    to_date = usage[:, first:known].sum(axis=1) + fees[:, first:known].sum(axis=1) + so_far[:, first:known].sum(axis=1)
    line = to_date / (known - first) * (stop - first)
    for level, *values in zip(levels, made.expected, made.low, made.high, line, actual, strict=True):
        if values[-1] >= LEAST * (stop - first):
            yield Try(level, month, day, *map(float, values))


def _series(sources: Sequence[Source]) -> Series:
    """Return the levels and the daily costs of the total, and of each source with its accounts and services."""
    levels, rows = ["total"], list(_sums(sources))
    for source in sources:
        levels.append("source")
        for part, level in enumerate(("account", "service")):
            levels += [level] * len({key[part] for key in source.keys})
    usage, fees, taxes = (np.stack([row[at] for row in rows]) for at in range(3))
    return levels, usage, fees, taxes


def _sums(sources: Sequence[Source]) -> Iterator[tuple[Floats, Floats, Floats]]:
    whole = [tuple(values.sum(axis=0) for values in (one.usage, one.fees, one.taxes)) for one in sources]
    yield tuple(sum(values) for values in zip(*whole, strict=True))
    for source, sums in zip(sources, whole, strict=True):
        yield sums
        for part in (0, 1):
            for name in sorted({key[part] for key in source.keys}):
                of_name = [row for row, key in enumerate(source.keys) if key[part] == name]
                yield tuple(values[of_name].sum(axis=0) for values in (source.usage, source.fees, source.taxes))
