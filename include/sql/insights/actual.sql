-- What the days of events cost, exact: one row per event, by its number in the list.

select
    event.number,
    coalesce(sum(costs.effective_cost), 0) as actual
from
    unnest(%(accounts)s::text[], %(services)s::text[], %(firsts)s::date[], %(lasts)s::date[])
    with ordinality as event (account_id, service, first_date, last_date, number)
left join {costs_by_day} as costs
    on
        costs.date between event.first_date and event.last_date
        and costs.source = %(source)s
        and costs.currency = %(currency)s
        and costs.charge_category = 'Usage'
        and (event.account_id is null or event.account_id = coalesce(costs.account_id, ''))
        and (event.service is null or event.service = coalesce(costs.service, ''))
group by event.number
order by event.number
