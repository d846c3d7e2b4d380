-- Costs by up to two keys and by period: one row per period and group, in one currency.

select
    {period} as period,
    {key_1} as key_1,
    {key_2} as key_2,
    sum({metric}) as amount
from {relation}
where currency = {currency} and {condition}
group by period, key_1, key_2
order by period, key_1, key_2
limit {at_most}
