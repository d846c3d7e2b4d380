-- What the days of events cost, exact: one row per event, by its number in the list, with the sum, its days that have
-- costs, and the costs of each. The last two are NULL where no day has any.

with days as (
    select
        event.number,
        costs.date,
        sum(costs.effective_cost) as amount
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
    group by event.number, costs.date
)

select
    number,
    coalesce(sum(amount), 0) as actual,
    array_agg(date) filter (where date is not null) as dates,
    array_agg(amount) filter (where date is not null) as amounts
from days
group by number
order by number
