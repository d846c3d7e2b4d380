-- What the complete days of a month cost, exact: all of a source in one currency, each account, and each service. The
-- columns of other levels are NULL.

select
    coalesce(account_id, '') as account_id,
    null::text as service,
    sum(cost) as billed,
    sum(effective_cost) as effective
from {costs_by_day_account}
where
    source = %(source)s
    and currency = %(currency)s
    and billing_period between %(month)s::date - interval '1 month' and %(month)s::date + interval '1 month'
    and date between %(month)s and %(last)s
group by coalesce(account_id, '')
union all
select
    null::text as account_id,
    coalesce(service, '') as service,
    sum(cost) as billed,
    sum(effective_cost) as effective
from {costs_by_day_service}
where
    source = %(source)s
    and currency = %(currency)s
    and billing_period between %(month)s::date - interval '1 month' and %(month)s::date + interval '1 month'
    and date between %(month)s and %(last)s
group by coalesce(service, '')
union all
select
    null::text as account_id,
    null::text as service,
    sum(cost) as billed,
    sum(effective_cost) as effective
from {costs_by_day_service}
where
    source = %(source)s
    and currency = %(currency)s
    and billing_period between %(month)s::date - interval '1 month' and %(month)s::date + interval '1 month'
    and date between %(month)s and %(last)s
