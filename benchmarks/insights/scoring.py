"""Hold what was found against what was planted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from benchmarks.insights.year import SECOND, YEAR, Floats, Planted, Source
from cloud_costs.insights.detection import LEAD, Limits
from cloud_costs.insights.findings import Finding, Grid, Scope, covers, find

Bools = NDArray[np.bool_]

# Money a day and share that a change has to have, for every method alike. They are the defaults of the package.
MINIMUM, SHARE = 5.0, 0.25
# Days after its first day within which an event has to be found, and within which a ramp has to be.
WITHIN, WITHIN_RAMP = 7, 40


@dataclass(frozen=True)
class Told:
    """What a method tells: the days, counted as the source's, the direction and the scope.

    It could tell it when the day `noticed` was complete.
    """

    scope: Scope
    first: int
    noticed: int
    last: int
    sign: int


@dataclass
class Score:
    """What came of the events of some sources."""

    found: list[tuple[Planted, Told]] = field(default_factory=list)
    missed: list[Planted] = field(default_factory=list)
    wrong: list[Told] = field(default_factory=list)
    months: float = 0.0

    @property
    def precision(self) -> float:
        """The share of what was told that was planted, and told for the first time."""
        return len(self.found) / max(1, len(self.found) + len(self.wrong))

    def recall(self, wanted: Callable[[Planted], bool]) -> float:
        """Return the share of the wanted events that was found; not a number where none is wanted."""
        found = sum(wanted(one) for one, _ in self.found)
        total = found + sum(map(wanted, self.missed))
        return found / total if total else float("nan")

    @property
    def false_a_month(self) -> float:
        """False events for each source and month."""
        return len(self.wrong) / self.months


def is_lasting(one: Planted) -> bool:
    """Return whether the bar of lasting events is about it: two days or more, 50 % or more, on 20 a day or more."""
    return one.days >= 2 and abs(one.factor) >= 0.5 and one.base >= 20 and one.kind not in ("ramp", "stop")


def is_spike(one: Planted) -> bool:
    """Return whether the bar of spikes is about it: one day, 100 % or more, on 20 a day or more."""
    return one.days == 1 and one.factor >= 1 and one.base >= 20


def ours(source: Source) -> list[Told]:
    """Return what the package tells of the second year."""
    begin = SECOND - LEAD
    grid = Grid(source.name, "USD", day_of(begin), source.keys, source.usage[:, begin:], source.usage.shape[1] - begin)
    return [told for one in find(grid, limits, begin=LEAD) if (told := _told(one)).first >= SECOND]


def limits(scopes: Sequence[Scope]) -> Limits:
    """Return the same limits for every scope."""
    return Limits(np.full(len(scopes), MINIMUM), np.full(len(scopes), SHARE))


def day_of(day: int) -> date:
    return YEAR + timedelta(days=day - SECOND)


def _told(one: Finding) -> Told:
    first, noticed, last = ((each - YEAR).days + SECOND for each in (one.first_date, one.noticed, one.last_date))
    return Told(one.scope, first, noticed, last, one.sign)


def simple(source: Source, is_out: Callable[[Floats, Floats], Bools]) -> list[Told]:
    """Return what a simple method tells. `is_out(before, value)` says for each series whether a day is out of line.

    `before` has the 30 days before. Days in a row, with a day between them at most, are one event.
    """
    told: list[Told] = []
    open_at: dict[int, int] = {}
    last_at: dict[int, int] = {}
    days = source.usage.shape[1]
    for day in range(SECOND, days + 2):
        before = source.usage[:, day - 30 : day]
        for row in map(int, np.flatnonzero(is_out(before, source.usage[:, day])) if day < days else ()):
            open_at.setdefault(row, day)
            last_at[row] = day
        for row in [row for row, last in last_at.items() if last < day - 1 or day > days]:
            first = open_at.pop(row)
            told.append(Told(source.keys[row], first, first, last_at.pop(row), 1))
    return told


def mean_and_two_sigma(before: Floats, value: Floats) -> Bools:
    """Say whether the day is above the mean of 30 days by two standard deviations."""
    mean = before.mean(axis=1)
    out: Bools = (value > mean + 2 * before.std(axis=1)) & (value - mean >= MINIMUM)
    return out


def yesterday_times(before: Floats, value: Floats) -> Bools:
    """Say whether the day is above the day before by 30 %."""
    out: Bools = (value > 1.3 * before[:, -1]) & (value - before[:, -1] >= MINIMUM)
    return out


def score(sources: Sequence[Source], tell: Callable[[Source], list[Told]]) -> Score:
    """Hold what a method tells of the sources against what was planted in them."""
    total = Score()
    for source in sources:
        _match(source, tell(source), total)
        total.months += 12
    return total


def _match(source: Source, told: Sequence[Told], total: Score) -> None:
    """Give each event the first thing told of it. Everything else is wrong, also what tells an event again."""
    left = sorted(told, key=lambda one: one.first)
    for planted in source.planted:
        # An event that nobody could wish to hear of is neither missed nor wrong.
        match = next((one for one in left if _is_of(planted, one, source)), None)
        if match:
            left.remove(match)
            total.found.append((planted, match))
        else:
            total.missed.append(planted)
    total.wrong += left


def _is_of(planted: Planted, told: Told, source: Source) -> bool:
    within = WITHIN_RAMP if planted.kind == "ramp" else min(WITHIN, planted.days)
    return (
        told.sign == planted.sign
        and planted.first - 1 <= told.first <= planted.first + within
        and any(covers(told.scope, source.keys[row]) for row in planted.rows)
    )
