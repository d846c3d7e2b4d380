"""Find the days on which daily costs left what was expected of them, in many series at once.

A series is compared with itself: with the median of the same weekday in the weeks before, moved to the level of the last
two weeks. The scale of what is usual is a robust spread of its own errors. A day is out of line where it is off by
several scales, by a minimum of money, and by a minimum share: at once where it is off by much, and on the second day
where it is off by less. A day that comes in each month, such as a job on the first, is expected from its second time on.

Only days before a day decide about it, so a day that was judged is judged alike on all later days. Days that are out of
line do not enter what is expected. After `ACCEPT` days of an event, its level is what is expected from then on.

These are estimates, so they are floats. The amounts of an event come from the tables, as exact numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WEEK = 7
# Days of history: of the weekdays, of the level, of the scale, and before anything is judged.
WEEKDAYS, LEVEL, SCALE, HISTORY = 8 * WEEK, 2 * WEEK, 8 * WEEK, 2 * WEEK
# Days that a detection needs before the first day that it judges: a month for what comes each month, and the weekdays.
LEAD = 31 + WEEKDAYS
# Scales that a day has to be off: on one day, or on two in a row.
ONE_DAY, TWO_DAYS = 6.0, 3.5
# A scale is never smaller than this share of the level. With less than four weeks of history it is larger.
LEAST_SCALE, EARLY_SCALE, EARLY = 0.04, 0.12, 4 * WEEK
# Days of an event until its level is what is expected, and quiet days that end an event.
ACCEPT, QUIET = 14, 3
# An event goes on while a day is off by this share of what a day has to be off to begin one.
GOES_ON = 0.5
# How large an earlier jump is, against the one of the day, to make the day's a habit of the series.
ALIKE = 0.5
MEDIAN_OF_NORMAL, NINETIETH_OF_NORMAL = 0.6745, 1.6449


@dataclass(frozen=True)
class Limits:
    """What makes a change worth a message, for each series: money a day, and a share of what was expected."""

    minimum: Floats
    share: Floats

    def take(self, rows: NDArray[np.intp]) -> "Limits":
        """Return the limits of some of the series."""
        return Limits(self.minimum[rows], self.share[rows])


@dataclass(frozen=True)
class Event:
    """Days in a row on which one series was out of line. `first` and `last` count days from the start of the series.

    `excess` is what each of these days was off, negative where it was too low. `accepted`: the level stayed, and is
    what is expected now.
    """

    row: int
    first: int
    last: int
    running: bool
    accepted: bool
    excess: Floats

    @property
    def impact(self) -> float:
        """The money above what was expected; negative below it."""
        return float(self.excess.sum())

    @property
    def sign(self) -> int:
        """1 for too high, -1 for too low."""
        return 1 if self.impact >= 0 else -1


@dataclass(frozen=True)
class Accepted:
    """Days of one series that a person called expected."""

    row: int
    first: int
    last: int


@dataclass(frozen=True)
class Found:
    """The events, and the series without them: what is left for the sums over several series to tell."""

    events: list[Event]
    without: Floats


class _State:
    """What the loop over the days knows of each series."""

    def __init__(self, values: Floats) -> None:
        count = len(values)
        self.clean = values.copy()  # values that the next days are compared with
        self.without = values.copy()
        self.base = np.zeros_like(values)  # median of the weekday
        self.expected = np.zeros_like(values)
        self.off = np.zeros_like(values)  # value less expected, of every day
        self.usual = np.zeros_like(values)  # how much a day was off that was not out of line
        self.shift = np.zeros(count)  # levels that were accepted
        self.sign = np.zeros(count, dtype=np.int8)  # of the event that goes on
        self.begin = np.zeros(count, dtype=np.int64)
        self.last = np.zeros(count, dtype=np.int64)  # its last day out of line
        self.pending = np.zeros(count, dtype=np.int8)  # the sign of a small change on the day before
        self.events: list[Event] = []


def detect(
    values: Floats,
    start: date,
    limits: Limits,
    *,
    begin: int = HISTORY,
    complete: int | None = None,
    accepted: Sequence[Accepted] = (),
) -> Found:
    """Return the events of the series `values`, one row each and one column a day from `start` on.

    The first day is the first one with costs of any series. Events are told from the day `begin` on. Days from
    `complete` on still grow: they can be too high, and never too low. They end no event, and nothing is compared with
    them.
    """
    days = values.shape[1]
    state = _State(values)
    complete = days if complete is None else complete
    months = [_same_days(start, day) for day in range(days)]
    for day in range(WEEK, days):
        _expect(state, day)
        off = values[:, day] - state.expected[:, day]
        state.off[:, day] = off
        scale = _scale(state, day)
        needed = np.maximum(limits.minimum, limits.share * np.maximum(state.expected[:, day], 0))
        if day >= max(begin, HISTORY):
            _judge(state, day, scale, needed, months[day], late=day >= complete)
        out = state.sign != 0
        state.usual[:, day] = np.where(out, scale, np.abs(off))
        if day >= complete:
            state.usual[:, day] = scale
            state.clean[:, day] = state.expected[:, day]
        for one in accepted:
            if one.last == day:
                _forget(state, one)
    for row in np.flatnonzero(state.sign):
        _end(state, int(row), running=True)
    return Found(sorted(state.events, key=lambda event: (event.first, event.row)), state.without)


def _same_days(start: date, day: int) -> list[int]:
    """Return the days that are the same day of the two months before, counted from either end, and their neighbours."""
    today = start + timedelta(days=day)
    first, found = today.replace(day=1), set()
    after = (first + timedelta(days=31)).replace(day=1)
    from_end = (after - today).days
    for _ in range(2):
        before = (first - timedelta(days=1)).replace(day=1)
        for same in (before + timedelta(days=today.day - 1), first - timedelta(days=from_end)):
            if before <= same < first:
                found.update((same - start).days + near for near in (-1, 0, 1))
        first = before
    return sorted(one for one in found if 0 <= one < day - 1)


def _expect(state: _State, day: int) -> None:
    """Set what is expected of the day: the median of the weekday, at the level of the last two weeks."""
    earlier = state.clean[:, day % WEEK : day : WEEK][:, -WEEKDAYS // WEEK :]
    base = np.median(earlier, axis=1)
    state.base[:, day] = base
    since = max(WEEK, day - LEVEL)
    if day - since < WEEK:
        state.expected[:, day] = base
        return
    known, had = state.base[:, since:day].sum(axis=1), state.clean[:, since:day].sum(axis=1)
    ratio = np.divide(had, known, out=np.ones_like(had), where=known > 0)
    state.expected[:, day] = base * np.clip(ratio, 0.5, 2.0)


def _scale(state: _State, day: int) -> Floats:
    """Return how much each series is off on a usual day: the larger of two robust estimates of a standard deviation."""
    since = max(WEEK, day - SCALE)
    level = np.maximum(state.clean[:, max(0, day - LEVEL) : day].mean(axis=1), state.expected[:, day])
    least = (EARLY_SCALE if day < EARLY else LEAST_SCALE) * np.maximum(level, 0)
    if day - since < 3:
        return np.maximum(least, 1e-9)
    usual = state.usual[:, since:day]
    middle, high = usual.shape[1] // 2, int(usual.shape[1] * 0.9)
    ordered = np.partition(usual, (middle, high), axis=1)
    found = np.maximum(ordered[:, middle] / MEDIAN_OF_NORMAL, ordered[:, high] / NINETIETH_OF_NORMAL)
    return np.maximum(np.maximum(found, least), 1e-9)


def _judge(state: _State, day: int, scale: Floats, needed: Floats, months: list[int], late: bool) -> None:
    """Begin, continue and end events with the day's values."""
    off = state.off[:, day]
    size = np.abs(off)
    sign = np.sign(off).astype(np.int8)
    if late:
        sign[sign < 0] = 0
    small = (sign != 0) & (size >= np.maximum(TWO_DAYS * scale, needed))
    # A single low day is a holiday or a late delivery: low values need a second day.
    large = small & (sign > 0) & (size >= ONE_DAY * scale)
    goes_on = (state.sign != 0) & (sign == state.sign) & (size >= GOES_ON * np.maximum(TWO_DAYS * scale, needed))
    starts = small & (state.sign == 0) & (large | (state.pending == sign))
    for row in np.flatnonzero(small & (state.sign == 0)):
        if _is_habit(state, int(row), day, months):
            starts[row] = small[row] = False
            state.clean[row, day] = state.expected[row, day]
    second = starts & (state.pending == sign)
    state.begin[starts] = day
    state.begin[second] = day - 1
    state.last[starts | goes_on] = day
    state.sign[starts] = sign[starts]
    for row in np.flatnonzero(second):
        _leave_out(state, int(row), day - 1)
    running = np.flatnonzero(starts | goes_on)
    state.clean[running, day] = state.expected[running, day]
    state.without[:, day] -= state.shift
    state.without[running, day] = state.expected[running, day] - state.shift[running]
    state.pending = np.where(small & (state.sign == 0), sign, 0).astype(np.int8)
    for row in np.flatnonzero(state.sign):
        if day - state.last[row] >= QUIET and not late:
            _end(state, int(row), running=False)
        elif day - state.begin[row] + 1 >= ACCEPT and state.last[row] == day:
            _end(state, int(row), running=False, accepted=True)
            _accept(state, int(row), int(state.begin[row]), day)


