-- day_totals: what each day cost as of the loads that readers see now. A load that is recorded already is left out.
-- Publishing swaps a month's load and its costs in one transaction, so one statement sees both or neither.

insert into {day_totals} (load_id, date, currency, effective_cost)
select
    published.normalized_load_id as load_id,
    costs.date,
    costs.currency,
    sum(costs.effective_cost) as effective_cost
from {costs_by_day_account} as costs
inner join {published_months} as published
    on costs.source = published.source and costs.billing_period = published.billing_period
where
    costs.source = %(source)s
    and costs.billing_period >= %(since)s
    and costs.charge_category = 'Usage'
    and published.normalized_load_id not in (select known.load_id from {day_totals} as known)
group by published.normalized_load_id, costs.date, costs.currency
on conflict do nothing
