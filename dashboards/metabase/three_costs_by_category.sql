-- What was billed, what did the use cost, and what would it have cost at list price? One row per kind of charge
-- and currency.
select
    charge_category,
    currency,
    sum(cost) as cost,
    sum(effective_cost) as effective_cost,
    sum(list_cost) as list_cost
from cost_analytics.costs
where
    true
    [[and billing_period = date_trunc('month', {{month}}::timestamp)]]
    [[and currency = {{currency}}]]
    [[and source = {{source}}]]
group by charge_category, currency
order by charge_category, currency
