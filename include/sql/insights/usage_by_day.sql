-- Daily effective cost of usage of one source in one currency, from one day to another: one row per account and
-- service, with the numbers of its days and their costs. The costs are floats, for estimates alone.

select
    coalesce(account_id, '') as account_id,
    coalesce(service, '') as service,
    array_agg(date - %(first)s::date) as days,
    array_agg(effective_cost::double precision) as costs
from {costs_by_day}
where
    source = %(source)s
    and currency = %(currency)s
    and charge_category = 'Usage'
    and billing_period >= date_trunc('month', %(first)s::timestamp) - interval '1 month'
    and date between %(first)s and %(last)s
group by 1, 2
order by 1, 2
