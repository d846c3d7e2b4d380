-- The events of a source in one currency that a day from a date on belongs to, the oldest first.

select
    anomaly_id,
    account_id,
    service,
    first_date,
    last_date,
    expected,
    actual,
    impact,
    status,
    running,
    news,
    explanation,
    muted_until
from {anomalies}
where
    source = %(source)s
    and currency = %(currency)s
    and (last_date >= %(since)s or muted_until >= %(since)s)
    and status <> 'merged'
order by anomaly_id
