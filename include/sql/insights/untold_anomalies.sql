-- The events that are news and were not told, and those that were told and that a restatement took away since, the
-- largest first. The rows stay locked until the transaction ends.

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
where
    (status = 'open' and news and told_at is null)
    or (status = 'explained' and told_at is not null and taken_back_at is null)
order by status asc, abs(impact) desc, anomaly_id asc
for update
