"""`queries`: how long people wait for `costs` and its totals, with 36 months of three sources.

A month of a source has 30,000 normalized rows. To load 108 real months would take longer than all else here. So each
source loads one month for real; for every other month its raw lines are copied with their dates moved, and from there
on all is as always: the package's own `normalize` and `publish` make the partition, with whatever they give it. A date
past the end of a shorter month becomes its last day. The copied raw lines, which no query of `costs` reads, are emptied
at once to save the disk.
"""

import itertools
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Any

import psycopg
from psycopg import sql

from benchmarks import database
from benchmarks.results import Options, Result
from benchmarks.sample import MONTH, sample
from cloud_costs.charges import by_day
from cloud_costs.charges.views import refresh_views
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Connection, Database, columns_of
from cloud_costs.database.schema import apply_schema
from cloud_costs.formats import FORMATS
from cloud_costs.formats.mapping import line_columns
from cloud_costs.loading.columns import RESERVED, Column
from cloud_costs.loading.staging import create_raw_table
from cloud_costs.months import next_month
from cloud_costs.publishing import history
from cloud_costs.publishing.audit import audit
from cloud_costs.publishing.history import Load, Run
from cloud_costs.publishing.load import load_raw
from cloud_costs.publishing.normalize import normalize
from cloud_costs.publishing.publish import publish
from cloud_costs.storage.local import LocalStorage

SCHEMA = "benchmark_queries"
SOURCES = ("cup", "second", "third")
MONTHS = 36
# What gives 30,000 normalized rows.
LINES, ACCOUNTS = 60_000, 60
REPEATS = 40
# What `page` and people ask of the tables of totals: every column and every two columns.
COLUMNS = ("date", "month", "service", "account_id", *by_day.COMMON)
# Their answers have tens of thousands of rows. PostgreSQL needs most of the time to make these, whatever it reads.
LARGE = (("date", "service"), ("date", "account_id"))
TREND = by_day.table_for(["date", "currency"])


@dataclass(frozen=True)
class Query:
    """A question over some billing months, of which any run takes other ones, and its bar in milliseconds."""

    title: str
    months: int
    text: str
    at_most: float | None = 50
    headline: bool = False


QUERIES = (
    Query(
        "costs: daily trend, 36 months",
        MONTHS,
        """
        select date, currency, sum(cost), sum(effective_cost) from costs
        where billing_period between %(first)s and %(last)s
        group by date, currency order by date
        """,
        # The tables of totals answer it.
        at_most=None,
    ),
    Query(
        "costs: daily trend, a quarter",
        3,
        """
        select date, currency, sum(cost), sum(effective_cost) from costs
        where billing_period between %(first)s and %(last)s
        group by date, currency order by date
        """,
    ),
    Query(
        "costs: by service, a month",
        1,
        """
        select service, currency, sum(cost), sum(effective_cost) from costs
        where billing_period = %(first)s
        group by service, currency order by sum(cost) desc
        """,
    ),
    Query(
        "costs: by account, a quarter",
        3,
        """
        select account_id, currency, sum(cost), sum(effective_cost) from costs
        where billing_period between %(first)s and %(last)s
        group by account_id, currency order by sum(cost) desc
        """,
    ),
    Query(
        f"{TREND}: daily trend, 36 months",
        MONTHS,
        f"""
        select date, currency, sum(cost), sum(effective_cost) from {TREND}
        where billing_period between %(first)s and %(last)s
        group by date, currency order by date
        """,  # noqa: S608  the name of a table
        headline=True,
    ),
)


def run(options: Options) -> list[Result]:
    """Fill the tables and time every query."""
    with filled(options) as (target, rows), target.session() as connection:
        connection.execute(sql.SQL("set search_path to {}").format(sql.Identifier(SCHEMA)))
        return [*(_time(connection, query, rows) for query in QUERIES), *_time_totals(connection, rows)]


@contextmanager
def filled(options: Options) -> Iterator[tuple[Database, int]]:
    """Fill the tables, and return their database and the rows of `costs`; drop them at the end."""
    target = Database(lambda: psycopg.connect(options.server.uri()), SCHEMA, "benchmark")
    database.drop_schema(options.server, SCHEMA)
    try:
        apply_schema(target)
        month = sample(options.work, min(LINES, options.lines), accounts=ACCOUNTS)
        sources = [month.source.model_copy(update={"name": name}) for name in SOURCES]
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(lambda source: _fill(target, source), sources))
        refresh_views(target)
        with target.session() as connection:
            _vacuum(connection)
            row = connection.execute(sql.SQL("select count(*) from {}").format(target.table("costs"))).fetchone()
        yield target, row[0] if row else 0
    finally:
        database.drop_schema(options.server, SCHEMA)


def _fill(target: Database, source: Source) -> None:
    first = load_raw(target, LocalStorage(), source, MONTH)
    first = normalize(target, source, first)
    audit(target, source, first)
    publish(target, source, first)
    month = MONTH
    for number in range(1, MONTHS):
        month = next_month(month)
        with target.session() as connection, history.month_lock(connection, target, source.name, month):
            load = _stage_copy(connection, target, source, first, month, number)
        publish(target, source, normalize(target, source, load))
        with target.session() as connection:
            connection.execute(sql.SQL("truncate {}").format(target.table(load.raw_table)))


