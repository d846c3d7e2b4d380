-- Which accounts of your list have no costs? One row per account. Needs a list of accounts with the column owner.
{%- set owners = filter_values('owner', remove_filter=True) or ([owner] if owner is defined else []) %}
select
    account_id,
    name,
    owner
from cost_analytics.accounts
where
    last_month is null
    {%- if owners %}
    and owner in {{ owners | where_in }}
    {%- endif %}
order by account_id
