"""Find the days on which daily costs left what was expected of them, in many series at once.

A series is compared with itself: with the median of the same weekday in the weeks before, moved to the level of the
last two weeks. The scale of what is usual is a robust spread of its own errors. A day is out of line where it is off by
several scales, by a minimum of money, and by a minimum share: at once where it is off by much, and on the second day
where it is off by less. A day that comes in each month, such as a job on the first, is expected from its second time
on.

Only days before a day decide about it, so a day that was judged is judged alike on all later days. Days that are out of
line do not enter what is expected. After `ACCEPT` days of an event, its level is what is expected from then on.

These are estimates, so they are floats. The amounts of an event come from the tables, as exact numbers.
"""

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
# Scales that a day has to be off: on one day, or on two in a row. Low days have to be more.
ONE_DAY, TWO_DAYS, LOW_DAYS = 7.0, 3.5, 4
# A scale is never smaller than this share of what is expected. With less than four weeks of history it is larger.
LEAST_SCALE, EARLY_SCALE, EARLY = 0.05, 0.12, 4 * WEEK
# The share of the level that a low weekday is taken for at least, to measure its error.
LOW_WEEKDAY = 0.3
# The largest factor between the level of two weeks and that of eight: a level that ran farther away is an event.
TREND = 1.1
# Days of an event until its level is what is expected, and quiet days that end an event.
ACCEPT, QUIET = 14, 3
# An event goes on while a day is off by this share of what a day has to be off to begin one.
GOES_ON = 0.5
# How large an earlier jump is, against the one of the day, to make the day's a habit of the series.
ALIKE = 0.4
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

    `noticed` is the day that made it an event: the first one, or one of the next if a single day is not enough.
    `excess` is what each of these days was off, negative where it was too low. `accepted`: the level stayed, and is
    what is expected now.
    """

    row: int
    first: int
    noticed: int
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
class Found:
    """The events, and the series without them: what is left for the sums over several series to tell."""

    events: list[Event]
    without: Floats


class _State:
    """What the loop over the days knows of each series."""

    def __init__(self, values: Floats) -> None:
        count = len(values)
        self.values = values
        self.clean = values.copy()  # values that the next days are compared with
        self.without = values.copy()
        self.base = np.zeros_like(values)  # median of the weekday
        self.expected = np.zeros_like(values)
        self.off = np.zeros_like(values)  # value less expected, of every day
        self.usual = np.zeros_like(values)  # by what share a day was off that was not out of line
        self.factor = np.ones(count)  # of the levels that were accepted, to the one before them
        self.stopped = np.zeros(count, dtype=bool)  # for good, as was accepted
        self.sign = np.zeros(count, dtype=np.int8)  # of the event that goes on
        self.begin = np.zeros(count, dtype=np.int64)
        self.noticed = np.zeros(count, dtype=np.int64)
        self.last = np.zeros(count, dtype=np.int64)  # its last day out of line
        self.run = np.zeros(count, dtype=np.int64)  # days in a row that are out of line, of an event or not
        self.run_sign = np.zeros(count, dtype=np.int8)
        self.run_begin = np.zeros(count, dtype=np.int64)
        self.events: list[Event] = []


def detect(
    values: Floats,
    start: date,
    limits: Limits,
    *,
    begin: int = HISTORY,
    complete: int | None = None,
) -> Found:
    """Return the events of the series `values`, one row each and one column a day from `start` on.

    The first day is the first one with costs of any series. Events that end before the day `begin` are left out. Days
    from `complete` on still grow: they can be too high, and never too low. They end no event, and nothing is compared
    with them.
    """
    days = values.shape[1]
    state = _State(values)
    complete = days if complete is None else complete
    months = [_same_days(start, day) for day in range(days)]
    for day in range(WEEK, days):
        _expect(state, day)
        state.off[:, day] = values[:, day] - state.expected[:, day]
        measure = _measure(state, day)
        share = _share(state, day)
        quiet = np.ones(len(values), dtype=bool)
        if day >= HISTORY:
            needed = np.maximum(limits.minimum, limits.share * np.maximum(state.expected[:, day], 0))
            quiet = _judge(state, day, share * measure, needed, months[day], late=day >= complete)
        if day >= complete:
            quiet[:] = False
            state.clean[:, day] = state.expected[:, day]
        state.usual[:, day] = np.where(quiet, np.abs(state.off[:, day]) / measure, share)
    for row in np.flatnonzero(state.sign):
        _end(state, int(row), running=True)
    events = [event for event in state.events if event.last >= begin]
    return Found(sorted(events, key=lambda event: (event.first, event.row)), state.without)


def _same_days(start: date, day: int) -> list[int]:
    """Return the days that are the same day of the two months before, counted from either end, and their neighbours."""
    today = start + timedelta(days=day)
    first = today.replace(day=1)
    found: set[int] = set()
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
    state.expected[:, day] = base * np.clip(ratio, 1 / TREND, TREND)


def _measure(state: _State, day: int) -> Floats:
    """Return what a day's error is a share of: what is expected, or for a low weekday a part of the level."""
    level = state.clean[:, max(0, day - LEVEL) : day].mean(axis=1)
    measure: Floats = np.maximum(state.expected[:, day], LOW_WEEKDAY * level).clip(1e-9)
    return measure


def _share(state: _State, day: int) -> Floats:
    """Return by what share each series is off on a usual day: the larger of two robust standard deviations."""
    least = EARLY_SCALE if day < EARLY else LEAST_SCALE
    since = max(WEEK, day - SCALE)
    if day - since < 3:
        return np.full(len(state.values), least)
    usual = state.usual[:, since:day]
    middle, high = usual.shape[1] // 2, int(usual.shape[1] * 0.9)
    ordered = np.partition(usual, (middle, high), axis=1)
    found = np.maximum(ordered[:, middle] / MEDIAN_OF_NORMAL, ordered[:, high] / NINETIETH_OF_NORMAL)
    return np.maximum(found, least)


