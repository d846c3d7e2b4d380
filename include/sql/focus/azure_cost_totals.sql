-- What the exported lines themselves say, one row per payer, invoice and currency: the other side of every audit of
-- sums. What is billed is the sum of the actual costs, and what it costs in effect the sum of the amortized ones; with
-- actual costs alone, both are the same. The lines of actual costs that repeat amortized ones are stored, and count
-- nowhere else.

select
    payer as billing_account_id,
    invoiceid as invoice_id,
    billingcurrency as currency,
    count(*) as stored_lines,
    coalesce(sum(case when data_set = 'alone' then costinbillingcurrency else actualcost end), 0) as billed_cost,
    coalesce(sum(case when data_set = 'alone' then costinbillingcurrency else amortizedcost end), 0) as effective_cost,
    count(*) filter (where data_set <> 'actual' or part = 'bought') as line_items,
    -- What is left unused of a commitment belongs to no subscription.
    true as usage_may_lack_account
from (
    {lines}
) as lines
group by payer, invoiceid, billingcurrency
