-- Effective cost of each day and currency, exact.

select
    currency,
    date,
    sum(effective_cost) as effective_cost
from {costs_by_day_service}
where date between %(first)s and %(last)s
group by currency, date
order by currency, date
