"""Which days are complete. A provider fills a day for hours or days after its end, so the last days still grow.

How long that takes is learned for each source: `day_totals` keeps what each day cost as of each load, and a day is
taken for complete from the age on at which days hardly changed from one load to the next.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from psycopg import sql

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.months import months_before

# A day that changed by less than this share did not change.
SHARE = 0.01
# Of the days of an age, how many have to stay so that the age is complete; and how many have to be seen to judge.
MOST, SEEN = 0.9, 5
# The age at which a day is complete where a source has not taught another, and the oldest that is looked at. An age of
# 1 is yesterday. AWS fills a day for up to two days after its end.
COMPLETE_AGE, LONGEST = 3, 10
# Days after the end of a month in which providers still change it. AWS documents two weeks until the invoice, and
# credits, refunds and support fees after it.
OPEN_DAYS = 60
# Months before the newest one whose days are kept as of each load, and whose days are read.
KEPT, READ = 3, 7


@dataclass(frozen=True)
class SourceDays:
    """The days of one source in one currency: those with usage, and those of them that are complete."""

    source: str
    currency: str
    first: date
    last: date
    complete: date
    """The last complete day."""
    billing_period: date
    version: str | None
    age: int
    """The age in days, as of a load, from which on a day is complete."""


def read(connection: Connection, database: Database) -> list[SourceDays]:
    """Return the days of every source and currency with usage, and keep what they cost as of the loads of now."""
    newest = connection.execute(_compose(database, "newest_loads")).fetchall()
    for source, period, _, _ in newest:
        since = {"source": source, "since": months_before(period, KEPT)}
        connection.execute(_compose(database, "record_days"), since)
    ages = complete_ages(connection, database)
    found = []
    for source, period, loaded_on, version in newest:
        age = ages.get(source, COMPLETE_AGE)
        complete = loaded_on - timedelta(days=age)
        since = {"source": source, "since": months_before(period, READ)}
        for currency, first, last in connection.execute(_compose(database, "source_days"), since):
            found.append(SourceDays(source, currency, first, last, min(last, complete), period, version, age))
    return found


def complete_ages(connection: Connection, database: Database) -> dict[str, int]:
    """Return the age in days at which a day is complete, of the sources that have taught it."""
    rows = connection.execute(_compose(database, "growth"), {"share": SHARE, "longest": LONGEST}).fetchall()
    seen: dict[str, dict[int, tuple[int, int]]] = {}
    for source, age, days, changed in rows:
        seen.setdefault(source, {})[age] = (days, changed)
    return {source: age for source, ages in seen.items() if (age := _complete_age(ages)) is not None}


def why_open(end: date, today: date) -> str | None:
    """Return why a month that ends on a day is an estimate; None where it is final."""
    days = (today - end).days
    if days <= 0:
        return "is not over"
    if days <= OPEN_DAYS:
        return f"ended {days} day{'s' if days > 1 else ''} ago, and providers still change it"
    return None


def _complete_age(ages: Mapping[int, tuple[int, int]]) -> int | None:
    """Return the age after the oldest at which days still changed; None where too little was seen.

    `ages` has the number of days seen of each age, and how many of them changed.
    """
    judged = {age: changed / days for age, (days, changed) in ages.items() if days >= SEEN}
    if len(judged) < COMPLETE_AGE:
        return None
    return max((age + 1 for age, share in judged.items() if share > 1 - MOST), default=1)


def _compose(database: Database, name: str) -> sql.Composed:
    tables = ("costs_by_day_account", "day_totals", "load_history", "published_months")
    return sql_files.compose(
        sql_files.read(f"insights/{name}.sql"), **{table: database.table(table) for table in tables}
    )
