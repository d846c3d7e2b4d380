-- severity: warning
-- protects: from Savings Plan usage whose negation is missing, so that the invoice holds a difference
-- action: the difference is published as charges of the category Adjustment; ask AWS Support about the lines of
--   these invoices

select
    invoiceid as invoice_id,
    billingcurrency as currency,
    subaccountid as account_id,
    commitmentdiscountid as savings_plan_arn,
    billedcost as difference
from ({charges}) as charges
where chargecategory = 'Adjustment'
