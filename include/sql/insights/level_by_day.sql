-- Daily costs of one source in one currency, billed and effective, from one day to another: one row for each value of a
-- column and each kind of charge, with the numbers of its days and their costs. The costs are floats, for estimates
-- alone.

select
    coalesce({column}, '') as value,
    case charge_category when 'Usage' then 'usage' when 'Tax' then 'taxes' else 'fees' end as kind,
    array_agg(date - %(first)s::date) as days,
    array_agg(cost::double precision) as billed,
    array_agg(effective_cost::double precision) as effective
from {totals}
where
    source = %(source)s
    and currency = %(currency)s
    and billing_period >= date_trunc('month', %(first)s::timestamp) - interval '1 month'
    and date between %(first)s and %(last)s
group by 1, 2
order by 1, 2
