-- What the lines of each commitment and resource of gcp_billing_kinds.sql sum to.

select
    billing_period,
    billing_account_id,
    currency,
    commitment_id,
    pool,
    bool_or(has_offset) as has_offset,
    sum(billed_cost) filter (where is_fee) as fee,
    sum(covered_cost) filter (where not is_fee) as covered_cost,
    sum(committed_usage) filter (where is_fee) as committed_usage,
    sum(covered_usage) filter (where not is_fee) as covered_usage
from kinds
where commitment_id is not null
group by billing_period, billing_account_id, currency, commitment_id, pool
