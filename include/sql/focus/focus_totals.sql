-- What the charges of FOCUS files themselves say, one row per payer, invoice and currency. The files are on one basis,
-- and do not say what part of upfront fees the month uses up.

select
    billingaccountid as billing_account_id,
    invoiceid as invoice_id,
    billingcurrency as currency,
    count(*) as stored_lines,
    coalesce(sum(exported_billed_cost), 0) as billed_cost,
    count(*) as line_items
from (
    {lines}
) as lines
group by billingaccountid, invoiceid, billingcurrency
