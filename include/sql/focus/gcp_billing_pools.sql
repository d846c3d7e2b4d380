-- What the fees of each commitment of a month are spread over; see gcp_billing.sql. A pool that is not here has no fee,
-- or no use that can be tied to it.

select
    billing_period,
    billing_account_id,
    currency,
    commitment_id,
    pool,
    fee,
    coalesce(covered_cost, 0) as covered_cost,
    case
        when has_offset then 0
        -- Cut at 20 decimal places, not rounded, so that what is left over is never below 0.
        when committed_usage > 0 and covered_usage > 0 and covered_usage < committed_usage and pool <> ''
            then div(fee * covered_usage * 1e20, committed_usage * covered_cost) * 1e-20
        else div(fee * 1e20, covered_cost) * 1e-20
    end as rate
from sums
where has_offset or (fee > 0 and covered_cost > 0)
