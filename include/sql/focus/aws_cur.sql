-- AWS Cost and Usage Report lines (legacy and CUR 2.0) as FOCUS 1.2 charges, one row per charge. The lines hold
-- the columns of aws_cur_columns.csv, absent ones as typed nulls, '' as null, and every number as numeric.
--
-- A payer's month is on one basis: net where its net costs come to its invoices (aws_cur_net.sql), and gross elsewhere.
-- On both, discounts are lines of their own, which are 0 on the net basis. U is that cost of a line.
-- Amortized amounts follow the AWS Cloud Intelligence Dashboards (summary_view.sql). A recurring fee is two
-- charges: the purchase (what is billed, effective cost 0) and the part of the commitment that nobody used (billed
-- 0), because FOCUS 1.2 says of EffectiveCost that over a commitment's term its usage sums to what its purchases
-- billed. Negations undo covered usage that is billed 0 here, so they are dropped; where the two do not cancel, the
-- difference is an adjustment of its own (aws_cur.adjustments.sql), so that the billed cost still sums to the invoice.
-- Split cost allocation lines (EKSPod-EC2, ECSTask-EC2) repeat the cost of the instance below them: excluded.
-- Columns that CUR cannot fill are null, and docs/focus-conformance.md says why.
--
-- Services, units, publishers and issuers are called as AWS's own FOCUS exports call them, so that a company with both
-- kinds of export sees each once. ServiceName there is product/ProductName of the usage report: the FinOps Foundation's
-- sample data (FOCUS-Sample-Data, FOCUS 1.0, a month of a real AWS export) has 'Amazon Elastic Container Service for
-- Kubernetes', 'Amazon EC2 Container Registry (ECR)' and 'AmazonCloudWatch', and data transfer under the service that
-- caused it. AWS documents product/ProductName as the full name of the service, and gives such a line product code
-- AmazonEC2 with service code AWSDataTransfer. The sample has units as FOCUS spells them (Hours, GB-Months), the legal
-- entity as PublisherName, and the invoicing entity as InvoiceIssuerName, also of Marketplace products.

with on_basis as not materialized (
    {basis}
),

