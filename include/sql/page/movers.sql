-- The accounts' services whose billed cost differs most between two billing months, up to a day of each source. Months
-- that count as a whole are read from the totals by month, which are a tenth of those by day.

with cuts as (
    select *
    from
        unnest({sources}::text[], {months}::date[], {days}::date[], {current}::boolean[], {whole}::boolean[])
            as cuts (source, billing_period, through, is_current, is_whole)
),

charges as (
    select
        by_day.source,
        by_day.account_id,
        by_day.service,
        by_day.cost,
        cuts.is_current
    from {costs_by_day} as by_day
    inner join cuts on by_day.source = cuts.source and by_day.billing_period = cuts.billing_period
    where
        by_day.currency = {currency}
        and by_day.billing_period = any({partial_months}::date[])
        and by_day.date <= cuts.through
        and not cuts.is_whole
    union all
    select
        by_month.source,
        by_month.account_id,
        by_month.service,
        by_month.cost,
        cuts.is_current
    from {costs_by_month} as by_month
    inner join cuts on by_month.source = cuts.source and by_month.billing_period = cuts.billing_period
    where
        by_month.currency = {currency}
        and by_month.billing_period = any({whole_months}::date[])
        and by_month.month <= cuts.through
        and cuts.is_whole
),

moved as (
    select
        source,
        coalesce(account_id, '') as account_id,
        coalesce(service, '') as service,
        coalesce(sum(cost) filter (where not is_current), 0) as before,
        coalesce(sum(cost) filter (where is_current), 0) as after
    from charges
    group by source, account_id, service
)

select
    source,
    account_id,
    service,
    before,
    after
from moved
where before <> after
order by abs(after - before) desc, source asc, account_id asc, service asc
limit {at_most}
