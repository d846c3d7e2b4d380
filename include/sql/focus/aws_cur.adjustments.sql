-- What is left of Savings Plan usage that its negation does not cancel, as charges of the category Adjustment: one for
-- each account, plan, invoice and currency. aws_cur.sql bills covered usage at 0 and drops negations, because AWS's two
-- lines cancel. Where they do not, the invoice holds the difference, and so do these charges.

with on_basis as not materialized (
    {basis}
),

uncancelled as not materialized (
    select
        billing_period,
        bill_billing_period_start_date,
        bill_billing_period_end_date,
        bill_payer_account_id,
        bill_invoicing_entity,
        line_item_legal_entity,
        line_item_usage_account_id,
        line_item_currency_code,
        bill_invoice_id,
        savings_plan_savings_plan_a_r_n,
        max(bill_payer_account_name) as bill_payer_account_name,
        max(line_item_usage_account_name) as line_item_usage_account_name,
        sum(unblended_cost) as unblended_cost
    from on_basis
    where
        line_item_line_item_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation')
        and coalesce(line_item_operation, '') not in ('EKSPod-EC2', 'ECSTask-EC2')
    group by
        billing_period,
        bill_billing_period_start_date,
        bill_billing_period_end_date,
        bill_payer_account_id,
        bill_invoicing_entity,
        line_item_legal_entity,
        line_item_usage_account_id,
        line_item_currency_code,
        bill_invoice_id,
        savings_plan_savings_plan_a_r_n
    having sum(unblended_cost) <> 0
)

select
    uncancelled.billing_period,
    uncancelled.unblended_cost as billedcost,
    uncancelled.bill_payer_account_id as billingaccountid,
    uncancelled.bill_payer_account_name as billingaccountname,
    case when uncancelled.bill_payer_account_id is not null then 'Management Account' end as billingaccounttype,
    uncancelled.line_item_currency_code as billingcurrency,
    uncancelled.bill_billing_period_end_date as billingperiodend,
    uncancelled.bill_billing_period_start_date as billingperiodstart,
    'Adjustment' as chargecategory,
    'Savings Plan covered usage and negation that do not cancel' as chargedescription,
    'One-Time' as chargefrequency,
    uncancelled.bill_billing_period_end_date as chargeperiodend,
    uncancelled.bill_billing_period_start_date as chargeperiodstart,
    case
        when uncancelled.savings_plan_savings_plan_a_r_n is not null then 'Spend'
    end as commitmentdiscountcategory,
    uncancelled.savings_plan_savings_plan_a_r_n as commitmentdiscountid,
    case
        when uncancelled.savings_plan_savings_plan_a_r_n is not null then 'Savings Plan'
    end as commitmentdiscounttype,
    uncancelled.unblended_cost as contractedcost,
    uncancelled.unblended_cost as effectivecost,
    uncancelled.bill_invoice_id as invoiceid,
    coalesce(uncancelled.bill_invoicing_entity, uncancelled.line_item_legal_entity) as invoiceissuername,
    uncancelled.unblended_cost as listcost,
    uncancelled.line_item_currency_code as pricingcurrency,
    uncancelled.unblended_cost as pricingcurrencyeffectivecost,
    'AWS' as providername,
    'AWS' as publishername,
    'Other' as servicecategory,
    'Savings Plans for AWS Compute usage' as servicename,
    'Other (Other)' as servicesubcategory,
    uncancelled.line_item_usage_account_id as subaccountid,
    uncancelled.line_item_usage_account_name as subaccountname,
    case
        when uncancelled.line_item_usage_account_id = uncancelled.bill_payer_account_id then 'Management Account'
        when uncancelled.line_item_usage_account_id is not null then 'Member Account'
    end as subaccounttype,
    '{{}}'::jsonb as tags,
    0 as x_lineitems,
    'SavingsPlanNegation' as x_lineitemtype,
    'ComputeSavingsPlans' as x_servicecode,
    true as x_typeisknown
from uncancelled
