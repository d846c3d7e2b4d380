-- What usage types and resources add to an event: the money of its days above that of as many of the days before.

with off as (
    select
        skumeter,
        resourceid,
        effectivecost * case when chargeperiodstart >= %(first)s then 1 else -%(scale)s::numeric end as cost
    from {focus_costs}
    where
        x_source = %(source)s
        and billingcurrency = %(currency)s
        and chargecategory = 'Usage'
        and billing_period between date_trunc('month', %(before)s::timestamp) and %(last)s
        and chargeperiodstart >= %(before)s
        and chargeperiodstart < %(last)s::date + 1
        and (%(account_id)s::text is null or %(account_id)s = coalesce(subaccountid, ''))
        and (%(service)s::text is null or %(service)s = coalesce(servicename, ''))
),

parts as (
    select
        part.dimension,
        part.value,
        sum(off.cost) as impact
    from off
    cross join lateral (values ('usage types', off.skumeter), ('resources', off.resourceid)) as part (dimension, value)
    where part.value is not null
    group by part.dimension, part.value
),

ranked as (
    select
        dimension,
        value,
        round(impact, 2) as impact,
        row_number() over (partition by dimension order by %(sign)s * impact desc, value) as nth
    from parts
)

select
    dimension,
    value,
    impact
from ranked
where nth <= %(most)s and %(sign)s * impact > 0
order by dimension, nth
