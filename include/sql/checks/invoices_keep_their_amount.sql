-- severity: warning
-- protects: from an invoice that changed after it was published, and in reports that were made of it
-- action: compare restatements with the invoice's PDF; AWS issues a credit memo or an invoice of its own for what it
--   corrects, so ask AWS Support why an issued invoice changed

with invoices as (
    select
        invoice_id,
        currency,
        sum(billed_cost) as billed_cost
    from {focus_totals}
    group by invoice_id, currency
)

select
    published.invoice_id,
    published.currency,
    published.billed_cost as published_cost,
    invoices.billed_cost
from {published_invoices} as published
left join invoices
    on published.invoice_id = invoices.invoice_id and published.currency = invoices.currency
where published.billed_cost is distinct from invoices.billed_cost
