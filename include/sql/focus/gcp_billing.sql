-- Lines of Google's billing export (standard and detailed) as FOCUS 1.2 charges, one row per charge. The lines hold
-- the columns of gcp_billing_columns.csv, absent ones as typed nulls, '' as null, and every amount as numeric.
--
-- Amounts are FLOAT64 in BigQuery. PostgreSQL makes numeric of a double by its 15 significant digits, and so is every
-- amount read here: cost, cost_at_list, and the amount of each credit, whatever the file was. The shipped query sums
-- what its marker promises in the same way: BIGNUMERIC of the double printed with 15 digits. Sums of those are exact in
-- both, so the two are compared to the last digit. BIGNUMERIC has 38 decimal places; where a cost is so near to 0 that
-- its digits reach beyond them, the query promises no sum.
--
-- What is billed is the cost and its credits, which are negative. The month is the invoice's, in Google's own zone, so
-- that late lines of the month before belong to the month that bills them.
--
-- A committed use discount comes in two ways. In both, billed costs and effective costs of a month are the same sum:
-- Google bills commitments month by month.
--
-- - A credit takes off the use that is covered, and the fee is a line of its own. Here the fee's effective cost is 0,
--   and each covered line carries the share of the fee that its credit has in all credits of the commitment. A resource
--   based commitment counts what was committed to and what was covered in one unit, so that the fee of what nobody
--   used stays apart, as unused (gcp_billing.unused.sql). A spend based one does not: its whole fee is spread.
-- - Use is billed at its discounted price, and a credit of the type FEE_UTILIZATION_OFFSET takes off the fee what was
--   used. What is left of the fee is unused.
--
-- A fee that cannot be tied to its use, because the export names no subscription, keeps its billed cost as effective
-- cost; commitment_fees_are_spread.sql says so.

with named as not materialized (
    {named}
),

typed as not materialized (
    {typed}
),

kinds as not materialized (
    {kinds}
),

sums as not materialized (
    {sums}
),

pools as not materialized (
    {pools}
),

charges as not materialized (
    select
        kinds.*,
        kinds.invoice_start at time zone 'America/Los_Angeles' at time zone 'UTC' as period_start,
        (kinds.invoice_start + interval '1 month') at time zone 'America/Los_Angeles' at time zone 'UTC' as period_end,
        case
            when kinds.is_fee then 'Purchase'
            when kinds.cost_type = 'tax' then 'Tax'
            when kinds.cost_type in ('adjustment', 'rounding_error') then 'Adjustment'
            when left(kinds.sku_description, 12) = 'Subscription' then 'Purchase'
            else 'Usage'
        end as charge_category,
        case
            when kinds.is_fee and pools.commitment_id is not null then 0
            else kinds.billed_cost + coalesce(pools.rate * kinds.covered_cost, 0)
        end as effective_cost
    from kinds
    left join pools
        on
            kinds.billing_period = pools.billing_period
            and kinds.billing_account_id = pools.billing_account_id
            and kinds.currency = pools.currency
            and kinds.commitment_id = pools.commitment_id
            and kinds.pool = pools.pool
)

