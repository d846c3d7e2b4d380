-- Which costs are final, and which are estimates? One row per month, invoice and currency. AWS's costs without an
-- invoice are estimates.
{%- set months = [month] if month is defined else [] %}
{%- set currencies = filter_values('currency', remove_filter=True) or ([currency] if currency is defined else []) %}
{%- set sources = filter_values('source', remove_filter=True) or ([source] if source is defined else []) %}
select
    to_char(billing_period, 'YYYY-MM') as month,
    coalesce(invoice_id, '(none yet)') as invoice,
    currency,
    sum(cost) as cost,
    sum(line_items) as line_items
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
group by billing_period, invoice_id, currency
order by month, invoice, currency
