-- severity: error
-- protects: from commitments that count twice, or partly, where a provider bills them month by month
-- action: do not publish by hand; the FOCUS mapping spreads a fee over the wrong lines: report the commitments of this
--   billing account

with billed_by_month as (
    select 1
    from {raw_totals}
    where effective_is_billed
)

select
    billing_account_id,
    currency,
    sum(billed_cost) as billed_cost,
    sum(effective_cost) as effective_cost
from {focus_totals}
where exists (select 1 from billed_by_month)
group by billing_account_id, currency
having sum(billed_cost) <> sum(effective_cost)
