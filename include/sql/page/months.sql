-- Every billing month of a source that a load has ended for: the load that readers see, if any, with its checks, and
-- the newest load that has ended.

with ended as (
    select distinct on (source, billing_period)
        source,
        billing_period,
        load_id,
        status,
        error,
        dag_run_id,
        map_index
    from {load_history}
    where status in ('published', 'superseded', 'rejected', 'failed')
    order by source asc, billing_period asc, load_id desc
),

current_loads as (
    select
        load_id,
        source,
        billing_period,
        version,
        finished,
        rows,
        note,
        dag_run_id,
        map_index
    from {load_history}
    where status = 'published'
),

checks as (
    select
        results.load_id,
        count(*) filter (where results.passed) as passed,
        count(*) filter (where not results.passed) as warned
    from {audit_results} as results
    inner join current_loads on results.load_id = current_loads.load_id
    group by results.load_id
)

select
    ended.source,
    ended.billing_period,
    current_loads.load_id,
    current_loads.version,
    current_loads.finished,
    current_loads.rows,
    current_loads.note,
    coalesce(checks.passed, 0) as passed,
    coalesce(checks.warned, 0) as warned,
    case when ended.status in ('rejected', 'failed') then ended.load_id end as failed_load_id,
    case when ended.status in ('rejected', 'failed') then ended.error end as error,
    ended.dag_run_id,
    ended.map_index
from ended
left join current_loads
    on ended.source = current_loads.source and ended.billing_period = current_loads.billing_period
left join checks on current_loads.load_id = checks.load_id
order by ended.billing_period desc, ended.source asc
