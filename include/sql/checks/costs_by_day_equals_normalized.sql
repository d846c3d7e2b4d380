-- severity: error
-- protects: from costs_by_day and its coarser tables that do not sum to costs
-- action: clear normalize of this month; if it happens again, report it with the sums below

with normalized_totals as (
    select
        currency,
        sum(cost) as cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(line_items) as line_items
    from {normalized}
    where billing_period = %(billing_period)s
    group by currency
),

by_day_totals as (
    select
        relation,
        currency,
        sum(cost) as cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(line_items) as line_items
    from {by_day}
    group by relation, currency
),

expected as (
    select
        tables.relation,
        normalized_totals.*
    from (
        values ('costs_by_day'), ('costs_by_day_service'), ('costs_by_day_account'), ('costs_by_month')
    ) as tables (relation)
    cross join normalized_totals
)

select
    coalesce(expected.relation, by_day_totals.relation) as relation,
    coalesce(expected.currency, by_day_totals.currency) as currency,
    expected.cost as normalized_cost,
    by_day_totals.cost,
    expected.effective_cost as normalized_effective_cost,
    by_day_totals.effective_cost,
    expected.list_cost as normalized_list_cost,
    by_day_totals.list_cost,
    expected.line_items as normalized_line_items,
    by_day_totals.line_items
from expected
full join by_day_totals
    on
        expected.relation = by_day_totals.relation
        and coalesce(expected.currency, '') = coalesce(by_day_totals.currency, '')
where
    (expected.cost, expected.effective_cost, expected.list_cost, expected.line_items)
    is distinct from
    (by_day_totals.cost, by_day_totals.effective_cost, by_day_totals.list_cost, by_day_totals.line_items)
