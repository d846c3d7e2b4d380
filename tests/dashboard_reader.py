"""Someone who looks at a dashboard: what they choose, and what PostgreSQL answers to the reader."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import grafana
import psycopg
from grafana import ALL, Statement, Value

from cloud_costs.database.postgres import Database
from dashboards.sql import in_schema

DOCUMENTS = grafana.documents()
Row = dict[str, Any]
# The version of cup's March before the published one billed 10.5 less for each account, service and kind of charge.
HISTORY = """
insert into load_history (
    load_id, source, format, billing_period, version, status, rows, billed_cost, started, finished
)
overriding system value
select -1, source, format, billing_period, 'before', 'superseded', rows, billed_cost, started, started
from load_history where source = 'cup' and billing_period = '2025-03-01';

insert into published_totals
select
    -1, account_id, service, charge_category, currency, line_items - 1, cost - 10.5, effective_cost - 2.25
from published_totals
where load_id in (select load_id from published_months where source = 'cup' and billing_period = '2025-03-01');

insert into load_history (source, format, billing_period, status, finished, error)
values ('ca', 'aws_cur', '2025-03-01', 'failed', clock_timestamp(), 'no manifest');

insert into audit_results (load_id, source, billing_period, check_name, severity, passed, violations, seconds)
select load_id, source, billing_period, 'made_up', 'warning', false, 3, 0.5
from published_months where source = 'ca' and billing_period = '2025-03-01';

update load_history set note = 'not compared'
where source = 'ca' and billing_period = '2025-03-01' and status = 'published'
"""
# Events, forecasts and budgets, with the sums that `costs` has; and some that no panel may show in dollars.
INSIGHTS = """
insert into anomalies (
    source, currency, service, first_date, last_date, expected, actual, impact, severity, kind, status, running,
    explanation, news
)
select
    source, 'USD', service, date '2025-03-10', date '2025-03-12', 1, sum(effective_cost), sum(effective_cost) - 1,
    'high', 'anomaly', case source when 'cup' then 'open' else 'expected' end, false, '{}'::jsonb, true
from costs
where source in ('cup', 'azure') and charge_category = 'Usage' and date between '2025-03-10' and '2025-03-12'
group by source, service
union all
select
    'cup', currency, 'x', '2025-03-10', '2025-03-12', 1, 1000001, 1000000, 'high', 'anomaly', status, false, '{}', true
from (values ('EUR', 'open'), ('USD', 'merged')) as others (currency, status);

insert into forecasts (as_of, source, currency, month, metric, to_date, expected, low, high)
select
    as_of, null, 'USD', date_trunc('month', as_of::timestamp), 'billed', sum(cost), sum(cost) * 2, sum(cost),
    sum(cost) * 3
from costs
inner join unnest('{2025-01-10,2025-01-20,2025-02-20,2025-03-12,2025-03-20}'::date[]) as as_of on
    date between date_trunc('month', as_of::timestamp) and as_of
group by as_of
union all
select '2025-03-20', source, currency, '2025-03-01', metric, 1, 2, 1, 3
from
    unnest('{cup,NULL}'::text[], '{USD,EUR}'::text[]) as scopes (source, currency)
cross join unnest('{billed,effective}'::text[]) as metric;

insert into budgets
select name, 1000, currency, 'month', 'billed', '{}', '{}'
from (values ('clouds', 'USD'), ('others', 'EUR')) as names (name, currency);

insert into budget_status
select
    name, month, month + interval '1 month' - interval '1 day', month, 1000, budget_currency, sum(cost), sum(cost) * 2,
    1, 2, 0, 'exceeded', '{}'
from costs_by_month
cross join (values ('clouds', 'USD'), ('others', 'EUR'), ('removed', 'USD')) as names (name, budget_currency)
where currency = 'USD' and month between '2025-01-01' and '2025-03-01'
group by name, month, budget_currency
"""


@dataclass(frozen=True)
class Chosen:
    """What someone chose in a dashboard: a range, and values of variables; all that is not named is All."""

    first: date
    last: date
    values: Mapping[str, Value] = field(default_factory=dict)

    def of(self, document: Mapping[str, Any]) -> dict[str, Value]:
        """Return a value for every variable."""
        given = {"currency": "USD", "tag": "user:team", "amount": "effective_cost", "per": "week", **self.values}
        return {name: given.get(name, ALL) for name in grafana.variables(document)}

    def expand(self, sql: str, document: Mapping[str, Any], schema: str) -> str:
        """Return the statement that Grafana would send."""
        start, end = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (self.first, self.last))
        end += timedelta(days=1, milliseconds=-1)
        return in_schema(grafana.expand(sql, document, self.of(document), start, end), schema)

    def condition(self, by_month: bool) -> tuple[str, dict[str, Any]]:
        """Return the same choice as a condition on `costs`, with its values."""
        conditions = ["currency = %(currency)s"]
        if by_month:
            conditions.append("billing_period between %(first_month)s and %(last)s")
        else:
            conditions.append("date between %(first)s and %(last)s")
        values = {"currency": "USD", "first": self.first, "first_month": self.first.replace(day=1), "last": self.last}
        columns = {"cloud": "cloud_provider", "source": "source", "account": "account_id", "service": "service"}
        for name, value in self.values.items():
            if name in columns:
                conditions.append(f"coalesce({columns[name]}, '(none)') = any(%({name})s)")
                values[name] = value
            elif name == "tag_value":
                conditions.append("coalesce(tags ->> 'user:team', '(untagged)') = any(%(tag_value)s)")
                values[name] = value
        return " and ".join(conditions), values


class Reader:
    """The reader of the demo's tables, in a transaction that is rolled back."""

    def __init__(self, connection: psycopg.Connection[Row], database: Database) -> None:
        self.connection = connection
        self.schema = database.schema
        self.role = database.reader

    def rows(self, statement: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """Run a statement; an error is of that statement alone."""
        with self.connection.transaction(force_rollback=True):
            self.connection.execute(f'set local role "{self.role}"')
            return self.connection.execute(statement, values).fetchall()

    def show(self, statement: Statement, chosen: Chosen) -> list[Row]:
        """Return what a panel shows."""
        return self.rows(chosen.expand(statement.sql, DOCUMENTS[statement.dashboard], self.schema))

    def options(self, dashboard: str, name: str, chosen: Chosen) -> list[Any]:
        """Return the values that a variable offers."""
        document = DOCUMENTS[dashboard]
        found = self.rows(chosen.expand(grafana.variables(document)[name]["query"], document, self.schema))
        return [row.get("__value", next(iter(row.values()))) for row in found]

    def costs(self, chosen: Chosen, expressions: Mapping[str, str], by_month: bool) -> Row:
        """Return expressions over the rows of `costs` that are chosen."""
        condition, values = chosen.condition(by_month)
        selected = ", ".join(f'{expression} as "{name}"' for name, expression in expressions.items())
        (row,) = self.rows(f'select {selected} from "{self.schema}".costs where {condition}', values)
        return row
