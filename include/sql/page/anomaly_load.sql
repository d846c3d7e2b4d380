-- The load that an event was last seen in: of its version, and best of the month of its last day.

select
    load_id,
    source,
    to_char(billing_period, 'YYYY-MM') as billing_period,
    version,
    finished as published_at
from {load_history}
where
    source = %(source)s
    and version = %(version)s
    and status in ('published', 'superseded')
order by
    billing_period = date_trunc('month', %(last_date)s::timestamp) desc,
    load_id desc
limit 1
