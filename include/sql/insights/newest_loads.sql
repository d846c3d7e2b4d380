-- One row per source: the newest billing month that readers see, the day (UTC) on which any month was loaded last, and
-- the version of the newest month's delivery.

select
    published.source,
    max(published.billing_period) as billing_period,
    max(load.started)::date as loaded_on,
    (array_agg(published.version order by published.billing_period desc))[1] as version
from {published_months} as published
inner join {load_history} as load on published.normalized_load_id = load.load_id
group by published.source
order by published.source
