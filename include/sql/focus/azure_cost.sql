-- The actual and amortized costs of Azure Cost Management as FOCUS 1.2 charges, one row per charge. Which lines are
-- charges is said in azure_cost_charged.sql. The lines hold the columns of azure_cost_columns.csv, absent ones as typed
-- nulls, '' as null, and every number as numeric.
--
-- A Microsoft Customer Agreement bills billing profiles, and prices in its own currency; its billing account ids
-- have a colon in them. An Enterprise Agreement bills billing accounts, and has one currency.
-- The older columns of pay-as-you-go subscriptions have no ChargeType: all of it is usage.
-- Columns that the exports cannot fill are null, and docs/providers/azure.md says why.

with charged as not materialized (
    {charged}
),

charges as not materialized (
    select
        charged.*,
        units.unit,
        -- A list price is for a block of units. What has none is listed at what is billed, as FOCUS has it.
        coalesce(1 / units.block_size::numeric, 1) as block,
        case when pg_input_is_valid(charged.additionalinfo, 'jsonb') then charged.additionalinfo::jsonb end as details,
        case when charged.is_customer_agreement then coalesce(nullif(charged.exchangerate, 0), 1) else 1 end as rate,
        case
            when charged.part = 'unused' then 'Usage'
            when charged.charge in ('usage', 'purchase', 'credit', 'tax')
                then initcap(charged.charge)
            when charged.charge = 'refund' then 'Purchase'
            else 'Adjustment'
        end as charge_category,
        case
            when position('/microsoft.billingbenefits/' in lower(charged.benefitid)) > 0 then 'Spend'
            when position('/microsoft.capacity/' in lower(charged.benefitid)) > 0 then 'Usage'
            when charged.benefitid is null then null
            when charged.model = 'savingsplan' then 'Spend'
            when charged.model = 'reservation' then 'Usage'
        end as commitment_category,
        nullif(regions.region_id, 'global') as known_region_id,
        nullif(regions.region_name, 'Global') as known_region_name,
        regions.location is null as region_is_unknown,
        services.service_name,
        services.service_category,
        services.service_subcategory
    from charged
    left join {schema}.azure_services as services
        on coalesce(lower(charged.consumedservice), '') || '|' || charged.resource_type = services.resource
    left join {schema}.azure_regions as regions
        on lower(charged.resourcelocation) = regions.location
    left join {schema}.azure_pricing_units as units
        on lower(regexp_replace(trim(charged.unitofmeasure), '\s+', ' ', 'g')) = units.unit_of_measure
)

