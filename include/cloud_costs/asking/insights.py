"""What the tools about anomalies and budgets answer: the rows that the DAG `cloud_costs_insights` wrote."""

from psycopg import sql
from psycopg.rows import dict_row

from cloud_costs.asking.basis import basis_of
from cloud_costs.asking.models import Anomalies, Anomaly, BudgetPeriod, Budgets
from cloud_costs.database.postgres import Connection
from cloud_costs.page.costs import Costs
from cloud_costs.page.published import Published

EVENTS = 50


def anomalies(costs: Costs, everything: bool, connection: Connection, published: Published) -> Anomalies:
    """Return the events that are open or acknowledged, or all; the newest first, then the largest."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            sql.SQL(
                """
                select
                    anomaly_id, source, currency, account_id, service, first_date, last_date, expected, actual, impact,
                    severity, kind, status, running, explanation
                from {} where status <> 'merged' and (%s or status in ('open', 'acknowledged'))
                order by last_date desc, abs(impact) desc, anomaly_id limit %s
                """
            ).format(costs.database.table("anomalies")),
            [everything, EVENTS + 1],
        ).fetchall()
    found = [Anomaly(**row) for row in rows[:EVENTS]]
    sources = {one.source for one in found}
    months = [one for one in published.months if one.source in sources]
    return Anomalies(basis=basis_of(published, months), anomalies=found, has_more=len(rows) > EVENTS)


def budgets(costs: Costs, connection: Connection, published: Published) -> Budgets:
    """Return the newest period of each budget."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            sql.SQL(
                """
                select distinct on (budget)
                    budget, status.currency, period, cost, status.period_start, status.period_end, status.as_of,
                    status.amount, status.actual, status.forecast, status.low, status.high, status.status,
                    status.checked_at
                from {} as status inner join {} as budgets using (budget)
                order by budget, status.period_start desc
                """
            ).format(costs.database.table("budget_status"), costs.database.table("budgets"))
        ).fetchall()
    found = [BudgetPeriod(**row) for row in rows]
    first = min((one.period_start for one in found), default=None)
    months = [one for one in published.months if first and one.last >= first]
    return Budgets(basis=basis_of(published, months), budgets=found)
