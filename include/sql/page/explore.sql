-- Costs by up to two keys and by period: one row per period of each of the largest groups, and of all others together.
-- The period is NULL before the range. All amounts are of one currency.

with found as materialized (
    select
        {first_key} as key_1,
        {second_key} as key_2,
        {period_of_row} as period,
        sum({metric}) as amount
    from {relation}
    where currency = {currency} and {condition}
    group by key_1, key_2, period
),

ranked as (
    select
        key_1,
        key_2,
        row_number() over (
            order by coalesce(sum(amount) filter (where period is not null), 0) desc, key_1 asc, key_2 asc
        ) as rank,
        count(*) over () as number_of_groups
    from found
    group by key_1, key_2
)

select
    least(ranked.rank, {top}::bigint + 1) as rank,
    case when ranked.rank <= {top}::bigint then found.key_1 end as shown_1,
    case when ranked.rank <= {top}::bigint then found.key_2 end as shown_2,
    found.period,
    sum(found.amount) as amount,
    max(ranked.number_of_groups) as number_of_groups
from found
inner join ranked on found.key_1 = ranked.key_1 and found.key_2 = ranked.key_2
group by least(ranked.rank, {top}::bigint + 1), shown_1, shown_2, found.period
order by least(ranked.rank, {top}::bigint + 1), found.period
