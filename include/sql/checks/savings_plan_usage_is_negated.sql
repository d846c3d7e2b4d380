-- severity: warning
-- protects: from Savings Plan usage whose negation is missing, so that the invoice holds a difference
-- action: the difference is published as charges of the category Adjustment; ask AWS Support about the lines of
--   these invoices

-- The charges are looked for only where there are some. An adjustment that the provider made is a line of its own.
with found as (
    select 1
    from {focus_totals}
    where adjustments > 0
)

select
    invoiceid as invoice_id,
    billingcurrency as currency,
    subaccountid as account_id,
    commitmentdiscountid as savings_plan_arn,
    billedcost as difference
from ({charges}) as charges
where
    exists (select 1 from found)
    and chargecategory = 'Adjustment'
    and x_lineitemtype = 'SavingsPlanNegation'