def _judge(state: _State, day: int, scale: Floats, needed: Floats, months: list[int], late: bool) -> NDArray[np.bool_]:
    """Begin, continue and end events with the day's values; return which series had a usual day."""
    off = state.off[:, day]
    size = np.abs(off)
    sign = np.sign(off).astype(np.int8)
    if late:
        sign[sign < 0] = 0
    bar = np.maximum(TWO_DAYS * scale, needed)
    out = (sign != 0) & (size >= bar)
    _count(state, day, out, sign, needed)
    # Low days need company: a single one is a holiday, or a delivery that is not complete.
    enough = np.where(sign > 0, (size >= ONE_DAY * scale) | (state.run >= 2), state.run >= LOW_DAYS)
    starts = out & (state.sign == 0) & enough
    goes_on = (state.sign != 0) & (sign == state.sign) & (size >= GOES_ON * bar)
    for row in np.flatnonzero(starts):
        starts[row] = not _is_habit(state, int(row), day, months)
    state.last[starts | goes_on] = day
    for row in np.flatnonzero(starts):
        state.sign[row], state.begin[row], state.noticed[row] = sign[row], state.run_begin[row], day
        _leave_out(state, int(row), day)
    state.without[:, day] *= state.factor
    going = np.flatnonzero(goes_on)
    state.clean[going, day] = state.expected[going, day]
    state.without[going, day] = state.expected[going, day] * state.factor[going]
    # A series whose end was accepted goes on as it was, in the sums that it is a part of.
    state.without[state.stopped, day] = state.without[state.stopped, day - WEEK]
    # A day out of line that is a habit, or not enough for an event, is not what later days are compared with.
    state.clean[out, day] = state.expected[out, day]
    for row in np.flatnonzero(state.sign):
        if day - state.last[row] >= QUIET and not late:
            _end(state, int(row), running=False)
        elif day - state.begin[row] + 1 >= ACCEPT and state.last[row] == day:
            _end(state, int(row), running=False, accepted=True)
            _accept(state, int(row), int(state.begin[row]), day)
    quiet: NDArray[np.bool_] = ~(out | starts | goes_on)
    return quiet


def _count(state: _State, day: int, out: NDArray[np.bool_], sign: NDArray[np.int8], needed: Floats) -> None:
    """Count the days in a row that are out of line in one direction. A day too low to fall does not interrupt."""
    same = out & (sign == state.run_sign) & (state.run > 0)
    too_low = ~out & (state.run_sign < 0) & (state.expected[:, day] < needed)
    fresh = out & ~same
    state.run = np.where(same, state.run + 1, np.where(fresh, 1, np.where(too_low, state.run, 0)))
    state.run_begin[fresh] = day
    state.run_sign = np.where(fresh, sign, state.run_sign).astype(np.int8)


def _is_habit(state: _State, row: int, day: int, months: list[int]) -> bool:
    """Return whether the series did the like before: on this day of a month, or twice in the last eight weeks."""
    off = state.off[row]
    sign = 1.0 if off[day] > 0 else -1.0
    alike = sign * off >= ALIKE * abs(off[day])
    if months and bool(alike[months].any()):
        return True
    begin = int(state.run_begin[row])
    recent = alike[max(HISTORY, day - WEEKDAYS) : begin].astype(np.int64)
    jumps = int(np.count_nonzero(np.diff(recent, prepend=0) == 1))
    if jumps < 2:
        return False
    # It is more than the habit where a week has two such days more than any week before.
    sums = np.cumsum(np.concatenate(([0], recent)))
    most = int((sums[WEEK:] - sums[:-WEEK]).max(initial=0))
    return int(np.count_nonzero(alike[max(0, day - WEEK + 1) : day + 1])) <= most + 1


def _leave_out(state: _State, row: int, day: int) -> None:
    """Take the days until now of an event that begins out of what later days are compared with."""
    days = slice(int(state.begin[row]), day + 1)
    state.clean[row, days] = state.expected[row, days]
    state.without[row, days] = state.expected[row, days] * state.factor[row]


def _end(state: _State, row: int, *, running: bool, accepted: bool = False) -> None:
    first, last = int(state.begin[row]), int(state.last[row])
    excess = state.off[row, first : last + 1].copy()
    state.events.append(Event(row, first, int(state.noticed[row]), last, running, accepted, excess))
    state.sign[row] = 0


def _accept(state: _State, row: int, first: int, last: int) -> None:
    """Make the level of an event what is expected from the next day on: move the history before it there."""
    days, before = slice(first, last + 1), slice(max(0, first - WEEKDAYS), first)
    level = slice(max(0, first - LEVEL), last + 1)
    values = state.values[row, days]
    had, has = float(state.clean[row, days].sum()), float(values.sum())
    if had > 0:
        state.clean[row, before] *= has / had
        state.base[row, level] *= has / had
        state.stopped[row] = has <= 0
        state.factor[row] *= had / has if has > 0 else 1.0
    else:
        # Nothing is known of its weekdays but what these days show.
        weekdays = values[-(len(values) // WEEK) * WEEK :].reshape(-1, WEEK).mean(axis=0)
        at = np.arange(before.start - last - 1, 0) % WEEK
        filled = weekdays[at]
        state.clean[row, before] = filled[: first - before.start]
        state.base[row, level] = filled[level.start - before.start :]
        # A series that is new stays out of them.
        state.factor[row] = 0.0
    state.clean[row, days] = values
