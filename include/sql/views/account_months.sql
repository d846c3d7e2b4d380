-- account_list: record the first and last month with costs of each account, be it the account that used something or
-- the account that pays. Accounts of costs that are not in the list are added as not listed. Rows that are the same are
-- not touched. PostgreSQL runs the steps gone and unused although nothing reads them, because they change data.

with pairs as (
    select
        account_id,
        billing_account_id,
        min(billing_period) as first_month,
        max(billing_period) as last_month
    from {costs}
    group by account_id, billing_account_id
),

seen as (
    select
        each.account_id,
        min(pairs.first_month) as first_month,
        max(pairs.last_month) as last_month
    from pairs
    cross join lateral (values (pairs.account_id), (pairs.billing_account_id)) as each (account_id)
    where each.account_id is not null
    group by each.account_id
),

gone as (
    delete from {account_list} as known
    where not known.listed and known.account_id not in (select seen.account_id from seen)
),

unused as (
    update {account_list} as known set
        first_month = null,
        last_month = null
    where
        known.listed
        and known.last_month is not null
        and known.account_id not in (select seen.account_id from seen)
)

insert into {account_list} as known (account_id, listed, first_month, last_month)
select
    account_id,
    false as listed,
    first_month,
    last_month
from seen
on conflict (account_id) do update set
    first_month = excluded.first_month,
    last_month = excluded.last_month
where (known.first_month, known.last_month) is distinct from (excluded.first_month, excluded.last_month)