def _is_habit(state: _State, row: int, day: int, months: list[int]) -> bool:
    """Return whether the series did the like before: on this day of a month, or twice in the last eight weeks."""
    off = state.off[row]
    alike = ALIKE * off[day]
    same = off[months] >= alike if alike > 0 else off[months] <= alike
    if months and bool(same.any()):
        return True
    recent = off[max(HISTORY, day - WEEKDAYS) : day - QUIET]
    jumps = recent >= alike if alike > 0 else recent <= alike
    # Days in a row are one jump.
    return int(np.count_nonzero(jumps[1:] & ~jumps[:-1])) + int(jumps[:1].any()) >= 2


def _leave_out(state: _State, row: int, day: int) -> None:
    """Take a day that turned out to begin an event out of what later days are compared with."""
    state.usual[row, day] = np.median(state.usual[row, max(WEEK, day - SCALE) : day])
    state.clean[row, day] = state.expected[row, day]
    state.without[row, day] = state.expected[row, day] - state.shift[row]


def _end(state: _State, row: int, *, running: bool, accepted: bool = False) -> None:
    first, last = int(state.begin[row]), int(state.last[row])
    excess = state.off[row, first : last + 1].copy()
    state.events.append(Event(row, first, last, running, accepted, excess))
    state.sign[row] = 0


