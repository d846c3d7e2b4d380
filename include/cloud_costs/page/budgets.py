"""Budgets: what was spent of each, where its period will end, and which thresholds that reached."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from psycopg.rows import dict_row

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection
from cloud_costs.page import amounts
from cloud_costs.page.costs import Costs
from cloud_costs.page.dimensions import BY_NAME, of_tag, written
from cloud_costs.page.insight_models import Budget, BudgetPeriod, Budgets, Threshold
from cloud_costs.page.published import Published

SIZE = 50
# What `budgets.filters` calls the dimensions, and what Explore does.
DIMENSIONS = {"cloud": "cloud_provider", "source": "source", "account": "account_id", "service": "service"}


def budgets(costs: Costs, page: int, connection: Connection, _: Published) -> Budgets:
    """Return a page of the budgets, as they were when they were last checked."""
    tables = {name: costs.database.table(name) for name in ("budgets", "budget_status")}
    counted = connection.execute(sql_files.compose("select count(*) from {budgets}", budgets=tables["budgets"]))
    (total,) = counted.fetchone() or (0,)
    skipped = (page - 1) * SIZE
    statement = sql_files.compose(sql_files.read("page/budgets.sql"), **tables)
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement, {"at_most": SIZE, "skipped": skipped}).fetchall()
    found = [_budget(list(periods)) for _, periods in groupby(rows, key=lambda row: row["budget"])]
    return Budgets(page=page, next=page + 1 if skipped + len(found) < total else None, total=total, budgets=found)


def _budget(rows: Sequence[Mapping[str, Any]]) -> Budget:
    row = rows[0]
    periods = [_period(one) for one in rows if one["period_start"]]
    return Budget(
        **{name: row[name] for name in ("budget", "currency", "amount", "period", "cost")},
        filters=_filters(row["filters"]),
        current=periods[0] if periods else None,
        earlier=periods[1:],
    )


def _filters(filters: Mapping[str, Any]) -> list[str]:
    """Return the filters of a budget as Explore has them."""
    columns = {BY_NAME[column]: tuple(filters.get(name, ())) for name, column in DIMENSIONS.items()}
    tags = {of_tag(key): tuple(values) for key, values in filters.get("tag", {}).items()}
    return written({**columns, **tags})


def _period(row: Mapping[str, Any]) -> BudgetPeriod:
    amount = row["amount_then"]
    return BudgetPeriod(
        **{name: row[name] for name in ("as_of", "actual", "forecast", "low", "high", "status", "checked_at")},
        first=row["period_start"],
        last=row["period_end"],
        amount=amount,
        share=amounts.share(row["actual"], amount),
        forecast_share=amounts.share(row["forecast"], amount),
        thresholds=_thresholds(row["wanted"], row["thresholds"]),
    )


def _thresholds(wanted: Mapping[str, Sequence[int]], reached: Mapping[str, Mapping[str, Any]]) -> list[Threshold]:
    """Return the thresholds of now, and those of before that were reached, the smallest first."""
    names = {(of, percent) for of, percents in wanted.items() for percent in percents}
    names |= {(of, int(percent)) for of, percent in map(str.split, reached)}
    found = []
    for of, percent in sorted(names):
        entry = reached.get(f"{of} {percent}", {})
        found.append(
            Threshold.model_validate(
                {
                    "of": of,
                    "percent": percent,
                    "reached": entry.get("reached"),
                    "told": entry.get("told"),
                    "taken_back": entry.get("back"),
                }
            )
        )
    return found
