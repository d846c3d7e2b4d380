-- Where the month of a day will end, of all sources together: the newest forecast that was made as of that day or
-- before it. One row per currency and metric.

select distinct on (currency, metric)
    currency,
    metric,
    as_of,
    to_date,
    expected,
    low,
    high
from {forecasts}
where
    month = date_trunc('month', %(day)s::timestamp)::date
    and as_of <= %(day)s
    and source is null
    and account_id is null
    and service is null
order by currency asc, metric asc, as_of desc
