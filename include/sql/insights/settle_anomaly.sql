-- An event that is not found any more: explained by a restatement, over, or running still.

update {anomalies} set
    actual = %(actual)s,
    impact = %(actual)s - expected,
    running = %(how)s = 'running' and running,
    status = case
        when %(how)s = 'explained' and status in ('open', 'acknowledged', 'muted') then 'explained' else status
    end,
    explanation = case
        when %(reason)s::text is null then explanation
        else explanation || jsonb_build_object('reason', %(reason)s::text)
    end,
    version = %(version)s
where anomaly_id = %(id)s
