-- severity: warning
-- protects: from a bill that is not what was invoiced, by the list that the source's `invoices` names
-- action: look at both numbers; where the list is right, ask AWS Support about this invoice's lines, else mend the list

-- An invoice's amount is rounded, its lines are not: they are compared at the decimal places that the list gives.
-- A month of which the list knows no invoice is not compared.

with invoices as (
    select
        invoice_id,
        currency,
        sum(billed_cost) as billed_cost
    from {focus_totals}
    where invoice_id is not null
    group by invoice_id, currency
),

listed as (
    select
        invoice_id,
        currency,
        amount
    from {listed_invoices}
    where
        billing_period = %(billing_period)s
        or (billing_period is null and invoice_id in (select invoices.invoice_id from invoices))
),

compared as (
    select
        invoice_id,
        currency,
        billed_cost
    from invoices
    where exists (select 1 from listed)
)

select
    coalesce(listed.invoice_id, compared.invoice_id) as invoice_id,
    coalesce(listed.currency, compared.currency) as currency,
    listed.amount as listed_amount,
    compared.billed_cost
from listed
full join compared
    on listed.invoice_id = compared.invoice_id and listed.currency = compared.currency
where listed.amount is distinct from round(compared.billed_cost, scale(coalesce(listed.amount, 0)))
