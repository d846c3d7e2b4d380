-- A page of events: the open ones first, then the newest, then the largest. A list of wanted values that is NULL lets
-- all pass.

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
    news,
    muted_until,
    found_at,
    told_at,
    taken_back_at
from {anomalies}
where {condition}
order by
    array_position(array['open', 'acknowledged', 'muted', 'expected', 'explained', 'merged'], status),
    last_date desc,
    abs(impact) desc,
    anomaly_id desc
limit {at_most} offset {skipped}
