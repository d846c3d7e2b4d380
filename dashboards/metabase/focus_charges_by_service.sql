-- How many charges does each service have, in the terms of FOCUS? One row per service and currency.
select
    servicename,
    billingcurrency,
    sum(billedcost) as billed,
    count(*) as charges
from cost_analytics.focus_costs
where
    chargecategory = 'Usage'
    [[and billing_period = date_trunc('month', {{month}}::timestamp)]]
    [[and billingcurrency = {{currency}}]]
    [[and x_source = {{source}}]]
group by servicename, billingcurrency
order by billed desc
