-- Where a month will end, of all sources in a currency together: the newest forecast, a row for each metric.

select
    metric,
    as_of,
    expected,
    low,
    high
from {forecasts}
where
    month = {month}
    and source is null
    and currency = {currency}
    and account_id is null
    and service is null
order by as_of desc, metric asc
limit 2
