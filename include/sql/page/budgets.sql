-- A page of budgets in the order of their names, each with its periods, the newest first: a row for each, and one with
-- empty columns for a budget that no period was checked of. Periods of another kind are from before the budget changed.

with chosen as (
    select
        budget,
        amount,
        currency,
        period,
        cost,
        filters,
        thresholds
    from {budgets}
    order by budget
    limit %(at_most)s offset %(skipped)s
)

select
    chosen.budget,
    chosen.amount,
    chosen.currency,
    chosen.period,
    chosen.cost,
    chosen.filters,
    chosen.thresholds as wanted,
    status.period_start,
    status.period_end,
    status.as_of,
    status.amount as amount_then,
    status.actual,
    status.forecast,
    status.low,
    status.high,
    status.status,
    status.thresholds,
    status.checked_at
from chosen
left join {budget_status} as status
    on
        chosen.budget = status.budget
        and chosen.currency = status.currency
        and status.period_end = (
            status.period_start
            + case chosen.period
                when 'month' then interval '1 month'
                when 'quarter' then interval '3 months'
                else interval '1 year'
            end
        )::date - 1
order by chosen.budget asc, status.period_start desc
