-- The published billing months: one row per source, cloud, month and currency, with the days that have costs.

with totals as (
    select
        source,
        coalesce(cloud_provider, '') as cloud_provider,
        billing_period,
        currency,
        min(date) as first_date,
        max(date) as last_date,
        sum(cost) as cost,
        sum(effective_cost) as effective_cost
    from {costs_by_day_service}
    group by source, cloud_provider, billing_period, currency
)

select
    totals.source,
    totals.cloud_provider,
    totals.billing_period,
    totals.currency,
    totals.first_date,
    totals.last_date,
    totals.cost,
    totals.effective_cost,
    history.finished,
    history.load_id,
    history.version,
    history.format
from totals
inner join {load_history} as history
    on
        totals.source = history.source
        and totals.billing_period = history.billing_period
        and history.status = 'published'
