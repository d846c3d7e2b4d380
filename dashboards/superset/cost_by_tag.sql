-- What does each team use? One row per value of a tag and currency. The variable tag is a key that sources.yaml lists.
{%- set months = [month] if month is defined else [] %}
{%- set currencies = filter_values('currency', remove_filter=True) or ([currency] if currency is defined else []) %}
{%- set sources = filter_values('source', remove_filter=True) or ([source] if source is defined else []) %}
select
    coalesce(tags ->> {{ [tag] | where_in }}, '(untagged)') as value,
    currency,
    round(sum(effective_cost), 2) as effective_cost
from cost_analytics.costs
where
    charge_category = 'Usage'
    {%- if months %}
    and billing_period in {{ months | where_in }}
    {%- endif %}
    {%- if currencies %}
    and currency in {{ currencies | where_in }}
    {%- endif %}
    {%- if sources %}
    and source in {{ sources | where_in }}
    {%- endif %}
group by 1, currency
order by effective_cost desc, value, currency
