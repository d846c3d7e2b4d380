-- Which version of each month do readers see? One row per source and month, with the billed cost of each currency.
{%- set months = [month] if month is defined else [] %}
{%- set sources = filter_values('source', remove_filter=True) or ([source] if source is defined else []) %}
select
    source,
    to_char(billing_period, 'YYYY-MM') as month,
    version,
    rows,
    billed_cost
from cost_analytics.published_months
where
    true
    {%- if months %}
    and billing_period in {{ months | where_in }}
    {%- endif %}
    {%- if sources %}
    and source in {{ sources | where_in }}
    {%- endif %}
order by billing_period desc, source
