-- An event that is not found any more: explained by a restatement, over, or running still. One that is explained keeps
-- the amounts that were told.

update {anomalies} set
    actual = case when %(how)s = 'explained' then actual else %(actual)s end,
    impact = case when %(how)s = 'explained' then impact else %(actual)s - expected end,
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
