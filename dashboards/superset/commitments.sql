-- What do Savings Plans, reservations and committed use discounts cost, and is it used? One row per kind of
-- commitment, kind of charge, status and currency.
{%- set months = [month] if month is defined else [] %}
{%- set currencies = filter_values('currency', remove_filter=True) or ([currency] if currency is defined else []) %}
{%- set sources = filter_values('source', remove_filter=True) or ([source] if source is defined else []) %}
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
    {%- if months %}
    and billing_period in {{ months | where_in }}
    {%- endif %}
    {%- if currencies %}
    and billingcurrency in {{ currencies | where_in }}
    {%- endif %}
    {%- if sources %}
    and x_source in {{ sources | where_in }}
    {%- endif %}
group by commitmentdiscounttype, chargecategory, commitmentdiscountstatus, billingcurrency
order by commitment, category, status
