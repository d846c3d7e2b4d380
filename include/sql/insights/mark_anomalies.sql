-- Events that were written into messages.

update {anomalies} set
    told_at = coalesce(told_at, clock_timestamp()),
    taken_back_at = case when status = 'explained' then clock_timestamp() end
where anomaly_id = any(%(ids)s)
