-- What does each team use? One row per value of a tag and currency. The variable tag is a key that sources.yaml lists.
select
    coalesce(tags ->> {{tag}}::text, '(untagged)') as value,
    currency,
    round(sum(effective_cost), 2) as effective_cost
from cost_analytics.costs
where
    charge_category = 'Usage'
    [[and billing_period = date_trunc('month', {{month}}::timestamp)]]
    [[and currency = {{currency}}]]
    [[and source = {{source}}]]
group by 1, currency
order by effective_cost desc, value, currency
