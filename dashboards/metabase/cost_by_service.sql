-- Which services cost how much? One row per service and currency.
select
    service,
    currency,
    round(sum(cost), 2) as cost,
    round(sum(effective_cost), 2) as effective_cost
from cost_analytics.costs
where
    true
    [[and billing_period = date_trunc('month', {{month}}::timestamp)]]
    [[and currency = {{currency}}]]
    [[and source = {{source}}]]
group by service, currency
order by cost desc, service, currency
