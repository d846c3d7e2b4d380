-- The rows of commitment_costs for one billing month, from its FOCUS charges: those that belong to a commitment, and
-- Spot use, which no commitment can cover. What is left of the use in costs is what commitments could cover and did
-- not.

select
    {source}::text as source,
    {billing_period}::date as billing_period,
    providername as cloud_provider,
    billingcurrency as currency,
    billingaccountid as billing_account_id,
    subaccountid as account_id,
    servicename as service,
    chargecategory as charge_category,
    commitmentdiscountid as commitment_id,
    max(commitmentdiscountname) as commitment_name,
    commitmentdiscounttype as commitment_type,
    commitmentdiscountcategory as commitment_category,
    commitmentdiscountstatus as commitment_status,
    commitmentdiscountid is null as is_spot,
    sum(billedcost) as billed_cost,
    sum(effectivecost) as effective_cost,
    coalesce(sum(listcost), 0) as list_cost,
    sum(x_lineitems)::bigint as line_items
from ({charges}) as charges
where commitmentdiscountid is not null or (pricingcategory = 'Dynamic' and chargecategory = 'Usage')
group by
    providername,
    billingcurrency,
    billingaccountid,
    subaccountid,
    servicename,
    chargecategory,
    commitmentdiscountid,
    commitmentdiscounttype,
    commitmentdiscountcategory,
    commitmentdiscountstatus
