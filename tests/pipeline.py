"""Helpers of the integration tests: one month through every step, as the DAG takes it."""

from datetime import date
from decimal import Decimal
from typing import Any

from cloud_costs.audit import audit
from cloud_costs.config import Source
from cloud_costs.history import Load
from cloud_costs.load import load_raw
from cloud_costs.normalize import normalize
from cloud_costs.postgres import Database
from cloud_costs.publish import publish
from cloud_costs.sample_bill import Truth
from cloud_costs.storage import LocalStorage, Storage
from cloud_costs.views import refresh_views

JANUARY = date(2025, 1, 1)

TOTALS = """
    select
        service, account_id, charge_category, currency,
        sum(cost), sum(effective_cost), sum(list_cost), sum(line_items)
    from costs
    where source = %s and billing_period = %s
    group by 1, 2, 3, 4
"""


def load_month(
    database: Database, source: Source, month: date, storage: Storage | None = None, *, raw_only: bool = False
) -> Load:
    """Take one month through all steps and refresh the views."""
    load = load_raw(database, storage or LocalStorage(), source, month, raw_only=raw_only)
    load = normalize(database, source, load)
    audit(database, source, load)
    publish(database, source, load)
    refresh_views(database)
    return load


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
    """Return the same totals as `costs` has them."""
    rows = query(TOTALS, source, month)
    return {tuple(row[:4]): tuple(Decimal(value) for value in row[4:]) for row in rows}
