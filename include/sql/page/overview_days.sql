-- The costs of billing months by day, complete or not. A day outside its month counts on the month's first or last day.

select
    least(
        greatest(date, billing_period), (billing_period + interval '1 month' - interval '1 day')::date
    ) as day,
    sum(cost) as cost,
    sum(effective_cost) as effective_cost
from {costs_by_day_service}
where currency = {currency} and billing_period = any({months}::date[])
group by day
order by day
