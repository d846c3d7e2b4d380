-- Daily effective cost of usage of an event's source, account and service, from one day to another: one row per day
-- that has costs. NULL stands for all accounts or all services.

select
    date,
    sum(effective_cost) as amount
from {costs_by_day}
where
    source = %(source)s
    and currency = %(currency)s
    and charge_category = 'Usage'
    and billing_period = any(%(billing_periods)s::date[])
    and date between %(first)s and %(last)s
    and (%(account_id)s::text is null or coalesce(account_id, '') = %(account_id)s)
    and (%(service)s::text is null or coalesce(service, '') = %(service)s)
group by date
order by date
