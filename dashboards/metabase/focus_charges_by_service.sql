-- How many charges does each service have, in the terms of FOCUS? One row per service and currency.
with charges as materialized (
    select
        billingcurrency,
        x_source,
        servicename,
        chargecategory,
        billedcost
    from cost_analytics.focus_costs
    where
        true
        [[and billing_period = date_trunc('month', {{month}}::timestamp)]]
)

select
    servicename,
    billingcurrency,
    sum(billedcost) as billed,
    count(*) as charges
from charges
where
    chargecategory = 'Usage'
    [[and billingcurrency = {{currency}}]]
    [[and x_source = {{source}}]]
group by servicename, billingcurrency
order by billed desc, servicename, billingcurrency
