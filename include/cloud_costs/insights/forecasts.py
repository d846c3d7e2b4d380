"""`forecast`: where each month that is not over will end, for each source, its accounts, its services, and all."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from psycopg import sql

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.insights import days as source_days
from cloud_costs.insights.days import SourceDays
from cloud_costs.insights.forecasting import Daily, Floats, Forecast
from cloud_costs.insights.forecasting import forecast as make
from cloud_costs.insights.turn import writing
from cloud_costs.months import months_before, next_month

log = logging.getLogger(__name__)

METRICS, KINDS = ("billed", "effective"), ("usage", "fees", "taxes")
# Months of history: those that teach the errors, and what the first of them needs.
HISTORY = 14
CENT = Decimal("0.01")
KEY = ("as_of", "source", "currency", "account_id", "service", "month", "metric")
AMOUNTS = ("to_date", "expected", "low", "high")

# An account and a service; None for all.
Level = tuple[str | None, str | None]


@dataclass(frozen=True)
class Levels:
    """Daily costs of one source in one currency, by metric; the first row is the whole source."""

    days: SourceDays
    levels: Sequence[Level]
    daily: dict[str, Daily]


def forecast(database: Database) -> int:
    """Write the forecasts as of the last complete days, and return how many rows there are.

    A day that has forecasts already gets them again.
    """
    with writing(database) as connection:
        known = source_days.read(connection, database)
        written = 0
        for currency in sorted({days.currency for days in known}):
            sources = [
                read_levels(connection, database, days, _start(known)) for days in known if days.currency == currency
            ]
            for levels in sources:
                for month in open_months(levels.days):
                    written += _write(connection, database, levels, month)
            newest = max(levels.days.billing_period for levels in sources)
            written += _write_total(connection, database, [one for one in sources if one.days.billing_period == newest])
    log.info("forecast rows=%s", written)
    return written


def _start(known: Sequence[SourceDays]) -> date:
    return months_before(max(days.billing_period for days in known), HISTORY)


def open_months(days: SourceDays) -> list[date]:
    """Return the newest month of a source, and the one before it while days of it still grow."""
    before = months_before(days.billing_period, 1)
    is_open = before <= days.complete < days.billing_period - timedelta(days=1)
    return [before, days.billing_period] if is_open else [days.billing_period]


def read_levels(connection: Connection, database: Database, days: SourceDays, start: date) -> Levels:
    """Return the daily costs of a source, its accounts and its services, from the first day of a month on."""
    end = next_month(days.billing_period)
    length = (end - start).days
    levels: list[Level] = [(None, None)]
    arrays = {(metric, kind): [np.zeros(length)] for metric in METRICS for kind in KINDS}
    wanted = {"source": days.source, "currency": days.currency, "first": start, "last": end - timedelta(days=1)}
    for column, table in (("account_id", "costs_by_day_account"), ("service", "costs_by_day_service")):
        query = sql_files.compose(
            sql_files.read("insights/level_by_day.sql"), column=sql.Identifier(column), totals=database.table(table)
        )
        places: dict[str, int] = {}
        with connection.cursor(binary=True) as cursor:
            for value, kind, numbers, billed, effective in cursor.execute(query, wanted):
                if value not in places:
                    places[value] = len(levels)
                    levels.append((value, None) if column == "account_id" else (None, value))
                    for rows in arrays.values():
                        rows.append(np.zeros(length))
                for metric, costs in zip(METRICS, (billed, effective), strict=True):
                    np.add.at(arrays[metric, kind][places[value]], np.asarray(numbers), np.asarray(costs))
        if column == "account_id":
            for rows in arrays.values():
                rows[0] = np.sum(rows[1:], axis=0) if len(rows) > 1 else rows[0]
    complete = (days.complete - start).days + 1
    daily = {metric: Daily(start, complete, *(np.stack(arrays[metric, kind]) for kind in KINDS)) for metric in METRICS}
    return Levels(days, levels, daily)


def _write(connection: Connection, database: Database, levels: Levels, month: date) -> int:
    """Write the forecasts of one source for a month. Accounts and services without costs lately are left out."""
    days = levels.days
    to_date = _to_date(connection, database, days, month)
    made = {metric: make(levels.daily[metric], month, next_month(month)) for metric in METRICS}
    final = days.complete >= next_month(month) - timedelta(days=1)
    rows = [
        (days.complete, days.source, days.currency, *level, month, metric, *amounts)
        for at, level in enumerate(levels.levels)
        for metric in METRICS
        if (amounts := _amounts(made[metric], at, to_date.get((*level, metric), Decimal(0)), final))[1]
    ]
    return _replace(connection, database, rows, (days.complete, days.source, days.currency, month))


def _write_total(connection: Connection, database: Database, sources: Sequence[Levels]) -> int:
    """Write the forecasts of all sources of a currency together, as of the day that is complete in all of them."""
    first = sources[0].days
    month = first.billing_period
    as_of = min(one.days.complete for one in sources)
    rows = []
    for metric in METRICS:
        parts = [one.daily[metric] for one in sources]
        known = min(part.known for part in parts)
        total = Daily(parts[0].start, known, *(_total(parts, kind) for kind in KINDS))
        # The accounts and services of the sources teach the errors: the total alone has one a month.
        teacher = Daily(
            parts[0].start, known, *(np.concatenate([getattr(one, kind) for one in [total, *parts]]) for kind in KINDS)
        )
        made = make(total, month, next_month(month), teacher)
        to_date = sum(
            (
                _to_date(connection, database, one.days, month, as_of).get((None, None, metric), Decimal(0))
                for one in sources
            ),
            Decimal(0),
        )
        final = as_of >= next_month(month) - timedelta(days=1)
        rows.append((as_of, None, first.currency, None, None, month, metric, *_amounts(made, 0, to_date, final)))
    return _replace(connection, database, rows, (as_of, None, first.currency, month))


def _total(parts: Sequence[Daily], kind: str) -> Floats:
    summed: Floats = np.sum([getattr(part, kind)[:1] for part in parts], axis=0)
    return summed


def _to_date(
    connection: Connection, database: Database, days: SourceDays, month: date, last: date | None = None
) -> dict[tuple[str | None, str | None, str], Decimal]:
    """Return what the complete days of a month cost, by account, service and metric."""
    tables = ("costs_by_day_account", "costs_by_day_service")
    query = sql_files.compose(
        sql_files.read("insights/month_to_date.sql"), **{name: database.table(name) for name in tables}
    )
    end = min(last or days.complete, next_month(month) - timedelta(days=1))
    wanted = {"source": days.source, "currency": days.currency, "month": month, "last": end}
    return {
        (account_id, service, metric): amount
        for account_id, service, *amounts in connection.execute(query, wanted)
        for metric, amount in zip(METRICS, amounts, strict=True)
        if amount is not None
    }


def _amounts(made: Forecast, at: int, to_date: Decimal, final: bool) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Return what is known, expected, low and high. Of a month that is over, all four are the same."""
    if final:
        return to_date, to_date, to_date, to_date
    expected, low, high = (Decimal(float(values[at])).quantize(CENT) for values in (made.expected, made.low, made.high))
    return to_date, expected, low, high


def _replace(connection: Connection, database: Database, rows: Sequence[tuple[Any, ...]], key: tuple[Any, ...]) -> int:
    """Write rows in the place of those of the same day, source, currency and month."""
    table = database.table("forecasts")
    connection.execute(
        sql.SQL(
            "delete from {} where as_of = %s and source is not distinct from %s and currency = %s and month = %s"
        ).format(table),
        key,
    )
    columns = sql.SQL(", ").join(map(sql.Identifier, KEY + AMOUNTS))
    with connection.cursor() as cursor, cursor.copy(sql.SQL("copy {} ({}) from stdin").format(table, columns)) as copy:
        for row in rows:
            copy.write_row(row)
    return len(rows)
