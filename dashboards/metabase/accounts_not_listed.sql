-- Which accounts have costs and are not in your list? One row per account. Needs a list of accounts.
select
    account_id,
    first_month,
    last_month
from cost_analytics.accounts
where
    not listed
    [[and last_month = date_trunc('month', {{month}}::timestamp)]]
order by account_id
