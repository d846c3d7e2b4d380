-- What the exported lines themselves say, one row per billing account and currency: cost and credits, which is what the
-- marker of the shipped query promises. The export names no invoice. A commitment is billed month by month, so the
-- effective costs of a month sum to its billed ones. Use may lack a project: support does, and a project's first day.

select
    billing_account_id,
    null::text as invoice_id,
    currency,
    count(*) as stored_lines,
    coalesce(sum(cost), 0) + coalesce(sum(credits_amount), 0) as billed_cost,
    count(*) as line_items,
    true as effective_is_billed,
    true as usage_may_lack_account
from (
    {lines}
) as lines
group by billing_account_id, currency
