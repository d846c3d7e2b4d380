"""What the demo prints: costs by service, anomalies beside the events that are planted in its bill, and budgets."""

from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from rich.console import Console
from rich.table import Table

from cloud_costs.demo.bills import EXPORTS
from cloud_costs.demo.sample_bill.usage import event_cost, meter_of
from cloud_costs.insights.telling import days_of, money
from cloud_costs.messages import safe


def services(connection: psycopg.Connection, console: Console) -> None:
    """Print the costs of each service."""
    rows = connection.execute(
        """
        select cloud_provider, service, currency, sum(cost), sum(effective_cost), sum(list_cost)
        from costs group by cloud_provider, service, currency order by cloud_provider, sum(cost) desc
        """
    ).fetchall()
    table = _table("costs, by cloud and service", "cloud", "service", "currency")
    _amounts(table, "cost", "effective cost", "list cost")
    for cloud, service, currency, *amounts in rows:
        table.add_row(cloud, service, currency, *(f"{amount:,.2f}" for amount in amounts))
    console.print(table)


def count_told(connection: psycopg.Connection) -> int:
    """Return how many anomalies and thresholds of budgets were told until now."""
    known = connection.execute("select to_regclass('anomalies'), to_regclass('budget_status')").fetchone()
    if not known or None in known:
        return 0
    row = connection.execute(
        """
        select
            (select count(*) from anomalies where told_at is not null)
            + (
                select count(*) from budget_status cross join jsonb_each(thresholds) as reached
                where reached.value ->> 'told' is not null
            )
        """
    ).fetchone()
    return int(row[0]) if row else 0


def events(connection: psycopg.Connection, console: Console) -> bool:
    """Print the anomalies that are news, and return whether they are the events of the bill, with their days."""
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        rows: list[Any] = cursor.execute("select * from anomalies where news order by anomaly_id").fetchall()
    table = _table("anomalies: usage that nobody expected", "source", "account", "service", "days", "most by")
    _amounts(table, "cost", "above expected")
    for row in rows:
        most = row.explanation.get("usage types") or [{"value": ""}]
        words = (row.source, row.account_id or "all", safe(row.service or "all"), days_of(row), safe(most[0]["value"]))
        table.add_row(*words, money(row.actual), f"{money(row.impact)} {row.currency}")
    console.print(table)
    found = {(row.source, row.account_id, row.service, row.first_date, row.last_date) for row in rows}
    planted = {
        (name, event.account, meter_of(event).service, event.first, event.last): event_cost(event)
        for name, export in EXPORTS.items()
        for event in export.events
    }
    if found != planted.keys():
        console.print("[red]the events are not those of the bill[/red]:")
        for event in sorted(planted.keys() ^ found, key=str):
            console.print(f"  {'planted' if event in planted else 'found'}: {' '.join(map(str, event))}", markup=False)
        return False
    (older,) = connection.execute("select count(*) from anomalies where not news").fetchone() or (0,)
    costs = " and ".join(money(planted[key]) for key in sorted(planted, key=lambda key: key[3]))
    console.print(
        f"[green]the {len(planted)} events that are planted in the bill are news, and no other is[/green]: they cost "
        f"{costs} USD by the price list. {older} of days before are not told; the page shows them"
    )
    return True


def budgets(connection: psycopg.Connection, console: Console) -> None:
    """Print the budgets of the newest period, with what they are expected to end at."""
    rows = connection.execute(
        """
        select distinct on (budget)
            budget, period_start, period_end, currency, amount, actual, forecast, status
        from budget_status order by budget, period_start desc
        """
    ).fetchall()
    table = _table("budgets", "budget", "period", "status")
    _amounts(table, "amount", "spent", "expected")
    for budget, start, end, currency, amount, actual, forecast, status in rows:
        amounts = (money(amount), money(actual), f"{money(forecast)} {currency}")
        table.add_row(safe(budget), f"{start} to {end}", status, *amounts)
    console.print(table)


def _table(title: str, *columns: str) -> Table:
    return Table(*columns, title=title, title_justify="left")


def _amounts(table: Table, *columns: str) -> None:
    for column in columns:
        table.add_column(column, justify="right")
