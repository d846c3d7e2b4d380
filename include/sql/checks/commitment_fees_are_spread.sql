-- severity: warning
-- protects: from effective costs in which a commitment's fee stays where it was billed, and its use seems free
-- action: the billed cost is right; export what names the commitment on its fee and its use (for Google Cloud the
--   detailed export, which has subscription.instance_id), or read the effective cost by billing account alone

-- The charges are looked for only where there are some.
with found as (
    select 1
    from {focus_totals}
    where fees_not_spread > 0
)

select
    chargedescription as fee,
    subaccountid as account_id,
    billingcurrency as currency,
    count(*) as charges,
    sum(effectivecost) as effective_cost
from ({charges}) as charges
where
    exists (select 1 from found)
    and chargecategory = 'Purchase'
    and chargefrequency = 'Recurring'
    and commitmentdiscountcategory is not null
    and effectivecost <> 0
group by chargedescription, subaccountid, billingcurrency
