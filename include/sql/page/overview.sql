-- The costs of two billing months up to a day of each source, by cloud, by service and in all: one row for each. The
-- sets of sources, months and days travel as arrays.

with cuts as (
    select *
    from unnest({sources}::text[], {months}::date[], {days}::date[], {current}::boolean[])
        as cuts (source, billing_period, through, is_current)
)

select
    grouping(charges.cloud_provider) = 0 as is_cloud,
    grouping(charges.service) = 0 as is_service,
    coalesce(charges.cloud_provider, charges.service, '') as value,
    coalesce(sum(charges.cost) filter (where cuts.is_current), 0) as cost,
    coalesce(sum(charges.cost) filter (where not cuts.is_current), 0) as previous_cost,
    coalesce(sum(charges.effective_cost) filter (where cuts.is_current), 0) as effective_cost,
    coalesce(sum(charges.effective_cost) filter (where not cuts.is_current), 0) as previous_effective_cost
from {costs_by_day_service} as charges
inner join cuts on charges.source = cuts.source and charges.billing_period = cuts.billing_period
where
    charges.currency = {currency}
    and charges.billing_period = any({months}::date[])
    and charges.date <= cuts.through
group by grouping sets ((charges.cloud_provider), (charges.service), ())
order by is_cloud asc, is_service asc, cost desc, value asc