charges as not materialized (
    select
        lines.*,
        part.is_unused,
        coalesce(lines.savings_plan_savings_plan_a_r_n, lines.reservation_reservation_a_r_n) as commitment_arn,
        coalesce(lines.product_servicecode, lines.line_item_product_code) as service_code,
        -- Without a rate code there is a rate id, which products may share: the code too begins with the product.
        coalesce(lines.pricing_rate_code, lines.product_sku || '.' || lines.pricing_rate_id) as price_id,
        -- AWS writes 'global' for what belongs to no region, where FOCUS has null.
        nullif(lines.product_region_code, 'global') as region_id,
        case
            when position(':capacity-reservation/' in lines.line_item_resource_id) > 0
                then lines.line_item_resource_id
        end as capacity_reservation_id,
        -- FOCUS 1.2 wants BilledCost where there is no list price: Spot, fees, taxes, credits, discounts.
        case
            when part.is_unused then 0
            when lines.has_list_price is not null then lines.pricing_public_on_demand_cost
            when lines.line_item_line_item_type = 'SavingsPlanCoveredUsage' then 0
            else lines.unblended_cost
        end as list_cost,
        case
            when part.is_unused or lines.line_item_line_item_type = 'SavingsPlanCoveredUsage' then 0
            else lines.unblended_cost
        end as billed_cost,
        case
            when part.is_unused then 'Usage'
            when lines.line_item_line_item_type in (
                'SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee', 'RIFee', 'Fee', 'FlatRateSubscription'
            ) then 'Purchase'
            when lines.line_item_line_item_type = 'Credit' then 'Credit'
            when lines.line_item_line_item_type = 'Tax' then 'Tax'
            when lines.line_item_line_item_type = 'Refund' and lines.line_item_tax_type is not null then 'Tax'
            when lines.refunds_upfront_fee is not null then 'Purchase'
            else 'Usage'
        end as charge_category,
        case
            when part.is_unused and lines.line_item_line_item_type = 'SavingsPlanRecurringFee'
                then
                    (
                        coalesce(lines.savings_plan_total_commitment_to_date, 0)
                        - coalesce(lines.savings_plan_used_commitment, 0)
                    )
                    * lines.commitment_share
            when part.is_unused then lines.reservation_unused_cost
            when lines.line_item_line_item_type in ('SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee', 'RIFee')
                then 0
            when lines.line_item_line_item_type = 'SavingsPlanCoveredUsage' then lines.savings_plan_effective_cost
            when lines.line_item_line_item_type = 'DiscountedUsage' then lines.reservation_effective_cost_on_basis
            when lines.line_item_line_item_type = 'Fee' and lines.reservation_reservation_a_r_n is not null then 0
            when lines.refunds_upfront_fee then 0
            else lines.unblended_cost
        end as effective_cost,
        case
            when part.is_unused then null
            when lines.line_item_line_item_type = 'SavingsPlanRecurringFee' then lines.savings_plan_prepaid_use
            when lines.line_item_line_item_type = 'RIFee' then lines.reservation_prepaid_use
        end as prepaid_use,
        -- A Savings Plan is committed to in money before discounts, on either basis. A reservation that fits instances
        -- of any size of its family is one to normalized units: only these sum to what was bought. Others, such as
        -- Amazon Redshift's, have no such units and count in instance hours.
        case
            when lines.savings_plan_savings_plan_a_r_n is not null and part.is_unused
                then
                    coalesce(lines.savings_plan_total_commitment_to_date, 0)
                    - coalesce(lines.savings_plan_used_commitment, 0)
            when lines.line_item_line_item_type = 'SavingsPlanCoveredUsage'
                then coalesce(lines.savings_plan_savings_plan_effective_cost, 0)
            when lines.line_item_line_item_type = 'SavingsPlanRecurringFee'
                then lines.savings_plan_total_commitment_to_date
            when lines.line_item_line_item_type = 'SavingsPlanUpfrontFee' then lines.line_item_unblended_cost
            when lines.reservation_reservation_a_r_n is null then null
            when part.is_unused and lines.is_normalized then lines.reservation_unused_normalized_unit_quantity
            when part.is_unused then lines.reservation_unused_quantity
            when lines.line_item_line_item_type = 'DiscountedUsage' and lines.is_normalized
                then lines.line_item_normalized_usage_amount
            when lines.line_item_line_item_type = 'DiscountedUsage' then lines.line_item_usage_amount
            when lines.line_item_line_item_type in ('RIFee', 'Fee')
                then coalesce(
                    nullif(lines.reservation_total_reserved_normalized_units, 0),
                    nullif(lines.line_item_normalized_usage_amount, 0),
                    nullif(lines.reservation_total_reserved_units, 0),
                    lines.line_item_usage_amount
                )
        end as commitment_quantity,
        case
            when part.is_unused and lines.line_item_line_item_type = 'RIFee' then lines.reservation_unused_quantity
            else lines.line_item_usage_amount
        end as pricing_quantity
    from on_basis as lines
    -- The second row exists for recurring fees only.
    inner join (values (false), (true)) as part (is_unused)
        on not part.is_unused or lines.line_item_line_item_type in ('RIFee', 'SavingsPlanRecurringFee')
    where
        lines.line_item_line_item_type is distinct from 'SavingsPlanNegation'
        and coalesce(lines.line_item_operation, '') not in ('EKSPod-EC2', 'ECSTask-EC2')
)

