-- What the charges of FOCUS files themselves say, one row per payer, invoice and currency. The files are on one basis,
-- and do not say what part of upfront fees the month uses up. An export of this package says for how many lines a
-- charge counts, and its charges may lack an account as those of their own provider may.

select
    billingaccountid as billing_account_id,
    invoiceid as invoice_id,
    billingcurrency as currency,
    count(*) as stored_lines,
    coalesce(sum(exported_billed_cost), 0) as billed_cost,
    sum(counted_lines) as line_items,
    bool_or(exported_by is not null) as usage_may_lack_account
from (
    {lines}
) as lines
group by billingaccountid, invoiceid, billingcurrency
