-- severity: error
-- protects: from costs_by_day and its coarser tables that do not sum to costs
-- action: clear normalize of this month; if it happens again, report it with the differences below

with normalized_totals as (
    select
        currency,
        sum(cost) as cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost,
        sum(line_items) as line_items
    from {normalized}
    group by currency
),

both_sides as (
    select
        relation,
        currency,
        cost,
        effective_cost,
        list_cost,
        line_items
    from {by_day}
    union all
    select
        tables.relation,
        normalized_totals.currency,
        -normalized_totals.cost as cost,
        -normalized_totals.effective_cost as effective_cost,
        -normalized_totals.list_cost as list_cost,
        -normalized_totals.line_items as line_items
    from normalized_totals
    cross join (
        values ('costs_by_day'), ('costs_by_day_service'), ('costs_by_day_account'), ('costs_by_month')
    ) as tables (relation)
)

select
    relation,
    currency,
    sum(cost) as cost_difference,
    sum(effective_cost) as effective_cost_difference,
    sum(list_cost) as list_cost_difference,
    sum(line_items) as line_items_difference
from both_sides
group by relation, currency
having sum(cost) <> 0 or sum(effective_cost) <> 0 or sum(list_cost) <> 0 or sum(line_items) <> 0
