-- What commitments cost by billing month, by effective cost: used, and paid for nothing.

select
    currency,
    billing_period,
    coalesce(sum(effective_cost) filter (where commitment_status = 'Used'), 0) as used,
    coalesce(sum(effective_cost) filter (where commitment_status = 'Unused'), 0) as unused
from {commitment_costs}
where billing_period between %(first)s and %(last)s and commitment_status in ('Used', 'Unused')
group by currency, billing_period
order by currency, billing_period
