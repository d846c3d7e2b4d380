-- Costs by up to two keys and by period: one row per period and group, in one currency.

select
    {period_of_row} as period,
    {first_key} as key_1,
    {second_key} as key_2,
    sum({metric}) as amount
from {relation}
where currency = {currency} and {condition}
group by period, key_1, key_2
order by period, key_1, key_2
limit {at_most}
