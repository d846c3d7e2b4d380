"""Daily costs of made-up sources over two years, with events planted in the second, each written down.

Nothing here knows how anomalies are found. The series have what daily costs have: weekdays, noise that is not normal
and remembers the day before, growth, jobs on the first and at the end of the month, batches on some days, public
holidays, services of cents, new accounts, and fees, taxes and credits dated on one day of the month. Everything comes
from a seed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

START, YEAR, END = date(2023, 1, 1), date(2024, 1, 1), date(2025, 1, 1)
DAYS, SECOND = (END - START).days, (YEAR - START).days
HOLIDAYS = ((1, 1), (4, 1), (5, 1), (5, 9), (5, 20), (10, 3), (11, 1), (12, 24), (12, 25), (12, 26), (12, 31))
KINDS = ("steady", "office", "batch", "noisy", "first of month", "end of month", "growing", "some days")
SHARES = (0.34, 0.2, 0.08, 0.12, 0.05, 0.03, 0.08, 0.1)
# Days between two events of a source, and between two events of one series.
APART, REST = 8, 100
# The largest factor of chance.
CHANCE = 1.65


@dataclass(frozen=True)
class Planted:
    """An event: which series it is in, from which day to which, by what factor, on how much a day."""

    kind: str
    factor: float
    rows: tuple[int, ...]
    scope: tuple[str | None, str | None]
    first: int
    last: int
    base: float

    @property
    def days(self) -> int:
        """How many days it lasts."""
        return self.last - self.first + 1

    @property
    def sign(self) -> int:
        """1 for more, -1 for less."""
        return 1 if self.factor > 0 else -1


@dataclass(frozen=True)
class Source:
    """A source: its series by account and service, usage and other charges by day, and what was planted."""

    name: str
    keys: tuple[tuple[str, str], ...]
    kinds: tuple[str, ...]
    usage: Floats
    fees: Floats
    taxes: Floats
    planted: tuple[Planted, ...]


def make(seed: int, sources: int = 3, accounts: int = 20, services: int = 25) -> list[Source]:
    """Return the sources of a seed."""
    random = np.random.default_rng(seed)
    return [_source(random, f"source{number}", accounts, services) for number in range(1, sources + 1)]


def _source(random: np.random.Generator, name: str, accounts: int, services: int) -> Source:
    keys = [
        (f"{account:012d}", f"Service {service}")
        for account in range(1, accounts + 1)
        for service in range(1, services + 1)
        if random.random() < 0.6 * service**-0.2
    ]
    kinds = random.choice(len(KINDS), len(keys), p=SHARES)
    level = np.exp(random.normal(2.2, 1.8, len(keys)))
    usage = np.stack([_series(random, KINDS[kind], mean) for kind, mean in zip(kinds, level, strict=True)])
    # What moves the whole source, such as its customers.
    usage *= _noise(random, 0.01, 0.8)
    _start_accounts(random, keys, usage)
    planted = _plant(random, keys, kinds, usage)
    usage = np.maximum(usage, 0).round(6)
    fees, taxes = _others(random, keys, usage)
    return Source(name, tuple(keys), tuple(KINDS[kind] for kind in kinds), usage, fees, taxes, tuple(planted))


def _calendar() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return weekday, day of the month, days to its end, and whether it is a holiday, of each day."""
    days = [START + timedelta(days=day) for day in range(DAYS)]
    after = [(day.replace(day=1) + timedelta(days=31)).replace(day=1) for day in days]
    return (
        np.array([day.weekday() for day in days]),
        np.array([day.day for day in days]),
        np.array([(end - day).days for day, end in zip(days, after, strict=True)]),
        np.array([(day.month, day.day) in HOLIDAYS for day in days]),
    )


def _noise(random: np.random.Generator, spread: float, memory: float) -> Floats:
    """Return factors around 1: noise with heavy tails that remembers a part of the day before.

    A day that doubles is an event, so chance alone does not double a day: the factors end at `CHANCE`.
    """
    shocks = random.standard_t(5, DAYS) * spread / np.sqrt(5 / 3)
    found = np.empty(DAYS)
    last = 0.0
    for day, shock in enumerate(shocks):
        last = memory * last + np.sqrt(1 - memory**2) * shock
        found[day] = last
    factors: Floats = np.exp(np.clip(found, -np.log(CHANCE), np.log(CHANCE)))
    return factors


def _series(random: np.random.Generator, kind: str, mean: float) -> Floats:
    """Return the daily costs of one series without events."""
    weekday, day_of_month, to_end, holiday = _calendar()
    # The services of the real month in the shared data vary by 0 to 3 % a day, between changes of their level.
    spread = random.uniform(0.1, 0.25) if kind == "noisy" else random.uniform(0.003, 0.06)
    found: Floats = mean * _noise(random, spread, random.uniform(0, 0.6))
    growth: float = random.uniform(0.03, 0.07) if kind == "growing" else random.normal(0.004, 0.008)
    found *= (1 + growth) ** ((np.arange(DAYS, dtype=np.float64) - SECOND) / 30.4)
    if kind == "office":
        free = (weekday >= 5) | holiday
        found *= np.where(free, random.uniform(0.0, 0.5), 1.0)
    elif kind == "batch":
        found *= np.where(np.isin(weekday, random.choice(7, 2, replace=False)), random.uniform(1.5, 4), 0.7)
    elif kind == "first of month":
        found *= np.where(day_of_month == 1, random.uniform(2, 6), 1.0)
    elif kind == "end of month":
        found *= np.where(to_end <= 3, random.uniform(1.5, 3), 1.0)
    elif kind == "some days":
        found *= random.random(DAYS) < random.uniform(0.1, 0.4)
    return found


