-- What was billed, what did the use cost, and what would it have cost at list price? One row per kind of charge
-- and currency.
{%- set months = [month] if month is defined else [] %}
{%- set currencies = filter_values('currency', remove_filter=True) or ([currency] if currency is defined else []) %}
{%- set sources = filter_values('source', remove_filter=True) or ([source] if source is defined else []) %}
select
    charge_category,
    currency,
    sum(cost) as cost,
    sum(effective_cost) as effective_cost,
    sum(list_cost) as list_cost
from cost_analytics.costs
where
    true
    {%- if months %}
    and billing_period in {{ months | where_in }}
    {%- endif %}
    {%- if currencies %}
    and currency in {{ currencies | where_in }}
    {%- endif %}
    {%- if sources %}
    and source in {{ sources | where_in }}
    {%- endif %}
group by charge_category, currency
order by charge_category, currency
