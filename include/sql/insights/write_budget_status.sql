-- The status of one period of a budget.

insert into {budget_status} (
    budget, period_start, period_end, as_of, amount, currency, actual, forecast, low, high, share, status, thresholds
)
values (
    %(budget)s, %(period_start)s, %(period_end)s, %(as_of)s, %(amount)s, %(currency)s, %(actual)s, %(forecast)s,
    %(low)s, %(high)s, %(share)s, %(status)s, %(thresholds)s
)
on conflict (budget, period_start) do update set
    period_end = excluded.period_end,
    as_of = excluded.as_of,
    amount = excluded.amount,
    currency = excluded.currency,
    actual = excluded.actual,
    forecast = excluded.forecast,
    low = excluded.low,
    high = excluded.high,
    share = excluded.share,
    status = excluded.status,
    thresholds = excluded.thresholds,
    checked_at = clock_timestamp()
