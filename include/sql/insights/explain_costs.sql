-- What regions and tags add to an event: the money of its days above that of as many of the days before.

with off as (
    select
        region,
        tags,
        effective_cost * case when date >= %(first)s then 1 else -%(scale)s::numeric end as cost
    from {costs}
    where
        source = %(source)s
        and currency = %(currency)s
        and charge_category = 'Usage'
        and billing_period between date_trunc('month', %(before)s::timestamp) - interval '1 month' and %(last)s
        and date between %(before)s and %(last)s
        and (%(account_id)s::text is null or %(account_id)s = coalesce(account_id, ''))
        and (%(service)s::text is null or %(service)s = coalesce(service, ''))
),

parts as (
    select
        'regions' as dimension,
        coalesce(region, '') as value,
        cost
    from off
    union all
    select
        'tag ' || tag.key as dimension,
        tag.value,
        off.cost
    from off
    cross join lateral jsonb_each_text(off.tags) as tag
),

sums as (
    select
        dimension,
        value,
        round(sum(cost), 2) as impact,
        row_number() over (partition by dimension order by %(sign)s * sum(cost) desc, value) as nth
    from parts
    group by dimension, value
)

select
    dimension,
    value,
    impact
from sums
where nth <= %(most)s and %(sign)s * impact > 0
order by dimension, nth
