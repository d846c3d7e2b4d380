-- How a day's costs changed from one load of its month to the one a day later, by how old the day was at the first of
-- the two: one row per source and age in days, with the number of days seen, and how many of them changed by more than
-- a share. An age of 1 is the day before the day of the load.

with loads as (
    select
        load_id,
        source,
        billing_period,
        started
    from {load_history}
    where status in ('published', 'superseded') and not raw_only and started > now() - interval '120 days'
),

pairs as (
    select
        loads.load_id,
        loads.source,
        loads.started::date as loaded_on,
        (
            select next.load_id
            from loads as next
            where
                next.source = loads.source
                and next.billing_period = loads.billing_period
                and next.started >= loads.started + interval '20 hours'
            order by next.load_id
            limit 1
        ) as next_load_id
    from loads
)

select
    pairs.source,
    pairs.loaded_on - earlier.date as age,
    count(*) as days,
    count(*) filter (
        where abs(later.effective_cost - earlier.effective_cost) > %(share)s * abs(later.effective_cost)
    ) as changed
from pairs
inner join {day_totals} as earlier on pairs.load_id = earlier.load_id
inner join {day_totals} as later
    on pairs.next_load_id = later.load_id and earlier.date = later.date and earlier.currency = later.currency
where pairs.loaded_on - earlier.date between 0 and %(longest)s
group by pairs.source, age
