-- The accounts' services whose billed cost differs most between two billing months, up to a day of each source.

with cuts as (
    select *
    from unnest({sources}::text[], {months}::date[], {days}::date[], {current}::boolean[])
        as cuts (source, billing_period, through, is_current)
),

moved as (
    select
        charges.source,
        coalesce(charges.account_id, '') as account_id,
        coalesce(charges.service, '') as service,
        coalesce(sum(charges.cost) filter (where not cuts.is_current), 0) as before,
        coalesce(sum(charges.cost) filter (where cuts.is_current), 0) as after
    from {costs_by_day} as charges
    inner join cuts on charges.source = cuts.source and charges.billing_period = cuts.billing_period
    where charges.currency = {currency} and charges.date <= cuts.through
    group by charges.source, charges.account_id, charges.service
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
