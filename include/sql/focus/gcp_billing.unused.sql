-- What nobody used of commitments, as charges of the category Usage: one for each commitment, and resource of it, whose
-- fee is spread. Its effective cost is what is left of the fee, so that the effective costs of a month sum to what is
-- billed. Where all was used, it is what the division leaves, below the 15th decimal place, or nothing.

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

unused as not materialized (
    select
        pools.billing_period,
        pools.billing_account_id,
        pools.currency,
        pools.commitment_id,
        pools.fee - pools.rate * pools.covered_cost as effective_cost,
        min(kinds.invoice_start) as invoice_start,
        min(kinds.commitment_category) as commitment_category,
        min(kinds.project_id) as project_id,
        min(kinds.project_name) as project_name,
        min(kinds.location_region) as location_region,
        min(kinds.service_description) as service_description,
        min(kinds.service_id) as service_id,
        min(kinds.sku_description) as sku_description
    from pools
    inner join kinds
        on
            pools.billing_period = kinds.billing_period
            and pools.billing_account_id = kinds.billing_account_id
            and pools.currency = kinds.currency
            and pools.commitment_id = kinds.commitment_id
            and pools.pool = kinds.pool
            and kinds.is_fee
    group by
        pools.billing_period,
        pools.billing_account_id,
        pools.currency,
        pools.commitment_id,
        pools.pool,
        pools.fee,
        pools.rate,
        pools.covered_cost
    having pools.fee <> pools.rate * pools.covered_cost
)

select
    unused.billing_period,
    0::numeric as billedcost,
    unused.billing_account_id as billingaccountid,
    'Billing Account' as billingaccounttype,
    unused.currency as billingcurrency,
    (unused.invoice_start + interval '1 month') at time zone 'America/Los_Angeles' at time zone 'UTC'
        as billingperiodend,
    unused.invoice_start at time zone 'America/Los_Angeles' at time zone 'UTC' as billingperiodstart,
    'Usage' as chargecategory,
    unused.sku_description as chargedescription,
    'Usage-Based' as chargefrequency,
    -- In days of UTC, as lines of use are: the daily totals spread it over them.
    (unused.billing_period + interval '1 month')::timestamp as chargeperiodend,
    unused.billing_period::timestamp as chargeperiodstart,
    unused.commitment_category as commitmentdiscountcategory,
    unused.commitment_id as commitmentdiscountid,
    'Unused' as commitmentdiscountstatus,
    case
        when unused.commitment_category = 'Usage' then 'Resource-based committed use discount'
        else 'Spend-based committed use discount'
    end as commitmentdiscounttype,
    0::numeric as contractedcost,
    unused.effective_cost as effectivecost,
    0::numeric as listcost,
    'Committed' as pricingcategory,
    unused.currency as pricingcurrency,
    unused.effective_cost as pricingcurrencyeffectivecost,
    'Google Cloud' as providername,
    'Google Cloud' as publishername,
    unused.location_region as regionid,
    unused.location_region as regionname,
    coalesce(services.service_category, 'Other') as servicecategory,
    unused.service_description as servicename,
    coalesce(services.service_subcategory, 'Other (Other)') as servicesubcategory,
    unused.project_id as subaccountid,
    unused.project_name as subaccountname,
    case when unused.project_id is not null then 'Project' end as subaccounttype,
    '{{}}'::jsonb as tags,
    0 as x_lineitems,
    'regular' as x_lineitemtype,
    unused.service_id as x_servicecode,
    true as x_typeisknown
from unused
left join {schema}.gcp_services as services on unused.service_id = services.service_id