select
    charges.billing_period,
    charges.location_zone as availabilityzone,
    charges.billed_cost as billedcost,
    charges.billing_account_id as billingaccountid,
    case when charges.billing_account_id is not null then 'Billing Account' end as billingaccounttype,
    charges.currency as billingcurrency,
    charges.period_end as billingperiodend,
    charges.period_start as billingperiodstart,
    charges.charge_category as chargecategory,
    case
        when
            coalesce(
                charges.adjustment_info_id,
                charges.adjustment_info_type,
                charges.adjustment_info_mode,
                charges.adjustment_info_description
            ) is not null
            and charges.usage_start_time < charges.period_start
            then 'Correction'
    end as chargeclass,
    coalesce(charges.sku_description, charges.adjustment_info_description, charges.cost_type) as chargedescription,
    case
        when charges.charge_category = 'Purchase' then 'Recurring'
        when charges.charge_category = 'Usage' then 'Usage-Based'
        else 'One-Time'
    end as chargefrequency,
    charges.usage_end_time as chargeperiodend,
    charges.usage_start_time as chargeperiodstart,
    case when charges.charge_category in ('Usage', 'Purchase') then charges.commitment_category end
        as commitmentdiscountcategory,
    charges.commitment_id as commitmentdiscountid,
    coalesce(
        charges.credits_full_name,
        jsonb_path_query_first(
            charges.credits::jsonb,
            '$[*] ? (@.type starts with "COMMITTED_USAGE_DISCOUNT" || @.type == "FEE_UTILIZATION_OFFSET").full_name'
        ) #>> '{{}}'
    ) as commitmentdiscountname,
    case
        when charges.charge_category = 'Usage' and charges.commitment_id is not null then 'Used'
    end as commitmentdiscountstatus,
    case
        when charges.commitment_id is null or charges.charge_category not in ('Usage', 'Purchase') then null
        when charges.commitment_category = 'Usage' then 'Resource-based committed use discount'
        else 'Spend-based committed use discount'
    end as commitmentdiscounttype,
    case when charges.charge_category = 'Usage' then charges.usage_amount end as consumedquantity,
    case
        when charges.charge_category = 'Usage' and charges.usage_amount is not null then charges.usage_unit
    end as consumedunit,
    coalesce(charges.cost, 0) as contractedcost,
    case when charges.charge_category in ('Usage', 'Purchase') then charges.price_effective_price end
        as contractedunitprice,
    charges.effective_cost as effectivecost,
    coalesce(charges.cost_at_list, 0) as listcost,
    case when charges.charge_category in ('Usage', 'Purchase') then charges.price_list_price end as listunitprice,
    case
        when charges.charge_category not in ('Usage', 'Purchase') then null
        when charges.charge_category = 'Purchase' then 'Standard'
        when charges.covered_cost <> 0 or position('CUD' in charges.consumption_model_description) > 0 then 'Committed'
        when charges.sku_description ~ '^(Spot|Preemptible) | (Spot|Preemptible) ' then 'Dynamic'
        else 'Standard'
    end as pricingcategory,
    charges.currency as pricingcurrency,
    case when charges.charge_category in ('Usage', 'Purchase') then charges.price_effective_price end
        as pricingcurrencycontractedunitprice,
    charges.effective_cost as pricingcurrencyeffectivecost,
    case when charges.charge_category in ('Usage', 'Purchase') then charges.price_list_price end
        as pricingcurrencylistunitprice,
    case
        when charges.charge_category in ('Usage', 'Purchase') and charges.usage_pricing_unit is not null
            then charges.usage_amount_in_pricing_units
    end as pricingquantity,
    case
        when
            charges.charge_category in ('Usage', 'Purchase')
            and charges.usage_amount_in_pricing_units is not null
            then charges.usage_pricing_unit
    end as pricingunit,
    'Google Cloud' as providername,
    case
        when charges.transaction_type <> 'GOOGLE' and charges.seller_name is not null
            then charges.seller_name
        else 'Google Cloud'
    end as publishername,
    charges.location_region as regionid,
    charges.location_region as regionname,
    charges.resource_global_name as resourceid,
    charges.resource_name as resourcename,
    substring(charges.resource_global_name from '/([^/]+)/[^/]+$') as resourcetype,
    coalesce(services.service_category, 'Other') as servicecategory,
    charges.service_description as servicename,
    coalesce(services.service_subcategory, 'Other (Other)') as servicesubcategory,
    case when charges.charge_category <> 'Tax' then charges.sku_id end as skuid,
    case when charges.charge_category <> 'Tax' and charges.sku_id is not null then charges.sku_description end
        as skumeter,
    case
        when charges.charge_category <> 'Tax' and charges.price_tier_start_amount is not null
            then charges.sku_id || '/' || trim_scale(charges.price_tier_start_amount)::text
    end as skupriceid,
    charges.project_id as subaccountid,
    charges.project_name as subaccountname,
    case when charges.project_id is not null then 'Project' end as subaccounttype,
    charges.tags,
    charges.consumption_model_description as x_consumptionmodel,
    charges.cost_type as x_costtype,
    charges.credits::jsonb as x_credits,
    charges.currency_conversion_rate as x_currencyconversionrate,
    case
        when jsonb_typeof(charges.credits::jsonb) = 'array'
            then (
                select jsonb_object_agg(by_type.type, by_type.amount)
                from (
                    select
                        coalesce(credit ->> 'type', credit ->> 'name', '') as type,
                        sum((credit ->> 'amount')::double precision::numeric) as amount
                    from jsonb_array_elements(charges.credits::jsonb) as credit
                    group by coalesce(credit ->> 'type', credit ->> 'name', '')
                ) as by_type
            )
    end as x_discounts,
    charges.export_time as x_exporttime,
    charges.line_items as x_lineitems,
    charges.cost_type as x_lineitemtype,
    coalesce(charges.project_ancestors, to_jsonb(charges.project_ancestry_numbers)) as x_projectancestors,
    charges.project_number as x_projectnumber,
    charges.service_id as x_servicecode,
    charges.system_labels as x_systemlabels,
    coalesce(charges.cost_type in ('regular', 'tax', 'adjustment', 'rounding_error'), true) as x_typeisknown
from charges
left join {schema}.gcp_services as services on charges.service_id = services.service_id
