-- What do Savings Plans, reservations and committed use discounts cost, and is it used? One row per kind of
-- commitment, kind of charge, status and currency. Only the month is filtered within the view, which is fastest.
{%- set months = [month] if month is defined else [] %}
{%- set currencies = filter_values('currency', remove_filter=True) or ([currency] if currency is defined else []) %}
{%- set sources = filter_values('source', remove_filter=True) or ([source] if source is defined else []) %}
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
        {%- if months %}
        and billing_period in {{ months | where_in }}
        {%- endif %}
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
    {%- if currencies %}
    and billingcurrency in {{ currencies | where_in }}
    {%- endif %}
    {%- if sources %}
    and x_source in {{ sources | where_in }}
    {%- endif %}
group by commitmentdiscounttype, chargecategory, commitmentdiscountstatus, billingcurrency
order by commitment, category, status, currency
