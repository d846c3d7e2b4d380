-- What the FOCUS charges sum to, one row per invoice and currency: what the audits compare with both sides.

select
    invoiceid as invoice_id,
    billingcurrency as currency,
    sum(billedcost) as billed_cost,
    sum(effectivecost) as effective_cost,
    sum(listcost) as list_cost,
    sum(x_lineitems) as line_items
from ({charges}) as charges
group by invoiceid, billingcurrency
