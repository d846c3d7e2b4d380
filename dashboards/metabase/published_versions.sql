-- Which version of each month do readers see? One row per source and month, with the billed cost of each currency.
select
    source,
    to_char(billing_period, 'YYYY-MM') as month,
    version,
    rows,
    billed_cost
from cost_analytics.published_months
where
    true
    [[and billing_period = date_trunc('month', {{month}}::timestamp)]]
    [[and source = {{source}}]]
order by billing_period desc, source
