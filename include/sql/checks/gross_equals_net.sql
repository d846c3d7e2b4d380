-- severity: warning
-- protects: from discounts that are missing, or counted twice, on one of the two cost bases of a bill
-- action: the month is published on the net basis; compare this invoice with the PDF and, where it disagrees, ask AWS
--   Support why its gross lines and discounts do not sum to its net lines

select
    invoice_id,
    currency,
    gross_cost,
    billed_cost as net_cost
from {raw_totals}
where gross_cost <> billed_cost
