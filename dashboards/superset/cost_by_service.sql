-- Which services cost how much? One row per service and currency.
{%- set months = [month] if month is defined else [] %}
{%- set currencies = filter_values('currency', remove_filter=True) or ([currency] if currency is defined else []) %}
{%- set sources = filter_values('source', remove_filter=True) or ([source] if source is defined else []) %}
select
    service,
    currency,
    round(sum(cost), 2) as cost,
    round(sum(effective_cost), 2) as effective_cost
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
group by service, currency
order by cost desc, service, currency
