-- The FOCUS export of Azure Cost Management (1.0, 1.0r2, 1.2-preview or 1.2) as FOCUS 1.2 charges, one row per charge:
-- the columns as they are. The lines hold the columns of azure_focus_columns.csv. A column of a newer version of FOCUS
-- than the export's is null, but for those that older versions had under a name of Azure's own.
--
-- Azure leaves some columns empty that it should fill. They are filled where the row itself says with what: a service
-- by its publisher or meter, a list or contracted cost by its price and quantity. Where there is no price either, FOCUS
-- has what is billed. docs/providers/azure.md lists them, and what stays empty.

with charges as not materialized (
    select
        lines.*,
        coalesce(lines.exported_billed_cost, 0) as billed_cost,
        lines.contractedunitprice * lines.pricingquantity as contracted_amount,
        case
            when coalesce(lines.exported_pricing_currency, lines.billingcurrency) = lines.billingcurrency then 1
            else nullif(lines.x_billingexchangerate, 0)
        end as pricing_rate,
        case
            when pg_input_is_valid(lines.sku_details, 'jsonb') and left(ltrim(lines.sku_details), 1) = '{{'
                then lines.sku_details::jsonb
        end as details
    from (
        {lines}
    ) as lines
)

select
    charges.billing_period,
    charges.availabilityzone,
    charges.billed_cost as billedcost,
    charges.billingaccountid,
    charges.billingaccountname,
    charges.billingaccounttype,
    charges.billingcurrency,
    charges.billingperiodend,
    charges.billingperiodstart,
    charges.capacityreservationid,
    charges.capacityreservationstatus,
    charges.chargecategory,
    charges.chargeclass,
    charges.chargedescription,
    charges.chargefrequency,
    charges.chargeperiodend,
    charges.chargeperiodstart,
    charges.commitmentdiscountcategory,
    charges.commitmentdiscountid,
    charges.commitmentdiscountname,
    charges.commitmentdiscountquantity,
    charges.commitmentdiscountstatus,
    charges.commitmentdiscounttype,
    charges.commitmentdiscountunit,
    charges.consumedquantity,
    charges.consumedunit,
    case
        when charges.exported_contracted_cost <> 0 then charges.exported_contracted_cost
        when charges.contracted_amount <> 0 then charges.contracted_amount
        else charges.billed_cost
    end as contractedcost,
    charges.contractedunitprice,
    coalesce(charges.exported_effective_cost, 0) as effectivecost,
    charges.invoiceid,
    charges.invoiceissuername,
    case charges.list_basis
        when 'list' then charges.exported_list_cost
        when 'price' then charges.list_amount
        else charges.billed_cost
    end as listcost,
    charges.listunitprice,
    charges.pricingcategory,
    coalesce(charges.exported_pricing_currency, charges.billingcurrency) as pricingcurrency,
    case when charges.chargecategory <> 'Tax' then charges.contractedunitprice / charges.pricing_rate end
        as pricingcurrencycontractedunitprice,
    coalesce(charges.exported_effective_cost, 0) / charges.pricing_rate as pricingcurrencyeffectivecost,
    case when charges.chargecategory <> 'Tax' then charges.listunitprice / charges.pricing_rate end
        as pricingcurrencylistunitprice,
    charges.pricingquantity,
    charges.pricingunit,
    coalesce(charges.exported_provider, 'Microsoft') as providername,
    coalesce(charges.exported_publisher, 'Microsoft') as publishername,
    charges.regionid,
    charges.regionname,
    charges.resourceid,
    charges.resourcename,
    coalesce(
        charges.resourcetype,
        case
            when position('/providers/' in lower(charges.resourceid)) > 0
                then
                    regexp_replace(
                        regexp_replace(lower(charges.resourceid), '^.*/providers/', ''), '/([^/]+)/[^/]+', '/\1', 'g'
                    )
        end
    ) as resourcetype,
    coalesce(charges.exported_service_category, 'Other') as servicecategory,
    charges.service as servicename,
    coalesce(
        charges.exported_service_subcategory, 'Other (' || coalesce(charges.exported_service_category, 'Other') || ')'
    ) as servicesubcategory,
    charges.skuid,
    charges.skumeter,
    charges.details as skupricedetails,
    charges.skupriceid,
    charges.subaccountid,
    charges.subaccountname,
    charges.subaccounttype,
    charges.tags,
    charges.x_billingexchangerate,
    charges.x_costcenter,
    charges.x_invoicesectionname,
    charges.line_items as x_lineitems,
    charges.x_publishercategory,
    charges.x_resourcegroupname,
    charges.x_skumetercategory,
    charges.x_skumeterid,
    charges.x_skumetersubcategory,
    charges.x_skuorderid,
    charges.x_skuordername,
    true as x_typeisknown
from charges
