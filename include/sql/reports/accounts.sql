-- The names of the accounts with costs in some days: one row per account that has a name.

select
    account_id,
    max(account_name) as name
from {costs}
where date between %(first)s and %(last)s and account_name is not null
group by account_id
order by account_id