def _stage_copy(
    connection: Connection, target: Database, source: Source, first: Load, month: date, months_later: int
) -> Load:
    """Stage the first month's lines as another month's: the columns that the mapping reads, with dates moved."""
    load = history.open_load(connection, target, source, month, False, Run())
    columns = columns_of(connection, target.table(first.raw_table))
    columns.pop(RESERVED)
    staged = target.staging_table(load.raw_table)
    create_raw_table(connection, staged, tuple(Column(name, name, kind) for name, kind in columns.items()), month)
    mapped = {
        alias for column in line_columns(FORMATS[source.format].mapping) for alias in (column.name, *column.aliases)
    }
    names = [name for name in columns if name in mapped or FORMATS["aws_cur"].tags.hold(name)]
    moved = sql.SQL("{} + make_interval(months => {})")
    values = [
        moved.format(sql.Identifier(name), sql.Literal(months_later))
        if columns[name].startswith("timestamp")
        else sql.Identifier(name)
        for name in names
    ]
    copied = connection.execute(
        sql.SQL("insert into {} ({}) select {} from {}").format(
            staged,
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.SQL(", ").join(values),
            target.table(first.raw_table),
        )
    )
    history.mark(connection, target, load, status="staged", version=f"{month}", rows=copied.rowcount)
    return load


def _vacuum(connection: Connection) -> None:
    """Do what autovacuum does within a minute after a load."""
    for name in (*(f"{source}_normalized" for source in SOURCES), *by_day.RELATIONS, "commitment_costs"):
        connection.execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier(SCHEMA, name)))


def _time(connection: Connection, query: Query, rows: int) -> Result:
    months = [MONTH]
    while len(months) < MONTHS:
        months.append(next_month(months[-1]))
    draw = random.Random(1)  # noqa: S311  the same months each time
    seconds = []
    for _ in range(REPEATS):
        first = draw.randrange(MONTHS - query.months + 1)
        bounds: dict[str, Any] = {"first": months[first], "last": months[first + query.months - 1]}
        began = time.perf_counter()
        # As people and dashboards ask: a prepared statement would get PostgreSQL's generic plan after five times.
        found = connection.execute(query.text, bounds, prepare=False).fetchall()
        seconds.append(time.perf_counter() - began)
        if not found:
            raise RuntimeError(f"{query.title}: no rows for {bounds}")
    p95, note = _p95(seconds)
    note = f"{note}; {rows:,} rows in costs"
    return Result(
        query.title,
        p95,
        "ms",
        at_most=query.at_most,
        note=note,
        headline=query.headline,
        details={"rows_in_costs": rows},
    )


def _time_totals(connection: Connection, rows: int) -> list[Result]:
    """Time the sums by every column and every two columns over all months, as the server does.

    Those with a large answer have a row of their own. Of the others, the slowest has one. The time of the client, which
    fetches the answer, is left out.
    """
    found = {}
    for columns in [*((one,) for one in COLUMNS), *itertools.combinations(COLUMNS, 2)]:
        # The month of a day is no further column.
        if columns != ("date", "month"):
            found[columns] = _time_sums(connection, columns)
    others = {columns: one for columns, one in found.items() if columns not in LARGE}
    slowest = max(others, key=lambda columns: others[columns][0])
    title = f"totals: by any other one or two of {len(COLUMNS)} columns"
    p95, note = others[slowest]
    details = {" and ".join(columns): one[0] for columns, one in others.items()}
    note = f"the slowest of {len(others)}: by {' and '.join(slowest)}, {note}"
    return [
        *(
            _of_totals(f"totals: by {' and '.join(columns)}", *found[columns], {"rows_in_costs": rows})
            for columns in LARGE
        ),
        _of_totals(title, p95, note, {"rows_in_costs": rows, "p95": details}),
    ]


def _of_totals(title: str, p95: float, note: str, details: dict[str, Any]) -> Result:
    return Result(f"{title}, {MONTHS} months", p95, "ms", at_most=50, note=note, details=details)


def _time_sums(connection: Connection, columns: tuple[str, ...]) -> tuple[float, str]:
    """Return the 95th percentile of the sums by some columns in milliseconds, and a note on it."""
    keys = ", ".join(dict.fromkeys((*columns, "currency")))
    relation = by_day.table_for([*columns, "currency"])
    query = f"select {keys}, sum(cost), sum(effective_cost) from {relation} group by {keys}"  # noqa: S608
    seconds, answer = [], 0
    for _ in range(REPEATS):
        row = connection.execute(f"explain (analyze, timing off, format json) {query}").fetchone()
        plan = row[0][0] if row else {}
        seconds.append((plan["Planning Time"] + plan["Execution Time"]) / 1000)
        answer = int(plan["Plan"]["Actual Rows"])
    p95, note = _p95(seconds)
    return p95, f"{relation}, {answer:,} rows of answer; {note}"


def _p95(seconds: list[float]) -> tuple[float, str]:
    """Return the 95th percentile in milliseconds, and a note on it."""
    ordered = sorted(seconds[3:])  # the first ones fill the cache
    p95 = ordered[int(len(ordered) * 0.95)] * 1000
    return p95, f"p95 of {len(ordered)}; median {median(ordered) * 1000:.0f} ms"
