-- What do Savings Plans, reservations and committed use discounts cost, and is it used? One row per kind of
-- commitment, kind of charge, status and currency. Only the month is filtered within the view, which is fastest.
with charges as materialized (
    select
        billingcurrency,
        x_source,
        commitmentdiscountid,
        commitmentdiscounttype,
        chargecategory,
        commitmentdiscountstatus,
        billedcost,
        effectivecost
    from cost_analytics.focus_costs
    where
        true
        [[and billing_period = date_trunc('month', {{month}}::timestamp)]]
)

select
    commitmentdiscounttype as commitment,
    chargecategory as category,
    commitmentdiscountstatus as status,
    billingcurrency as currency,
    sum(billedcost) as billed,
    sum(effectivecost) as effective
from charges
where
    commitmentdiscountid is not null
    [[and billingcurrency = {{currency}}]]
    [[and x_source = {{source}}]]
group by commitmentdiscounttype, chargecategory, commitmentdiscountstatus, billingcurrency
order by commitment, category, status, currency
