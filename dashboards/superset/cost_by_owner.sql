-- What does each owner cost? One row per owner and currency. Needs a list of accounts with the column owner.
{%- set months = [month] if month is defined else [] %}
{%- set currencies = filter_values('currency', remove_filter=True) or ([currency] if currency is defined else []) %}
{%- set sources = filter_values('source', remove_filter=True) or ([source] if source is defined else []) %}
{%- set owners = filter_values('owner', remove_filter=True) or ([owner] if owner is defined else []) %}
select
    owner,
    currency,
    sum(cost) as cost
from cost_analytics.costs
inner join cost_analytics.accounts using (account_id)
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
    {%- if owners %}
    and owner in {{ owners | where_in }}
    {%- endif %}
group by owner, currency
order by owner, currency
