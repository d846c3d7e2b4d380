-- An event that is a part of a wider one.

update {anomalies} set
    status = 'merged',
    running = false,
    explanation = explanation || jsonb_build_object('merged_into', %(into)s::bigint)
where anomaly_id = %(id)s
