"""Which sums of a statement are of one currency, and which are not."""

import pytest

from cloud_costs.asking.currencies import require_one_currency
from cloud_costs.asking.guard import check
from cloud_costs.page.problems import Refusal

RELATIONS = {
    "costs": {"date": "date", "currency": "text", "service": "text", "cost": "numeric", "line_items": "bigint"},
    "budgets": {"budget": "text", "amount": "numeric", "currency": "text"},
    "load_history": {"rows": "bigint", "source": "text"},
}


def summed(statement: str) -> None:
    found = check(statement, "costs_schema", frozenset(RELATIONS))
    require_one_currency(found.select, {name: RELATIONS[name] for name in found.relations})


@pytest.mark.parametrize(
    "statement",
    [
        "select currency, sum(cost) from costs group by 1",
        "select sum(cost) from costs where currency='USD'",
        "select count(*), sum(line_items), min(date) from costs",
        "select currency as c, sum(cost) from costs group by c",
        "with m as (select currency, date, sum(cost) x from costs group by 1,2) select currency, avg(x) from m group "
        "by currency",
        "with m as (select date, sum(cost) x from costs where currency in ('USD') group by 1) select max(x) from m",
        "select sum(cost) filter (where currency='USD') usd, sum(cost) filter (where currency='EUR') eur from costs",
        "select a.currency, sum(a.cost - b.cost) from costs a join costs b using (currency, service) group by "
        "a.currency",
        "select currency, cost, sum(cost) over (partition by currency order by date) from costs",
        "select currency, service, sum(cost) / sum(sum(cost)) over (partition by currency) from costs group by 1,2",
        "select b.budget, (select sum(c.cost) from costs c where c.currency = b.currency) from budgets b",
        "select b.budget, b.amount - (select sum(c.cost) from costs c where c.currency = b.currency) from budgets b",
        "select sum(rows) from load_history",
        "select service, currency, sum(cost) from costs group by currency, rollup(service)",
        "select * from costs limit 5",
        "select currency, sum(cost) from costs group by currency having sum(cost) > 5 order by sum(cost) desc",
        "select x.currency, sum(x.cost) from (select * from costs) x group by x.currency",
        "select c.currency, sum(u.v) from costs c, unnest(array[c.cost]) as u(v) group by c.currency",
        "select c.currency, sum(c.cost - b.amount) from costs c left join budgets b on b.currency = c.currency group "
        "by 1",
        "select currency, sum(cost) from (select currency, cost from costs union all select currency, amount from "
        "budgets) t group by 1",
    ],
)
def test_amounts_of_one_currency_are_summed(statement):
    summed(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "select sum(cost) from costs",
        "select service, sum(cost) from costs group by 1",
        "select sum(cost) from costs where currency in ('USD','EUR')",
        "select sum(cost) from costs where currency='USD' or true",
        "with m as (select currency, sum(cost) x from costs group by 1) select sum(x) from m",
        "select sum(x) from (select cost x from costs where currency='USD' union all select cost from costs where "
        "currency='EUR') t",
        "select (select sum(cost) from costs where currency='USD') + (select sum(cost) from costs where "
        "currency='EUR')",
        "select sum(cost) filter (where currency='USD') + sum(cost) filter (where currency='EUR') from costs",
        "select sum(cost) over () from costs",
        "select currency, sum(cost) over (order by date) from costs",
        "select currency, sum(cost) from costs group by rollup(currency)",
        "select currency, sum(cost) from (select 'USD' as currency, cost from costs) t group by currency",
        "select sum(sum(cost)) over () from costs group by currency",
        "select sum(a.cost + b.cost) from costs a, costs b where a.currency='USD'",
        "select a.cost + b.cost from costs a, costs b",
        "select max(cost) from costs",
        "select avg(cost*1.0) from costs",
        "select sum((select max(cost) from costs where currency='USD')+cost) from costs",
        "select sum(x) from (select cost from costs) t(x)",
        "select a.currency, sum(b.cost) from costs a left join costs b on a.service=b.service group by 1",
        "select b.currency, sum(a.cost) from costs a left join costs b on a.currency=b.currency group by 1",
        "select sum(cost) from costs a left join budgets b on a.currency='USD'",
        "select string_agg(cost::text, ',') from costs",
        "select lag(cost) over (order by date) from costs",
        "select percentile_cont(0.5) within group (order by cost) from costs",
        "select sum(v) from costs c, unnest(array[c.cost]) as u(v)",
        "select u.t + e.t from (select sum(cost) t from costs where currency='USD') u, (select sum(cost) t from "
        "costs where currency='EUR') e",
        "select service from costs group by service having sum(cost) > 1",
        "select service from costs group by service order by sum(cost)",
        "select service from costs c where 5 < (select sum(cost) from costs)",
        "select sum(c) from costs c",
        "select sum(x) from (values ((select sum(cost) from costs where currency='USD')), ((select sum(cost) from "
        "costs where currency='EUR'))) v(x)",
        "select sum(x) from (select sum(cost) as x from costs group by currency) t",
        "select coalesce(u,0)+e from (select sum(cost) filter (where currency='USD') as u, sum(cost) filter (where "
        "currency='EUR') as e from costs) t",
    ],
)
def test_amounts_of_several_currencies_are_not_summed(statement):
    with pytest.raises(Refusal) as refused:
        summed(statement)
    assert "currency" in refused.value.hint
