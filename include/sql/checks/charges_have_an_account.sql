-- severity: warning
-- protects: from taxes, fees and credits that no report by account shows
-- action: the total is right; report them by billing account, and ask the provider whose they are

-- FOCUS 1.2 wants SubAccountId to be NULL where a charge belongs to no sub account, such as a tax on the whole invoice.
-- A provider that bills some usage to no account does so each month, with support, taxes, purchases and what nobody
-- used of commitments. Of such a provider, only the use of a resource has to have an account, for each resource lies in
-- one. The charges are looked for only where there are some.
with exempt as (
    select 1
    from {raw_totals}
    where usage_may_lack_account
),

found as (
    select 1
    from {focus_totals}
    where
        (charges_without_account > 0 and not exists (select 1 from exempt))
        or (charges_without_dimensions > 0 and exists (select 1 from exempt))
)

select
    x_lineitemid as line_item_id,
    x_lineitemtype as line_item_type,
    chargecategory as charge_category,
    billingaccountid as billing_account_id,
    billingcurrency as currency,
    billedcost as billed_cost
from ({charges}) as charges
where
    exists (select 1 from found)
    and subaccountid is null
    and (
        (chargecategory <> 'Usage' and not exists (select 1 from exempt))
        or (
            chargecategory = 'Usage'
            and resourceid is not null
            and commitmentdiscountstatus is distinct from 'Unused'
            and exists (select 1 from exempt)
        )
    )
