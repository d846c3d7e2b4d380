-- The checks of the loads that ended in some days: how often each ran, and how often it found something.

select
    results.check_name,
    results.severity,
    count(*) as ran,
    count(*) filter (where not results.passed) as broken
from {audit_results} as results
inner join {load_history} as load on results.load_id = load.load_id
where
    coalesce(load.finished, load.started) >= %(first)s
    and coalesce(load.finished, load.started) < %(last)s::date + 1
group by results.check_name, results.severity
order by broken desc, results.check_name asc
