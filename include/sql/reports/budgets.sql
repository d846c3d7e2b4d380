-- The budgets whose period a day is in, those that are broken first.

select
    status.budget,
    status.period_start,
    status.period_end,
    status.amount,
    status.currency,
    status.actual,
    status.forecast,
    status.low,
    status.high,
    status.share,
    status.status,
    budgets.cost
from {budget_status} as status
inner join {budgets} as budgets on status.budget = budgets.budget
where %(day)s::date between status.period_start and status.period_end
order by
    array_position(array['exceeded', 'at risk', 'no costs', 'kept'], status.status) asc,
    status.share desc,
    status.budget asc
