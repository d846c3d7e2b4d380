-- The rows of one billing month for costs_by_day and for the three coarser tables, from the month's daily totals.
-- `relation` names the table that a row is for. The coarser totals are sums of those by day, which are fewer rows than
-- the daily totals.

with by_day as (
    select
        date,
        date_trunc('month', date::timestamp)::date as month,
        billing_period,
        currency,
        sum(cost) as cost,
        sum(effective_cost) as effective_cost,
        service,
        account_id,
        charge_category,
        source,
        cloud_provider,
        billing_account_id,
        sum(list_cost) as list_cost,
        sum(line_items)::bigint as line_items
    from {normalized}
    group by
        date,
        billing_period,
        currency,
        service,
        account_id,
        charge_category,
        source,
        cloud_provider,
        billing_account_id
)

select
    'costs_by_day' as relation,
    by_day.*
from by_day
union all
select
    case grouping(date, service, account_id)
        when 1 then 'costs_by_day_service'
        when 2 then 'costs_by_day_account'
        else 'costs_by_month'
    end as relation,
    date,
    month,
    billing_period,
    currency,
    sum(cost) as cost,
    sum(effective_cost) as effective_cost,
    service,
    account_id,
    charge_category,
    source,
    cloud_provider,
    billing_account_id,
    sum(list_cost) as list_cost,
    sum(line_items)::bigint as line_items
from by_day
group by
    billing_period,
    currency,
    charge_category,
    source,
    cloud_provider,
    billing_account_id,
    grouping sets ((date, service), (date, account_id), (month, service, account_id))
