-- severity: warning
-- protects: from an invoice whose amounts are of several currencies, so that no sum is what has to be paid
-- action: sum by currency; compare the currencies with the invoice's PDF, and ask AWS Support which one is due

select
    invoice_id,
    array_agg(distinct currency) as currencies,
    array_agg(distinct billing_account_id) as billing_account_ids
from {focus_totals}
where invoice_id is not null
group by invoice_id
having count(distinct currency) > 1
