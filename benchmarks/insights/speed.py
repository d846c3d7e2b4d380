"""Three years of three sources with ten thousand series each, and one run of all tasks on them, in its own process."""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from benchmarks import database
from benchmarks.results import ROOT
from cloud_costs.charges import by_day
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.demo.embedded_postgres import Server
from cloud_costs.months import months_before, next_month

SCHEMA = "benchmark_insights"
SOURCES, MONTHS, FIRST = ("first", "second", "third"), 36, date(2023, 1, 1)
ACCOUNTS, SERVICES = 400, 25
# The newest month ends on its 20th day, and was loaded on the day after.
LAST = date(2025, 12, 20)
# The largest comes last. Nothing here reads costs_by_month.
TOTALS = tuple(name for name in by_day.RELATIONS if name != "costs_by_month")

# What a day of a series costs: a level between cents and hundreds, a weekday, noise, and in the newest month events.
FILL = """
create temporary table filled as
select
    day::date as date, %(month)s::date as billing_period, 'USD' as currency, amount as cost, amount as effective_cost,
    'Service ' || service as service, lpad(account::text, 12, '0') as account_id, 'Usage' as charge_category,
    %(source)s as source, 'AWS' as cloud_provider, 'payer' as billing_account_id, amount as list_cost,
    24::bigint as line_items
from generate_series(1, %(accounts)s) as account
cross join generate_series(1, %(services)s) as service
cross join generate_series(%(month)s::date, %(last)s, interval '1 day') as day
cross join lateral (
    select round(
        (
            exp(((account * 7919 + service * 104729) %% 1000) / 150.0 - 2.5)
            * case when extract(isodow from day) > 5 then 0.6 else 1 end
            * (0.97 + 0.06 * random())
            * case when day >= '2025-12-10' and account %% 97 = service then 2 else 1 end
        )::numeric,
        6
    ) as amount
) as amounts
"""


@dataclass(frozen=True)
class Run:
    """One run: rows in `costs_by_day`, seconds of each task, and bytes that the process held at most."""

    rows: int
    seconds: dict[str, float]
    peak: int
    results: dict[str, int]


def measure(server: Server, accounts: int = ACCOUNTS) -> Run:
    """Fill the tables and run everything twice: an installation's first run, and any other, which is returned."""
    target = Database(lambda: psycopg.connect(server.uri()), SCHEMA, "benchmark")
    database.drop_schema(server, SCHEMA)
    try:
        apply_schema(target)
        rows = _fill(target, accounts)
        first, again = _run(server), _run(server)
        seconds = {"first run": sum(first["seconds"].values()), **again["seconds"]}
        return Run(rows, seconds, max(first["peak"], again["peak"]), first["results"])
    finally:
        database.drop_schema(server, SCHEMA)


def _run(server: Server) -> dict[str, Any]:
    """Run all tasks in a process of its own, with nothing in its memory but what they need."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.insights.speed", server.uri()],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "include")])},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"insights failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _fill(target: Database, accounts: int) -> int:
    """Fill the tables of totals and the history as publishing does, and return the rows of `costs_by_day`."""
    with target.session() as connection:
        indexes = connection.execute(
            "select indexname, indexdef from pg_indexes where schemaname = %s and tablename = 'costs_by_day'",
            [target.schema],
        ).fetchall()
        for name, _ in indexes:
            connection.execute(sql.SQL("drop index {}").format(target.table(name)))
    with ThreadPoolExecutor(max_workers=2) as pool:
        rows = sum(pool.map(lambda source: _fill_source(target, source, accounts), SOURCES))
    with target.session() as connection:
        for _, definition in indexes:
            connection.execute(definition)
        _finish(connection, target)
    return rows


def _fill_source(target: Database, source: str, accounts: int) -> int:
    """Fill the tables with all months of a source, and return the rows of `costs_by_day`."""
    rows = 0
    with target.session() as connection:
        connection.execute("select setseed(0.5)")
        for number in range(MONTHS):
            month = months_before(FIRST, -number)
            last = min(LAST, next_month(month) - timedelta(days=1))
            wanted = {"month": month, "source": source, "last": last, "accounts": accounts, "services": SERVICES}
            connection.execute(FILL, wanted)
            for name in TOTALS:
                known = by_day.RELATIONS[name]
                cursor = connection.execute(
                    sql.SQL(
                        "insert into {} ({columns}, cost, effective_cost, list_cost, line_items) select {columns}, "
                        "sum(cost), sum(effective_cost), sum(list_cost), sum(line_items) from filled group by {columns}"
                    ).format(target.table(name), columns=sql.SQL(", ").join(map(sql.Identifier, known)))
                )
            rows += cursor.rowcount
            connection.execute("drop table filled")
            connection.execute(
                sql.SQL(
                    "insert into {} (source, format, billing_period, version, status, started) "
                    "values (%s, 'aws_cur', %s, 'v1', 'published', '2025-12-21 02:00 UTC')"
                ).format(target.table("load_history")),
                [source, month],
            )
    return rows


def _finish(connection: Connection, target: Database) -> None:
    """Leave the tables as they are some time after a load, and make the views that events are explained from."""
    for name in TOTALS:
        connection.execute(sql.SQL("vacuum (analyze) {}").format(target.table(name)))
    # The parts of an event are read from these. Here they have no regions, tags and lines.
    connection.execute(
        sql.SQL("create view {} as select *, null::text as region, null::jsonb as tags from {}").format(
            target.table("costs"), target.table("costs_by_day")
        )
    )
    connection.execute(
        sql.SQL(
            "create view {} as select null::text as skumeter, null::text as resourceid, 0::numeric as effectivecost, "
            "now() as chargeperiodstart, ''::text as x_source, ''::text as billingcurrency, "
            "''::text as chargecategory, current_date as billing_period, ''::text as subaccountid, "
            "''::text as servicename where false"
        ).format(target.table("focus_costs"))
    )


def main(uri: str) -> None:
    """Run all tasks, and print what they took as JSON."""
    from benchmarks.child import peak
    from cloud_costs.config.anomalies import ChangeLimits
    from cloud_costs.config.budgets import Budget
    from cloud_costs.insights.anomalies import detect_anomalies
    from cloud_costs.insights.budgets import check_budgets
    from cloud_costs.insights.forecasts import forecast

    logging.basicConfig(level=logging.ERROR)
    target = Database(lambda: psycopg.connect(uri), SCHEMA, "benchmark")
    budgets = [Budget(name="all", amount=Decimal(10_000_000), currency="USD", cost="effective")]
    tasks: dict[str, Callable[[], int]] = {
        "detect_anomalies": lambda: detect_anomalies(target, ChangeLimits())["untold"],
        "forecast": lambda: forecast(target),
        "check_budgets": lambda: len(check_budgets(target, budgets)),
    }
    seconds, results = {}, {}
    for name, task in tasks.items():
        began = time.monotonic()
        results[name] = task()
        seconds[name] = time.monotonic() - began
    print(json.dumps({"seconds": seconds, "peak": peak(), "results": results}))


if __name__ == "__main__":
    main(sys.argv[1])
