-- One row per source: the newest billing month that readers see, its version, and when it was loaded.

select distinct on (published.source)
    published.source,
    published.billing_period,
    published.version,
    load.started
from {published_months} as published
inner join {load_history} as load on published.normalized_load_id = load.load_id
order by published.source asc, published.billing_period desc