select
    charges.billing_period,
    charges.line_item_availability_zone as availabilityzone,
    charges.billed_cost as billedcost,
    charges.bill_payer_account_id as billingaccountid,
    charges.bill_payer_account_name as billingaccountname,
    case when charges.bill_payer_account_id is not null then 'Management Account' end as billingaccounttype,
    charges.line_item_currency_code as billingcurrency,
    charges.bill_billing_period_end_date as billingperiodend,
    charges.bill_billing_period_start_date as billingperiodstart,
    charges.capacity_reservation_id as capacityreservationid,
    case
        when charges.capacity_reservation_id is null or charges.charge_category <> 'Usage' then null
        when charges.line_item_usage_type ~ 'Unused(Box|Ded)' then 'Unused'
        else 'Used'
    end as capacityreservationstatus,
    charges.charge_category as chargecategory,
    case
        when
            charges.line_item_usage_start_date < charges.bill_billing_period_start_date
            and (
                charges.line_item_line_item_type = 'Refund'
                or (
                    charges.line_item_line_item_type in ('Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage')
                    and charges.unblended_cost < 0
                )
            )
            then 'Correction'
    end as chargeclass,
    coalesce(charges.line_item_line_item_description, charges.line_item_line_item_type) as chargedescription,
    case
        when
            charges.line_item_line_item_type in ('SavingsPlanRecurringFee', 'RIFee', 'FlatRateSubscription')
            and not charges.is_unused
            then 'Recurring'
        when charges.charge_category in ('Purchase', 'Credit', 'Tax') then 'One-Time'
        else 'Usage-Based'
    end as chargefrequency,
    -- The end is exclusive in FOCUS, and a second short of it on AWS's lines that span the month.
    charges.line_item_usage_end_date + case
        when
            charges.line_item_usage_end_date
            = date_trunc('hour', charges.line_item_usage_end_date) + interval '59 minutes 59 seconds'
            then interval '1 second'
        else interval '0'
    end as chargeperiodend,
    charges.line_item_usage_start_date as chargeperiodstart,
    case
        when charges.savings_plan_savings_plan_a_r_n is not null then 'Spend'
        when charges.reservation_reservation_a_r_n is not null then 'Usage'
    end as commitmentdiscountcategory,
    charges.commitment_arn as commitmentdiscountid,
    charges.commitment_quantity as commitmentdiscountquantity,
    case
        when charges.is_unused then 'Unused'
        when charges.charge_category = 'Usage' and charges.commitment_arn is not null then 'Used'
    end as commitmentdiscountstatus,
    case
        when charges.savings_plan_savings_plan_a_r_n is not null then 'Savings Plan'
        when charges.reservation_reservation_a_r_n is not null then 'Reserved Instance'
    end as commitmentdiscounttype,
    case
        when charges.commitment_quantity is null then null
        when charges.savings_plan_savings_plan_a_r_n is not null then charges.line_item_currency_code
        when charges.is_normalized then 'Normalized Hrs'
        else 'Hrs'
    end as commitmentdiscountunit,
    case
        when charges.charge_category = 'Usage' and not charges.is_unused and charges.pricing_unit is not null
            then charges.line_item_usage_amount
    end as consumedquantity,
    case
        when
            charges.charge_category = 'Usage'
            and not charges.is_unused
            and charges.line_item_usage_amount is not null
            then coalesce(units.focus_unit, charges.pricing_unit)
    end as consumedunit,
    case
        when charges.is_unused then 0
        when charges.line_item_line_item_type = 'DiscountedUsage' or charges.has_list_price is null
            then charges.list_cost
        else charges.unblended_cost
    end as contractedcost,
    -- The rate is the price where it gives the cost, which AWS rounds to ten decimal places: not for use that a
    -- reservation covers, whose rate is 0.
    case
        when
            charges.is_unused
            or charges.charge_category <> 'Usage'
            or charges.line_item_line_item_type = 'DiscountedUsage'
            or (charges.line_item_line_item_type = 'SavingsPlanCoveredUsage' and charges.has_list_price is null)
            then null
        when abs(charges.unblended_rate * charges.line_item_usage_amount - charges.unblended_cost) <= 0.00000000005
            then charges.unblended_rate
    end as contractedunitprice,
    charges.effective_cost as effectivecost,
    charges.bill_invoice_id as invoiceid,
    -- A Marketplace product's legal entity is its seller, who issues no invoice.
    coalesce(
        charges.bill_invoicing_entity,
        case when charges.bill_billing_entity is distinct from 'AWS Marketplace' then charges.line_item_legal_entity end
    ) as invoiceissuername,
    charges.list_cost as listcost,
    case
        when charges.charge_category in ('Usage', 'Purchase') then charges.pricing_public_on_demand_rate
    end as listunitprice,
    case
        when charges.charge_category not in ('Usage', 'Purchase') then null
        when charges.is_unused or charges.line_item_line_item_type in ('SavingsPlanCoveredUsage', 'DiscountedUsage')
            then 'Committed'
        when position('Spot' in charges.line_item_usage_type) > 0 then 'Dynamic'
        else 'Standard'
    end as pricingcategory,
    coalesce(charges.pricing_currency, charges.line_item_currency_code) as pricingcurrency,
    case
        when coalesce(charges.pricing_currency, charges.line_item_currency_code) = charges.line_item_currency_code
            then charges.effective_cost
    end as pricingcurrencyeffectivecost,
    -- AWS shows its rates in the currency of prices.
    case
        when charges.charge_category in ('Usage', 'Purchase') then charges.pricing_public_on_demand_rate
    end as pricingcurrencylistunitprice,
    case
        when charges.charge_category in ('Usage', 'Purchase') and charges.pricing_unit is not null
            then charges.pricing_quantity
    end as pricingquantity,
    case
        when charges.charge_category in ('Usage', 'Purchase') and charges.pricing_quantity is not null
            then coalesce(units.focus_unit, charges.pricing_unit)
    end as pricingunit,
    'AWS' as providername,
    coalesce(
        charges.line_item_legal_entity,
        case when charges.bill_billing_entity is distinct from 'AWS Marketplace' then 'AWS' end
    ) as publishername,
    charges.region_id as regionid,
    case when charges.region_id is not null then coalesce(regions.region_name, charges.region_id) end as regionname,
    charges.line_item_resource_id as resourceid,
    case
        when charges.line_item_resource_id is not null
            then coalesce(charges.product_product_family, charges.line_item_product_code)
    end as resourcetype,
    coalesce(services.service_category, 'Other') as servicecategory,
    coalesce(
        charges.product_product_name,
        -- Of data transfer, the service code names the transfer and the product code who caused it.
        case
            when charges.product_servicecode = charges.line_item_product_code then charges.product_servicename
        end,
        services.service_name,
        charges.line_item_product_code
    ) as servicename,
    coalesce(services.service_subcategory, 'Other (Other)') as servicesubcategory,
    case when charges.charge_category <> 'Tax' then charges.product_sku end as skuid,
    case
        when charges.charge_category <> 'Tax' and charges.product_sku is not null then charges.line_item_usage_type
    end as skumeter,
    case
        when charges.charge_category <> 'Tax' and charges.price_id is not null
            then jsonb_strip_nulls(
                jsonb_build_object(
                    'CoreCount', case when charges.product_vcpu ~ '^[0-9]+$' then charges.product_vcpu::integer end,
                    'InstanceSeries', charges.product_instance_type_family,
                    'InstanceType', charges.product_instance_type,
                    'MemorySize', substring(charges.product_memory from '^([0-9]+([.][0-9]+)?) GiB$')::numeric,
                    'OperatingSystem', charges.product_operating_system,
                    'StorageClass', charges.product_storage_class
                )
            )
    end as skupricedetails,
    case when charges.charge_category <> 'Tax' then charges.price_id end as skupriceid,
    charges.line_item_usage_account_id as subaccountid,
    charges.line_item_usage_account_name as subaccountname,
    case
        when charges.line_item_usage_account_id = charges.bill_payer_account_id then 'Management Account'
        when charges.line_item_usage_account_id is not null then 'Member Account'
    end as subaccounttype,
    charges.tags,
    charges.discount as x_discounts,
    charges.identity_line_item_id as x_lineitemid,
    case when charges.is_unused then 0 else charges.line_items end as x_lineitems,
    charges.line_item_line_item_type as x_lineitemtype,
    charges.line_item_operation as x_operation,
    charges.prepaid_use as x_prepaiduse,
    charges.service_code as x_servicecode,
    charges.identity_time_interval as x_timeinterval,
    coalesce(
        charges.line_item_line_item_type in (
            'BundledDiscount',
            'Credit',
            'Discount',
            'DiscountedUsage',
            'EdpDiscount',
            'Fee',
            'FlatRateSubscription',
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
    ) as x_typeisknown,
    charges.line_item_usage_type as x_usagetype
from charges
left join {schema}.aws_services as services on charges.line_item_product_code = services.code
left join {schema}.aws_units as units on charges.pricing_unit = units.unit
left join {schema}.aws_regions as regions on charges.region_id = regions.region_id