def _accept(state: _State, row: int, first: int, last: int) -> None:
    """Make the level of an event what is expected from the next day on: move the history before it there."""
    had = state.clean[row, first : last + 1].sum()
    has = (state.expected[row, first : last + 1] + state.off[row, first : last + 1]).sum()
    before = slice(max(0, first - WEEKDAYS), first)
    values = state.expected[row, first : last + 1] + state.off[row, first : last + 1]
    if had > 0:
        state.clean[row, before] *= has / had
        state.base[row, max(0, first - LEVEL) : last + 1] *= has / had
    else:
        state.clean[row, before] = np.median(values)
        state.base[row, max(0, first - LEVEL) : last + 1] = np.median(values)
    state.shift[row] += float(np.median(state.off[row, first : last + 1]))
    # The weekdays of these two weeks are known at the new level.
    state.clean[row, first : last + 1] = values


def _forget(state: _State, one: Accepted) -> None:
    """Take the days that a person called expected for usual ones: the event ends, and a level that lasts is accepted."""
    state.events = [
        event
        for event in state.events
        if event.row != one.row or event.last < one.first or event.first > one.last
    ]
    running = state.sign[one.row] != 0 and state.begin[one.row] <= one.last
    state.sign[one.row] = 0
    if running and one.last - one.first >= 1:
        _accept(state, one.row, one.first, one.last)
