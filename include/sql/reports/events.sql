-- The events that somebody has to look at, of some days, the largest first.

select
    anomaly_id,
    source,
    currency,
    account_id,
    service,
    first_date,
    last_date,
    expected,
    actual,
    impact,
    severity,
    kind,
    status,
    running,
    explanation
from {anomalies}
where status in ('open', 'acknowledged') and last_date >= %(first)s and first_date <= %(last)s
order by abs(impact) desc, anomaly_id asc
