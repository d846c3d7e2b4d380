-- Where months were expected to end, of all sources together, and what their days cost now: one row per month and
-- currency, billed. The forecast is the newest one as of a day of the month or before it.

with expected as (
    select distinct on (month, currency)
        month,
        currency,
        as_of,
        expected
    from {forecasts}
    where
        metric = 'billed'
        and source is null
        and account_id is null
        and service is null
        and month between %(first)s and %(last)s
        and as_of < month + %(day)s::integer
    order by month asc, currency asc, as_of desc
)

select
    expected.month,
    expected.currency,
    expected.as_of,
    expected.expected,
    coalesce(sum(costs.cost), 0) as cost
from expected
left join {costs_by_day_service} as costs
    on
        expected.currency = costs.currency
        and expected.month = date_trunc('month', costs.date::timestamp)::date
group by expected.month, expected.currency, expected.as_of, expected.expected
order by expected.month desc, expected.currency asc
