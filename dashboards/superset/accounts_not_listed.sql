-- Which accounts have costs and are not in your list? One row per account. Needs a list of accounts.
{%- set months = [month] if month is defined else [] %}
select
    account_id,
    first_month,
    last_month
from cost_analytics.accounts
where
    not listed
    {%- if months %}
    and last_month in {{ months | where_in }}
    {%- endif %}
order by account_id