select
    charges.billing_period,
    charges.availabilityzone,
    charges.billed_cost as billedcost,
    charges.payer as billingaccountid,
    case when charges.is_customer_agreement then charges.billingprofilename else charges.billingaccountname end
        as billingaccountname,
    case
        when charges.is_customer_agreement then 'Billing Profile'
        when charges.payer is not null then 'Billing Account'
    end as billingaccounttype,
    charges.billingcurrency,
    coalesce(charges.billingperiodenddate + interval '1 day', charges.billing_period + interval '1 month')
        as billingperiodend,
    coalesce(charges.billingperiodstartdate, date_trunc('month', charges.date)) as billingperiodstart,
    charges.details ->> 'VMCapacityReservationId' as capacityreservationid,
    case
        when charges.details ->> 'VMCapacityReservationId' is null or charges.charge_category <> 'Usage' then null
        when charges.resource_type = 'microsoft.compute/capacityreservationgroups/capacityreservations' then 'Unused'
        else 'Used'
    end as capacityreservationstatus,
    charges.charge_category as chargecategory,
    case when charges.charge = 'refund' then 'Correction' end as chargeclass,
    coalesce(charges.productname, charges.metername, charges.chargetype) as chargedescription,
    case lower(charges.frequency)
        when 'onetime' then 'One-Time'
        when 'recurring' then 'Recurring'
        when 'usagebased' then 'Usage-Based'
        else case when charges.chargetype is null then 'Usage-Based' end
    end as chargefrequency,
    charges.date + interval '1 day' as chargeperiodend,
    charges.date as chargeperiodstart,
    charges.commitment_category as commitmentdiscountcategory,
    lower(charges.benefitid) as commitmentdiscountid,
    charges.benefitname as commitmentdiscountname,
    case
        when charges.commitment_category = 'Spend' and charges.part = 'bought' then charges.billed_cost / charges.rate
        when charges.commitment_category = 'Spend' and charges.part <> '' then charges.effective_cost / charges.rate
        when charges.commitment_category = 'Usage' and charges.part <> ''
            then
                charges.quantity
                * case
                    when pg_input_is_valid(charges.details ->> 'RINormalizationRatio', 'numeric')
                        then (charges.details ->> 'RINormalizationRatio')::numeric
                end
    end as commitmentdiscountquantity,
    case
        when charges.part = 'unused' then 'Unused'
        when charges.part = 'used' then 'Used'
    end as commitmentdiscountstatus,
    case charges.commitment_category
        when 'Spend' then 'Savings Plan'
        when 'Usage' then 'Reservation'
    end as commitmentdiscounttype,
    case
        when charges.part = '' then null
        when charges.commitment_category = 'Spend' then coalesce(charges.pricingcurrency, charges.billingcurrency)
        when charges.details ->> 'RINormalizationRatio' is not null
            then 'Normalized ' || coalesce(charges.unit, charges.unitofmeasure)
    end as commitmentdiscountunit,
    case when charges.charge = 'usage' then charges.quantity end as consumedquantity,
    case
        when charges.charge = 'usage' and charges.quantity is not null
            then coalesce(charges.unit, charges.unitofmeasure)
    end as consumedunit,
    coalesce(charges.unitprice * charges.quantity * charges.block * charges.rate, charges.billed_cost)
        as contractedcost,
    case
        when charges.charge_category in ('Usage', 'Purchase') then charges.unitprice * charges.rate
    end as contractedunitprice,
    charges.effective_cost as effectivecost,
    charges.invoiceid,
    coalesce(charges.partnername, 'Microsoft') as invoiceissuername,
    case charges.list_basis
        when 'cost' then charges.paygcostinbillingcurrency
        when 'price' then charges.list_amount * charges.block
        else charges.billed_cost
    end as listcost,
    case when charges.charge_category in ('Usage', 'Purchase') then charges.paygprice * charges.rate end
        as listunitprice,
    case
        when charges.charge_category not in ('Usage', 'Purchase') then null
        when charges.part <> '' then 'Committed'
        when charges.model = 'ondemand' then 'Standard'
        when charges.model = 'spot' then 'Dynamic'
    end as pricingcategory,
    coalesce(charges.pricingcurrency, charges.billingcurrency) as pricingcurrency,
    case when charges.charge_category in ('Usage', 'Purchase') then charges.unitprice end
        as pricingcurrencycontractedunitprice,
    charges.effective_cost / charges.rate as pricingcurrencyeffectivecost,
    case when charges.charge_category in ('Usage', 'Purchase') then charges.paygprice end
        as pricingcurrencylistunitprice,
    case
        when charges.charge_category in ('Usage', 'Purchase') then charges.quantity * charges.block
    end as pricingquantity,
    case
        when charges.charge_category in ('Usage', 'Purchase') and charges.quantity is not null
            then coalesce(charges.unit, charges.unitofmeasure)
    end as pricingunit,
    'Microsoft' as providername,
    coalesce(charges.publishername, 'Microsoft') as publishername,
    case
        when charges.region_is_unknown then lower(replace(charges.resourcelocation, ' ', ''))
        else charges.known_region_id
    end as regionid,
    case
        when charges.region_is_unknown then charges.resourcelocation
        else charges.known_region_name
    end as regionname,
    lower(charges.resourceid) as resourceid,
    substring(charges.resourceid from '[^/]+$') as resourcename,
    charges.resource_type as resourcetype,
    coalesce(charges.service_category, 'Other') as servicecategory,
    coalesce(charges.service_name, charges.other_service) as servicename,
    coalesce(charges.service_subcategory, 'Other (Other)') as servicesubcategory,
    case when charges.is_customer_agreement and charges.charge_category <> 'Tax' then charges.productid end as skuid,
    charges.metername as skumeter,
    (
        select jsonb_object_agg('x_' || detail.key, detail.value)
        from
            jsonb_each(case when jsonb_typeof(charges.details) = 'object' then charges.details end)
                as detail (key, value)
    ) as skupricedetails,
    charges.subscriptionid as subaccountid,
    charges.subscriptionname as subaccountname,
    case when charges.subscriptionid is not null then 'Subscription' end as subaccounttype,
    charges.tags,
    charges.exchangerate as x_billingexchangerate,
    charges.costcenter as x_costcenter,
    charges.invoicesection as x_invoicesectionname,
    charges.line_items as x_lineitems,
    charges.chargetype as x_lineitemtype,
    charges.pricingmodel as x_pricingmodel,
    charges.publishertype as x_publishercategory,
    charges.resourcegroup as x_resourcegroupname,
    charges.consumedservice as x_servicecode,
    -- What belongs to no resource, such as a rounding adjustment, is of no service.
    charges.service_name is not null or (charges.consumedservice is null and charges.resource_type is null)
        as x_serviceisknown,
    charges.metercategory as x_skumetercategory,
    charges.meterid as x_skumeterid,
    charges.metersubcategory as x_skumetersubcategory,
    charges.productorderid as x_skuorderid,
    charges.productordername as x_skuordername,
    charges.charge in (
        'usage',
        'purchase',
        'refund',
        'credit',
        'tax',
        'adjustment',
        'roundingadjustment',
        'unusedreservation',
        'unusedsavingsplan'
    ) as x_typeisknown
from charges
