-- What the complete days of a month cost, exact: for each account, each service, and all of a source in one currency.
-- The columns of other levels are NULL.

select
    account_id,
    service,
    sum(cost) as billed,
    sum(effective_cost) as effective
from (
    select
        coalesce(account_id, '') as account_id,
        coalesce(service, '') as service,
        cost,
        effective_cost
    from {costs_by_day}
    where
        source = %(source)s
        and currency = %(currency)s
        and billing_period between %(month)s::date - interval '1 month' and %(month)s::date + interval '1 month'
        and date between %(month)s and %(last)s
) as costs
group by grouping sets ((account_id), (service), ())
