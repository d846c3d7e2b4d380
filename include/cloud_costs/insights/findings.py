"""Tell each event once, at the level that explains it: a service of an account, an account, a service, or the source.

First each service of each account is looked at by itself. Changes that begin together, in the same direction, and in
the same account or the same service, are one event. It is told at the narrowest level that holds most of its money.
What these events explain is taken out. Then the sums over accounts, over services, and over the whole source are looked
at, for changes that are too small in each series and large in their sum.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np

from cloud_costs.insights.detection import HISTORY, QUIET, Event, Floats, Limits, detect

# The share of an event's money that a level has to hold, so that the event is told there.
MOST = 0.8
# Days that the parts of one event may begin apart.
APART = 1
# Parts that are kept of an event, and days before it that the parts of a sum are compared with.
MAX_PARTS, BEFORE = 10, 28

Key = tuple[str, str]
Scope = tuple[str | None, str | None]
LimitsOf = Callable[[Sequence[Scope]], Limits]


@dataclass(frozen=True)
class Grid:
    """Daily costs of one source in one currency: a row for each account and service, a column for each day."""

    source: str
    currency: str
    start: date
    keys: Sequence[Key]
    values: Floats
    complete: int
    """How many of the days are complete; those after them still grow."""


@dataclass(frozen=True)
class Part:
    """What one service of one account adds to an event: money above what was expected."""

    account_id: str
    service: str
    impact: float


@dataclass(frozen=True)
class Finding:
    """An event as it is told. None stands for all accounts, or all services."""

    source: str
    currency: str
    account_id: str | None
    service: str | None
    first_date: date
    noticed: date
    """The day that made it an event."""
    last_date: date
    running: bool
    accepted: bool
    impact: float
    parts: Sequence[Part] = field(default_factory=tuple)
    excess: Mapping[date, float] = field(default_factory=dict)
    """What each day adds to the impact."""

    @property
    def scope(self) -> Scope:
        """The account and the service."""
        return self.account_id, self.service

    @property
    def sign(self) -> int:
        """1 for too high, -1 for too low."""
        return 1 if self.impact >= 0 else -1

    def near(self, other: "Finding", days: int = APART) -> bool:
        """Return whether both go in one direction, and their days overlap or are at most `days` apart."""
        pause = timedelta(days=days)
        return (
            self.sign == other.sign
            and self.first_date <= other.last_date + pause
            and other.first_date <= self.last_date + pause
        )


def covers(scope: Scope, other: Scope) -> bool:
    """Return whether a scope holds all of another one."""
    return all(mine is None or mine == theirs for mine, theirs in zip(scope, other, strict=True))


def find(grid: Grid, limits_of: LimitsOf, *, begin: int = HISTORY) -> list[Finding]:
    """Return the events of a source in one currency, in the order of their first days.

    `limits_of` returns the limits of scopes, which are pairs of account and service, with None for all.
    """
    limits = limits_of(grid.keys)
    # A series that never reaches the minimum of money cannot be out of line by it.
    rows = np.flatnonzero(grid.values.max(axis=1, initial=0) >= limits.minimum)
    found = detect(grid.values[rows], grid.start, limits.take(rows), begin=begin, complete=grid.complete)
    without = grid.values.copy()
    without[rows] = found.without
    events = [replace(one, row=int(rows[one.row])) for one in found.events]
    findings = [_tell(grid, group) for group in _groups(grid, events)]
    sums: list[Finding] = []
    for level in (0, 1):
        for one in _sums(grid, without, limits_of, level, begin):
            _add(sums, one, findings)
    findings += sums
    findings += [
        one for one in _whole(grid, without, limits_of, begin) if not any(one.near(other, QUIET) for other in findings)
    ]
    return sorted(findings, key=lambda one: (one.first_date, str(one.scope)))


def _groups(grid: Grid, events: Sequence[Event]) -> Iterable[list[Event]]:
    """Yield the events that belong together: those that begin together in one account or in one service."""
    groups = list(range(len(events)))

    def group_of(index: int) -> int:
        while groups[index] != index:
            index = groups[index]
        return index

    for index, event in enumerate(events):
        # Events are in the order of their first days.
        for before in range(index - 1, -1, -1):
            other = events[before]
            if event.first - other.first > APART:
                break
            mine, theirs = grid.keys[event.row], grid.keys[other.row]
            if event.sign == other.sign and (mine[0] == theirs[0] or mine[1] == theirs[1]):
                groups[group_of(index)] = group_of(before)
    together: dict[int, list[Event]] = {}
    for index, event in enumerate(events):
        together.setdefault(group_of(index), []).append(event)
    return together.values()


def _tell(grid: Grid, events: Sequence[Event]) -> Finding:
    """Return a group of events as one, at the narrowest level that holds most of the money."""
    total = sum(event.impact for event in events)
    sums: dict[Scope, float] = {}
    for event in events:
        account, service = grid.keys[event.row]
        scopes: list[Scope] = [(account, service), (account, None), (None, service), (None, None)]
        for scope in scopes:
            sums[scope] = sums.get(scope, 0.0) + event.impact
    narrow = sorted(sums, key=lambda scope: scope.count(None))
    scope = next(scope for scope in narrow if sums[scope] / total >= MOST or scope == (None, None))
    parts = [Part(*grid.keys[event.row], event.impact) for event in events]
    whole = replace(
        events[0],
        first=min(event.first for event in events),
        noticed=min(event.noticed for event in events),
        last=max(event.last for event in events),
        running=any(event.running for event in events),
        accepted=all(event.accepted for event in events),
    )
    return _finding(grid, scope, whole, _excess(grid, events), parts)


def _finding(grid: Grid, scope: Scope, event: Event, excess: Mapping[date, float], parts: Iterable[Part]) -> Finding:
    largest = sorted(parts, key=lambda part: -abs(part.impact))[:MAX_PARTS]
    first, noticed, last = (grid.start + timedelta(days=day) for day in (event.first, event.noticed, event.last))
    return Finding(
        source=grid.source,
        currency=grid.currency,
        account_id=scope[0],
        service=scope[1],
        first_date=first,
        noticed=noticed,
        last_date=last,
        running=event.running,
        accepted=event.accepted,
        impact=sum(excess.values()),
        parts=tuple(largest),
        excess=excess,
    )


def _excess(grid: Grid, events: Iterable[Event]) -> dict[date, float]:
    """Return what each day was off, in all of the events."""
    found: dict[date, float] = {}
    for event in events:
        for number, excess in enumerate(event.excess, event.first):
            day = grid.start + timedelta(days=number)
            found[day] = found.get(day, 0.0) + float(excess)
    return dict(sorted(found.items()))


def _sums(grid: Grid, without: Floats, limits_of: LimitsOf, level: int, begin: int) -> Iterable[Finding]:
    """Yield the events of the sums over each account (level 0) or each service (level 1) with several series."""
    rows_of: dict[str, list[int]] = {}
    for row, key in enumerate(grid.keys):
        rows_of.setdefault(key[level], []).append(row)
    names = [name for name, rows in rows_of.items() if len(rows) > 1]
    if not names:
        return
    scopes: list[Scope] = [(name, None) if level == 0 else (None, name) for name in names]
    summed = np.stack([without[rows_of[name]].sum(axis=0) for name in names])
    found = detect(summed, grid.start, limits_of(scopes), begin=begin, complete=grid.complete)
    for event in found.events:
        yield _told_sum(grid, scopes[event.row], event, without, rows_of[names[event.row]])


def _whole(grid: Grid, without: Floats, limits_of: LimitsOf, begin: int) -> list[Finding]:
    """Return the events of the whole source."""
    whole: list[Scope] = [(None, None)]
    summed = without.sum(axis=0, keepdims=True)
    found = detect(summed, grid.start, limits_of(whole), begin=begin, complete=grid.complete)
    rows = range(len(grid.keys))
    return [_told_sum(grid, whole[0], event, without, rows) for event in found.events]


def _told_sum(grid: Grid, scope: Scope, event: Event, without: Floats, rows: Sequence[int]) -> Finding:
    """Return the event of a sum, with what each of its series was off the mean of the four weeks before."""
    days = without[rows, event.first : event.last + 1]
    before = without[rows, max(0, event.first - BEFORE) : event.first]
    off = days.sum(axis=1) - before.mean(axis=1) * days.shape[1]
    parts = [Part(*grid.keys[rows[at]], float(off[at])) for at in map(int, np.flatnonzero(off * event.sign > 0))]
    return _finding(grid, scope, event, _excess(grid, [event]), parts)


def _add(sums: list[Finding], one: Finding, told: Sequence[Finding]) -> None:
    """Add the event of a sum, unless it is what is left of one that is told, or a smaller part of another sum's."""
    if any(one.near(other, QUIET) and covers(one.scope, other.scope) for other in told):
        return
    same = [other for other in sums if one.near(other)]
    if all(abs(one.impact) > abs(other.impact) for other in same):
        for other in same:
            sums.remove(other)
        sums.append(one)
