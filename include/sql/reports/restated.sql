-- Billing months that loads of some days changed after the end of the month: one row per source, billing month and
-- currency, with what changed.

select
    source,
    billing_period,
    currency,
    count(distinct load_id) as times,
    sum(cost_change) as cost_change,
    sum(effective_cost_change) as effective_cost_change
from {restatements}
where
    published_at >= %(first)s
    and published_at < %(last)s::date + 1
    and published_at >= billing_period + interval '1 month'
group by source, billing_period, currency
order by source, billing_period, currency
