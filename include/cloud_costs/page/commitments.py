"""Commitments: how much of Savings Plans, reservations and committed use discounts is used, and what stays unused.

Amounts are effective costs, by the rules of the mappings: what a commitment cost is what its use carries and what
nobody used. Utilization is the used part of it. Coverage is the part of what commitments could cover that they do, at
list prices.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection
from cloud_costs.months import month_label
from cloud_costs.page import amounts
from cloud_costs.page.costs import Costs
from cloud_costs.page.dimensions import Bound
from cloud_costs.page.load_models import Commitment, Commitments, CommitmentTotals
from cloud_costs.page.problems import WRONG, Refusal, nothing_published
from cloud_costs.page.published import Published


def commitments(
    costs: Costs,
    first: date | None,
    last: date | None,
    wanted: str | None,
    connection: Connection,
    published: Published,
) -> Commitments:
    """Return the commitments of a range of billing months: by default, of the newest one."""
    if not published.billing_periods:
        raise nothing_published()
    newest = published.billing_periods[0]
    first = first or (min(last, newest) if last else newest)
    last = last or max(newest, first)
    if first > last:
        detail = f"to: {month_label(last)} is before {month_label(first)}."
        raise Refusal(WRONG, detail, "Let the range end with or after its first month.")
    currency = published.currency(wanted)
    bound = Bound()
    statement = sql_files.compose(
        sql_files.read("page/commitments.sql"),
        commitment_costs=costs.database.table("commitment_costs"),
        costs_by_day_service=costs.database.table("costs_by_day_service"),
        currency=bound(currency),
        first=bound(first),
        last=bound(last),
    )
    # Without any, there is a row of all together, with empty sums.
    (_, *everything), *rows = connection.execute(statement, bound).fetchall()
    names = costs.catalogue.names_of(connection, published, (row[7] for row in rows))
    return Commitments(
        currency=currency,
        first=month_label(first),
        last=month_label(last),
        totals=CommitmentTotals(**_totals(*everything[-4:])),
        commitments=[_commitment(row, names) for row in rows],
    )


def _commitment(row: tuple[Any, ...], names: dict[str, str]) -> Commitment:
    _, commitment_id, source, cloud, name, kind, category, account, months, *sums = row
    return Commitment(
        commitment_id=commitment_id,
        name=name,
        type=kind,
        category=category,
        source=source,
        cloud_provider=cloud,
        account_id=account,
        account_name=names.get(account) or account,
        months=[month_label(month) for month in months],
        **_totals(*sums),
    )


def _totals(used: Decimal, unused: Decimal, covered: Decimal, coverable: Decimal) -> dict[str, Any]:
    total = amounts.total([used, unused])
    return {
        "used": used,
        "unused": unused,
        "total": total,
        "utilization": amounts.share(used, total),
        "covered": covered,
        "coverable": coverable,
        "coverage": amounts.share(covered, coverable),
    }
