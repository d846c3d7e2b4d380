-- AWS Cost and Usage Report lines as FOCUS 1.2 charges, one row per charge. The lines hold the columns of
-- aws_columns.csv, absent ones as typed nulls, '' as null, and every number as numeric.
--
-- The basis is gross: U is line_item_unblended_cost, and discounts are lines of their own. Amortized amounts
-- follow the AWS Cloud Intelligence Dashboards (summary_view.sql). A recurring fee is two charges: the purchase
-- (what is billed, effective cost 0) and the part of the commitment that nobody used (billed 0), because FOCUS
-- 1.2 says of EffectiveCost that over a commitment's term its usage sums to what its purchases billed.
-- Negations undo covered usage that is billed 0 here, so they are dropped; where the two do not cancel, the
-- difference is an adjustment of its own, so that the billed cost still sums to the invoice.
-- Split cost allocation lines (EKSPod-EC2, ECSTask-EC2) repeat the cost of the instance below them: excluded.

with lines as not materialized (
    {lines}
),

charges as not materialized (
    select
        lines.*,
        part.is_unused,
        coalesce(lines.line_item_unblended_cost, 0) as unblended_cost,
        coalesce(lines.savings_plan_savings_plan_arn, lines.reservation_reservation_arn) as commitment_arn,
        case
            when part.is_unused then 'Usage'
            when lines.line_item_line_item_type in (
                'SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee', 'RIFee', 'Fee'
            ) then 'Purchase'
            when lines.line_item_line_item_type = 'Credit' then 'Credit'
            when lines.line_item_line_item_type = 'Tax' then 'Tax'
            when lines.line_item_line_item_type = 'Refund' and lines.line_item_tax_type is not null then 'Tax'
            when lines.line_item_line_item_type = 'Refund' and lines.savings_plan_savings_plan_arn is not null
                then 'Purchase'
            else 'Usage'
        end as charge_category
    from lines
    -- The second row exists for recurring fees only.
    inner join (values (false), (true)) as part (is_unused)
        on not part.is_unused or lines.line_item_line_item_type in ('RIFee', 'SavingsPlanRecurringFee')
    where
        lines.line_item_line_item_type is distinct from 'SavingsPlanNegation'
        and coalesce(lines.line_item_operation, '') not in ('EKSPod-EC2', 'ECSTask-EC2')
),

uncancelled as not materialized (
    select
        billing_period,
        bill_billing_period_start_date,
        bill_billing_period_end_date,
        bill_payer_account_id,
        line_item_usage_account_id,
        line_item_currency_code,
        bill_invoice_id,
        savings_plan_savings_plan_arn,
        sum(line_item_unblended_cost) as unblended_cost
    from lines
    where
        line_item_line_item_type in ('SavingsPlanCoveredUsage', 'SavingsPlanNegation')
        and coalesce(line_item_operation, '') not in ('EKSPod-EC2', 'ECSTask-EC2')
    group by
        billing_period,
        bill_billing_period_start_date,
        bill_billing_period_end_date,
        bill_payer_account_id,
        line_item_usage_account_id,
        line_item_currency_code,
        bill_invoice_id,
        savings_plan_savings_plan_arn
    having sum(line_item_unblended_cost) <> 0
)

