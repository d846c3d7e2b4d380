-- severity: warning
-- protects: from a Savings Plan or reservation that is used by more than was committed to, which lowers the effective
--   cost of others
-- action: the billed cost is right; compare the use of these commitments with AWS Cost Explorer and report the lines

-- The charges are looked for only where there are some.
with found as (
    select 1
    from {focus_totals}
    where unused_below_zero > 0
)

select
    commitmentdiscountid as commitment_id,
    subaccountid as account_id,
    billingcurrency as currency,
    sum(effectivecost) as unused_cost,
    count(*) as charges
from ({charges}) as charges
where
    exists (select 1 from found)
    and commitmentdiscountstatus = 'Unused'
    and effectivecost < 0
group by commitmentdiscountid, subaccountid, billingcurrency
