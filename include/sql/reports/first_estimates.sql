-- Billed cost of billing months as of the first load after their end, and as readers see it now: one row per source,
-- billing month and currency. What a month cost is known from its loads.

with first_loads as (
    select distinct on (source, billing_period)
        source,
        billing_period,
        billed_cost
    from {load_history}
    where
        status in ('published', 'superseded')
        and not raw_only
        and billing_period between %(first)s and %(last)s
        and started >= billing_period + interval '1 month'
    order by source asc, billing_period asc, load_id asc
)

select
    now.source,
    now.billing_period,
    cost.key as currency,
    coalesce((first_loads.billed_cost ->> cost.key)::numeric, 0) as first_cost,
    cost.value::numeric as cost
from {published_months} as now
inner join first_loads on now.source = first_loads.source and now.billing_period = first_loads.billing_period
cross join lateral jsonb_each_text(now.billed_cost) as cost
order by now.billing_period desc, now.source asc, currency asc
