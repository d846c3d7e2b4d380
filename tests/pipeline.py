"""Helpers of the integration tests: one month through every step, as the DAG takes it."""

import json
import time
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sharing import sharing

from cloud_costs.charges import by_day
from cloud_costs.charges.views import refresh_views
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.demo.sample_bill import Truth
from cloud_costs.months import next_month
from cloud_costs.publishing.audit import audit
from cloud_costs.publishing.history import Load
from cloud_costs.publishing.load import load_raw
from cloud_costs.publishing.normalize import normalize
from cloud_costs.publishing.publish import publish
from cloud_costs.storage.files import Storage
from cloud_costs.storage.local import LocalStorage

JANUARY = date(2025, 1, 1)

TOTALS = """
    select
        service, account_id, charge_category, currency,
        sum(cost), sum(effective_cost), sum(list_cost), sum(line_items)
    from costs
    where source = %s and billing_period = %s
    group by 1, 2, 3, 4
"""


# The sums of a month in `costs`, and in each table of totals.
SUMS = """
    select relation, currency, sum(cost), sum(effective_cost), sum(list_cost), sum(line_items)
    from ({}) as rows
    group by relation, currency
""".format(
    " union all ".join(
        f"select '{name}' as relation, currency, cost, effective_cost, list_cost, line_items from {name} "
        "where source = %s and billing_period = %s"
        for name in ("costs", *by_day.RELATIONS)
    )
)


def load_month(
    database: Database, source: Source, month: date, storage: Storage | None = None, *, raw_only: bool = False
) -> Load:
    """Take one month through all steps and refresh the views."""
    with sharing(database) as shared:
        load = load_raw(shared, storage or LocalStorage(), source, month, raw_only=raw_only)
        load = normalize(shared, source, load)
        audit(shared, source, load)
        publish(shared, source, load)
        refresh_views(shared)
    return load


def wait_for_locks(query: Any) -> None:
    """Wait until no other session has an advisory lock: PostgreSQL notices after a moment that a session has ended."""
    deadline = time.monotonic() + 10
    while query("select count(*) from pg_locks where locktype = 'advisory' and not pid = pg_backend_pid()") > [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def truth_totals(truth: Truth) -> dict[tuple[str, ...], tuple[Decimal, ...]]:
    """Return the truth by service, account, category and currency: billed, effective, list cost and lines."""
    return {
        (row.service, row.account, row.charge_category, row.currency): (
            *(row.billed_cost, row.effective_cost, row.list_cost),
            Decimal(row.lines),
        )
        for row in truth.rows
    }


def cost_totals(query: Any, source: str, month: date) -> dict[tuple[str, ...], tuple[Decimal, ...]]:
    """Return the same totals from `costs`, and assert that `costs_by_day` and its coarser tables sum to the same."""
    rows = query(TOTALS, source, month)
    sums: dict[str, set[tuple[Any, ...]]] = {name: set() for name in ("costs", *by_day.RELATIONS)}
    for relation, *values in query(SUMS, *[source, month] * len(sums)):
        sums[relation].add(tuple(values))
    assert all(found == sums["costs"] for found in sums.values()), sums
    return {tuple(row[:4]): tuple(Decimal(value) for value in row[4:]) for row in rows}


def differing_totals(query: Any) -> dict[str, list[Any]]:
    """Return the rows of `costs_by_day` and its coarser tables that `costs` does not sum to, and those that lack."""
    found = {}
    for name, columns in by_day.RELATIONS.items():
        known = ", ".join(columns)
        costs = f"""
            select {known}, sum(cost), sum(effective_cost), sum(list_cost), sum(line_items)
            from (select *, date_trunc('month', date::timestamp)::date as month from costs) as costs
            group by {known}
        """
        totals = f"select {known}, {', '.join(by_day.AMOUNTS)} from {name}"
        found[name] = query(f"({costs} except all {totals}) union all ({totals} except all {costs})")
    return {name: rows for name, rows in found.items() if rows}


LINE = {
    "identity_line_item_id": "line",
    "identity_time_interval": "2025-01-01T00:00:00Z/2025-01-01T01:00:00Z",
    "bill_payer_account_id": "011254002932",
    "bill_invoice_id": "",
    "bill_billing_period_start_date": datetime(2025, 1, 1),
    "bill_billing_period_end_date": datetime(2025, 2, 1),
    "line_item_usage_account_id": "004512887103",
    "line_item_line_item_type": "Usage",
    "line_item_usage_start_date": datetime(2025, 1, 1),
    "line_item_usage_end_date": datetime(2025, 1, 1, 1),
    "line_item_product_code": "AmazonEC2",
    "line_item_currency_code": "USD",
    "line_item_unblended_cost": 1.5,
}


def line(month: date = JANUARY, **values: Any) -> dict[str, Any]:
    """Return one exported line: an hour of EC2 for 1.5 USD, changed by `values`."""
    start = datetime(month.year, month.month, 1)
    dates = {
        "bill_billing_period_start_date": start,
        "bill_billing_period_end_date": datetime.combine(next_month(month), start.time()),
        "line_item_usage_start_date": start,
        "line_item_usage_end_date": start + timedelta(hours=1),
    }
    return {**LINE, **dates, **values}


def write_delivery(folder: Path, *files: Any, month: date = JANUARY, version: str = "v1") -> list[Path]:
    """Write a delivery of the report `crafted` below `folder`; each file is a list of lines or an Arrow table."""
    keys, paths = [], []
    for number, content in enumerate(files, 1):
        table = content if isinstance(content, pa.Table) else _table(content)
        keys.append(f"crafted/crafted/year={month.year}/month={month.month}/crafted-{number:05d}.snappy.parquet")
        paths.append(folder / keys[-1])
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, paths[-1])
    manifest = {
        "assemblyId": version,
        "bucket": "crafted",
        "billingPeriod": {"start": f"{month:%Y%m%d}T000000.000Z"},
        "reportKeys": keys,
    }
    path = folder / f"crafted/{month:%Y%m%d}-{next_month(month):%Y%m%d}" / "crafted-Manifest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(manifest))
    return paths


def write_export(folder: Path, lines: list[dict[str, Any]], month: date = JANUARY, version: str = "v1") -> Path:
    """Write a delivery of the CUR 2.0 export `crafted` below `folder`: one Parquet file."""
    period = f"BILLING_PERIOD={month:%Y-%m}"
    path = folder / f"crafted/data/{period}/crafted-00001.snappy.parquet"
    manifest = folder / f"crafted/metadata/{period}/crafted-Manifest.json"
    for parent in (path.parent, manifest.parent):
        parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(_table(lines), path)
    manifest.write_text(json.dumps({"executionId": version, "dataFiles": [path.relative_to(folder).as_posix()]}))
    return path


def _table(lines: list[dict[str, Any]]) -> Any:
    names = dict.fromkeys(name for one in lines for name in one)
    return pa.Table.from_pylist([{name: one.get(name) for name in names} for one in lines])


def crafted_source(folder: Path, **settings: Any) -> Source:
    """Return the source that reads what `write_delivery` writes; with `format`, what `write_export` does."""
    return Source(**{"name": "crafted", "format": "aws_cur", "uri": f"file://{folder}/crafted/", **settings})


def staged_tables(database: Database) -> list[str]:
    """Return the names of all relations in the staging schema."""
    with database.session() as connection:
        rows = connection.execute(
            "select relname from pg_class where relnamespace = to_regnamespace(%s) and relkind <> 'i' order by 1",
            [f'"{database.staging_schema}"'],
        ).fetchall()
    return [name for (name,) in rows if not name.startswith("pg_toast")]