select
    billing_period,
    line_item_availability_zone as availabilityzone,
    case
        when is_unused or line_item_line_item_type = 'SavingsPlanCoveredUsage' then 0
        else unblended_cost
    end as billedcost,
    bill_payer_account_id as billingaccountid,
    bill_payer_account_name as billingaccountname,
    'Management Account' as billingaccounttype,
    line_item_currency_code as billingcurrency,
    bill_billing_period_end_date as billingperiodend,
    bill_billing_period_start_date as billingperiodstart,
    charge_category as chargecategory,
    case
        when
            line_item_line_item_type = 'Refund'
            and line_item_usage_start_date < bill_billing_period_start_date
            then 'Correction'
    end as chargeclass,
    line_item_line_item_description as chargedescription,
    case
        when charge_category = 'Purchase' and line_item_line_item_type in ('SavingsPlanRecurringFee', 'RIFee')
            then 'Recurring'
        when charge_category in ('Purchase', 'Credit', 'Tax') then 'One-Time'
        else 'Usage-Based'
    end as chargefrequency,
    line_item_usage_end_date as chargeperiodend,
    line_item_usage_start_date as chargeperiodstart,
    case
        when savings_plan_savings_plan_arn is not null then 'Spend'
        when reservation_reservation_arn is not null then 'Usage'
    end as commitmentdiscountcategory,
    commitment_arn as commitmentdiscountid,
    case
        when is_unused then 'Unused'
        when line_item_line_item_type in ('SavingsPlanCoveredUsage', 'DiscountedUsage') then 'Used'
    end as commitmentdiscountstatus,
    case
        when savings_plan_savings_plan_arn is not null then 'Savings Plan'
        when reservation_reservation_arn is not null then 'Reservation'
    end as commitmentdiscounttype,
    case
        when charge_category = 'Usage' and not is_unused then line_item_usage_amount
    end as consumedquantity,
    case
        when charge_category = 'Usage' and not is_unused then pricing_unit
    end as consumedunit,
    case
        when line_item_line_item_type = 'SavingsPlanRecurringFee' and is_unused
            then coalesce(savings_plan_total_commitment_to_date, 0) - coalesce(savings_plan_used_commitment, 0)
        when line_item_line_item_type = 'RIFee' and is_unused
            then
                coalesce(reservation_unused_amortized_upfront_fee_for_billing_period, 0)
                + coalesce(reservation_unused_recurring_fee, 0)
        when line_item_line_item_type in ('SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee', 'RIFee') then 0
        when line_item_line_item_type = 'SavingsPlanCoveredUsage'
            then coalesce(savings_plan_savings_plan_effective_cost, 0)
        when line_item_line_item_type = 'DiscountedUsage' then coalesce(reservation_effective_cost, 0)
        when line_item_line_item_type = 'Fee' and reservation_reservation_arn is not null then 0
        when line_item_line_item_type = 'Refund' and charge_category = 'Purchase' then 0
        else unblended_cost
    end as effectivecost,
    bill_invoice_id as invoiceid,
    coalesce(bill_invoicing_entity, line_item_legal_entity) as invoiceissuername,
    case when is_unused then 0 else coalesce(pricing_public_on_demand_cost, 0) end as listcost,
    case
        when charge_category = 'Tax' then null
        when line_item_line_item_type in ('SavingsPlanCoveredUsage', 'DiscountedUsage') or is_unused
            then 'Committed'
        when position('Spot' in line_item_usage_type) > 0 then 'Dynamic'
        else 'Standard'
    end as pricingcategory,
    'AWS' as providername,
    product_region_code as regionid,
    line_item_resource_id as resourceid,
    case
        when bill_billing_entity = 'AWS Marketplace' and product_product_name is not null then product_product_name
        else coalesce(product_servicecode, line_item_product_code)
    end as servicename,
    product_sku as skuid,
    line_item_usage_type as skumeter,
    pricing_rate_code as skupriceid,
    line_item_usage_account_id as subaccountid,
    line_item_usage_account_name as subaccountname,
    'Member Account' as subaccounttype,
    tags,
    -- The exported line behind the charge: unique in its month together with the interval.
    identity_line_item_id as x_lineitemid,
    line_item_line_item_type as x_lineitemtype,
    case when is_unused then 0 else 1 end as x_lineitems,
    line_item_operation as x_operation,
    line_item_product_code as x_servicecode,
    identity_time_interval as x_timeinterval,
    coalesce(
        line_item_line_item_type in (
            'BundledDiscount',
            'Credit',
            'Discount',
            'DiscountedUsage',
            'EdpDiscount',
            'Fee',
            'PrivateRateDiscount',
            'RIFee',
            'Refund',
            'RiVolumeDiscount',
            'SavingsPlanCoveredUsage',
            'SavingsPlanRecurringFee',
            'SavingsPlanUpfrontFee',
            'SppDiscount',
            'Tax',
            'Usage'
        ),
        false
    ) as x_typeisknown
from charges
union all
select
    billing_period,
    null as availabilityzone,
    unblended_cost as billedcost,
    bill_payer_account_id as billingaccountid,
    null as billingaccountname,
    'Management Account' as billingaccounttype,
    line_item_currency_code as billingcurrency,
    bill_billing_period_end_date as billingperiodend,
    bill_billing_period_start_date as billingperiodstart,
    'Adjustment' as chargecategory,
    null as chargeclass,
    'Savings Plan covered usage and negation that do not cancel' as chargedescription,
    'One-Time' as chargefrequency,
    bill_billing_period_end_date as chargeperiodend,
    bill_billing_period_start_date as chargeperiodstart,
    null as commitmentdiscountcategory,
    null as commitmentdiscountid,
    null as commitmentdiscountstatus,
    null as commitmentdiscounttype,
    null as consumedquantity,
    null as consumedunit,
    unblended_cost as effectivecost,
    bill_invoice_id as invoiceid,
    null as invoiceissuername,
    0 as listcost,
    null as pricingcategory,
    'AWS' as providername,
    null as regionid,
    null as resourceid,
    'Savings Plans for AWS Compute usage' as servicename,
    null as skuid,
    null as skumeter,
    null as skupriceid,
    line_item_usage_account_id as subaccountid,
    null as subaccountname,
    'Member Account' as subaccounttype,
    '{{}}'::jsonb as tags,
    null as x_lineitemid,
    'SavingsPlanNegation' as x_lineitemtype,
    0 as x_lineitems,
    null as x_operation,
    savings_plan_savings_plan_arn as x_servicecode,
    null as x_timeinterval,
    true as x_typeisknown
from uncancelled
