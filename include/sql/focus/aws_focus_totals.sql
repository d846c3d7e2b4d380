-- What the exported charges themselves say, one row per payer, invoice and currency. A FOCUS export is on one basis,
-- and does not say what part of upfront fees the month uses up.

select
    billingaccountid as billing_account_id,
    invoiceid as invoice_id,
    billingcurrency as currency,
    count(*) as stored_lines,
    coalesce(sum(billedcost), 0) as billed_cost,
    coalesce(sum(billedcost), 0) as gross_cost,
    null::numeric as prepaid_use,
    count(*) as line_items,
    0 as gross_lines,
    0 as net_lines,
    0 as lines_without_net,
    false as is_net
from (
    {lines}
) as lines
group by billingaccountid, invoiceid, billingcurrency
