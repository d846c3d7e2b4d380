-- What the exported charges themselves say, one row per payer, invoice and currency: the other side of every audit of
-- sums. The export holds both costs of every charge.

select
    billingaccountid as billing_account_id,
    invoiceid as invoice_id,
    billingcurrency as currency,
    count(*) as stored_lines,
    coalesce(sum(exported_billed_cost), 0) as billed_cost,
    coalesce(sum(exported_effective_cost), 0) as effective_cost,
    count(*) as line_items,
    -- What is left unused of a commitment belongs to no subscription.
    true as usage_may_lack_account
from (
    {lines}
) as lines
group by billingaccountid, invoiceid, billingcurrency
