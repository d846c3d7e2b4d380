-- What do Savings Plans, reservations and committed use discounts cost, and is it used? One row per kind of
-- commitment, kind of charge, status and currency.
select
    commitmentdiscounttype as commitment,
    chargecategory as category,
    commitmentdiscountstatus as status,
    billingcurrency as currency,
    sum(billedcost) as billed,
    sum(effectivecost) as effective
from cost_analytics.focus_costs
where
    commitmentdiscountid is not null
    [[and billing_period = date_trunc('month', {{month}}::timestamp)]]
    [[and billingcurrency = {{currency}}]]
    [[and x_source = {{source}}]]
group by commitmentdiscounttype, chargecategory, commitmentdiscountstatus, billingcurrency
order by commitment, category, status
