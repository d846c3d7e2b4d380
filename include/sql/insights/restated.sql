-- How much the days of an event cost more now than as of the first load in which all of them were complete. NULL where
-- that load is the one that readers see now.

with event_days as (
    select generate_series(%(first)s::date, %(last)s::date, interval '1 day')::date as date
),

loads as (
    select
        totals.date,
        totals.effective_cost,
        totals.load_id,
        row_number() over (partition by totals.date order by totals.load_id) as nth
    from {day_totals} as totals
    inner join {load_history} as load on totals.load_id = load.load_id
    inner join event_days on totals.date = event_days.date
    where
        load.source = %(source)s
        and totals.currency = %(currency)s
        and load.started::date - totals.date >= %(age)s
        and load.billing_period = date_trunc('month', totals.date::timestamp)::date
),

seen as (
    select
        first.date,
        first.effective_cost as before,
        now.effective_cost as now
    from loads as first
    inner join (
        select distinct on (loads.date)
            loads.date,
            loads.effective_cost,
            loads.load_id
        from loads
        order by loads.date asc, loads.load_id desc
    ) as now on first.date = now.date and first.load_id < now.load_id
    where first.nth = 1
)

select sum(seen.now - seen.before) as change
from seen
