-- What became of the loads that ended in some days: one row per source, with a month that failed last and was not
-- published since, if there is one.

with ended as (
    select
        load_id,
        source,
        billing_period,
        status,
        coalesce(finished, started) as ended_at,
        error
    from {load_history}
    where
        status in ('published', 'superseded', 'rejected', 'failed')
        and coalesce(finished, started) >= %(first)s
        and coalesce(finished, started) < %(last)s::date + 1
),

last_of_month as (
    select distinct on (source, billing_period)
        source,
        billing_period,
        status,
        error
    from {load_history}
    where status in ('published', 'superseded', 'rejected', 'failed')
    order by source asc, billing_period asc, load_id desc
),

open_months as (
    select distinct on (source)
        source,
        billing_period,
        error
    from last_of_month
    where status in ('rejected', 'failed')
    order by source asc, billing_period desc
)

select
    ended.source,
    count(*) filter (where ended.status in ('published', 'superseded')) as published,
    count(*) filter (where ended.status = 'rejected') as rejected,
    count(*) filter (where ended.status = 'failed') as failed,
    max(ended.ended_at) as last_at,
    any_value(open_months.billing_period) as open_month,
    any_value(open_months.error) as open_error
from ended
left join open_months on ended.source = open_months.source
group by ended.source
order by ended.source
