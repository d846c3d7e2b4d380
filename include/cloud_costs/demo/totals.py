"""The totals of `costs` beside those that the sample bill's generator knows: they agree to the last digit."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import psycopg

from cloud_costs.demo.sample_bill import Truth
from cloud_costs.months import month_label

# By source, month, service, account, charge category and currency: billed, effective and list cost, and lines.
Totals = dict[tuple[Any, ...], tuple[Decimal, ...]]


def costs_totals(connection: psycopg.Connection) -> Totals:
    """Return the totals of `costs`, which the connection's search path finds."""
    rows = connection.execute(
        """
        select
            source, to_char(billing_period, 'YYYY-MM'), service, account_id, charge_category, currency,
            sum(cost), sum(effective_cost), sum(list_cost), sum(line_items)
        from costs group by 1, 2, 3, 4, 5, 6
        """
    ).fetchall()
    return {tuple(row[:6]): tuple(Decimal(value) for value in row[6:]) for row in rows}


def truth_totals(truths: Mapping[str, Sequence[Truth]]) -> Totals:
    """Return the totals of the months of each source."""
    totals: Totals = {}
    for name, months in truths.items():
        for month in months:
            totals |= _month_totals(name, month)
    return totals


def differing(found: Totals, truth: Totals) -> list[tuple[Any, ...]]:
    """Return the keys of the totals that differ, or that one side lacks."""
    return sorted((key for key in found.keys() | truth.keys() if found.get(key) != truth.get(key)), key=str)


def _month_totals(source: str, month: Truth) -> Totals:
    label = month_label(month.billing_month)
    return {
        (source, label, row.service, row.account, row.charge_category, row.currency): (
            *(row.billed_cost, row.effective_cost, row.list_cost),
            Decimal(row.lines),
        )
        for row in month.rows
    }
