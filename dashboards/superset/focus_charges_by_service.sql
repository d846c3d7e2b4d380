-- How many charges does each service have, in the terms of FOCUS? One row per service and currency.
{%- set months = [month] if month is defined else [] %}
{%- set currencies = filter_values('currency', remove_filter=True) or ([currency] if currency is defined else []) %}
{%- set sources = filter_values('source', remove_filter=True) or ([source] if source is defined else []) %}
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
        {%- if months %}
        and billing_period in {{ months | where_in }}
        {%- endif %}
)

select
    servicename,
    billingcurrency,
    sum(billedcost) as billed,
    count(*) as charges
from charges
where
    chargecategory = 'Usage'
    {%- if currencies %}
    and billingcurrency in {{ currencies | where_in }}
    {%- endif %}
    {%- if sources %}
    and x_source in {{ sources | where_in }}
    {%- endif %}
group by servicename, billingcurrency
order by billed desc, servicename, billingcurrency
