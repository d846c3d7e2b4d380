-- An event as it is found now. What a restatement had taken back and is there again is news again.

update {anomalies} set
    account_id = %(account_id)s,
    service = %(service)s,
    first_date = %(first_date)s,
    last_date = %(last_date)s,
    expected = %(expected)s,
    actual = %(actual)s,
    impact = %(actual)s::numeric - %(expected)s::numeric,
    severity = %(severity)s,
    running = %(running)s,
    explanation = %(explanation)s,
    version = %(version)s,
    status = case when status = 'explained' then 'open' else status end,
    told_at = case when status = 'explained' then null else told_at end,
    taken_back_at = case when status = 'explained' then null else taken_back_at end
where anomaly_id = %(id)s