def _start_accounts(random: np.random.Generator, keys: Sequence[tuple[str, str]], usage: Floats) -> None:
    """Let two accounts begin in the first year, before the days that are judged."""
    for account in random.choice(sorted({account for account, _ in keys}), 2, replace=False):
        rows = [row for row, key in enumerate(keys) if key[0] == account]
        usage[rows, : random.integers(100, 250)] = 0


def _plans(random: np.random.Generator) -> Iterator[tuple[str, float, int, float]]:
    """Yield events in a random order, again and again: kind, factor, days (0: for good) and base a day."""
    while True:
        plans = [
            *(("shift", factor, 0, base) for factor in (0.3, 0.5, 1.0, 3.0) for base in (5, 50, 500)),
            *(("days", factor, int(random.integers(2, 10)), base) for factor in (0.5, 1.0, 3.0) for base in (50, 500)),
            *(("spike", factor, 1, base) for factor in (1.0, 3.0) for base in (5, 50, 500)),
            *(("ramp", 1.0, 0, base) for base in (50, 500)),
            *(("new", 1.0, 0, base) for base in (5, 50, 500)),
            *(("stop", -1.0, 0, base) for base in (50, 500)),
            *(("account", 0.6, int(random.integers(3, 10)), 0) for _ in range(2)),
            *(("service", 0.5, 0, 0) for _ in range(2)),
        ]
        for index in random.permutation(len(plans)):
            yield plans[index]


def _plant(
    random: np.random.Generator, keys: Sequence[tuple[str, str]], kinds: NDArray[np.int64], usage: Floats
) -> list[Planted]:
    """Plant an event about every `APART` days of the second year, and return them."""
    planted: list[Planted] = []
    free_at = np.zeros(len(keys), dtype=np.int64)
    day = SECOND + int(random.integers(APART))
    for kind, factor, days, base in _plans(random):
        if day > DAYS - 12:
            return planted
        before = usage[:, day - 28 : day].mean(axis=1)
        # A new series has no past, so nothing is planted in it before.
        free = free_at == 0 if kind == "new" else free_at <= day
        usable = free & (kinds != KINDS.index("some days")) & (before > 0)
        rows = _choose(random, keys, before, usable, kind, base)
        if rows:
            last = DAYS - 1 if not days else min(day + days - 1, DAYS - 1)
            amount = float(before[rows].sum())
            if kind == "new":
                usage[rows, :day] = 0
            else:
                length = last - day + 1
                shape = np.minimum(np.arange(1, length + 1) / 30, 1) if kind == "ramp" else np.ones(length)
                usage[np.ix_(rows, range(day, last + 1))] *= 1 + factor * shape
            accounts, services = ({keys[row][part] for row in rows} for part in (0, 1))
            scope = (
                next(iter(accounts)) if len(accounts) == 1 else None,
                next(iter(services)) if len(services) == 1 else None,
            )
            planted.append(Planted(kind, factor, tuple(rows), scope, day, last, amount))
            free_at[rows] = day + REST
            day += int(random.integers(APART - 3, APART + 4))
        else:
            day += 1
    return planted


def _choose(
    random: np.random.Generator,
    keys: Sequence[tuple[str, str]],
    before: Floats,
    usable: NDArray[np.bool_],
    kind: str,
    base: float,
) -> list[int]:
    """Return the rows of an event: one of about the base, or all of an account or a service of 50 a day or more."""
    if kind in ("account", "service"):
        part = 0 if kind == "account" else 1
        names = sorted({key[part] for row, key in enumerate(keys) if usable[row]})
        for name in random.permutation(names):
            rows = [row for row, key in enumerate(keys) if key[part] == name and usable[row]]
            if before[rows].sum() >= 50 and len(rows) >= 5:
                return rows
        return []
    near = np.flatnonzero(usable & (before >= base / 1.6) & (before <= base * 1.6))
    return [int(random.choice(near))] if len(near) else []


def _others(random: np.random.Generator, keys: Sequence[tuple[str, str]], usage: Floats) -> tuple[Floats, Floats]:
    """Return fees and credits, and taxes. Support is for the month before; tax is on the first, fees on their day."""
    _, day_of_month, _, _ = _calendar()
    fees, taxes = np.zeros_like(usage), np.zeros_like(usage)
    firsts = np.flatnonzero(day_of_month == 1)
    ends = [*firsts[1:], DAYS]
    big = int(np.argmax(usage.mean(axis=1)))
    monthly = usage.sum() / len(firsts)
    for row in random.choice(len(keys), 5, replace=False):
        amount, on = monthly * random.uniform(0.002, 0.02), int(random.integers(1, 29))
        fees[row, day_of_month == on] += amount
    # A credit that ends after some months, and two purchases that are made once.
    fees[big, day_of_month == 28] -= np.where(np.arange(len(firsts)) < random.integers(8, 20), monthly * 0.01, 0)
    for _ in range(2):
        fees[big, random.integers(SECOND, DAYS)] += monthly * random.uniform(0.02, 0.08)
    for first, end in zip(firsts, ends, strict=True):
        fees[big, end % DAYS] += 0.03 * usage[:, first:end].sum() * (end < DAYS)
        taxes[:, first] += 0.19 * (usage[:, first:end].sum(axis=1) + fees[:, first:end].sum(axis=1)).clip(0)
    return np.round(fees, 6), np.round(taxes, 6)
