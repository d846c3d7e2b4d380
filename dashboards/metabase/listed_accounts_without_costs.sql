-- Which accounts of your list have no costs? One row per account. Needs a list of accounts with the column owner.
select
    account_id,
    name,
    owner
from cost_analytics.accounts
where
    last_month is null
    [[and owner = {{owner}}]]
order by account_id
