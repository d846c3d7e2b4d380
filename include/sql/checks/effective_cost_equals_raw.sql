-- severity: error
-- protects: from an effective cost that is not the provider's own: a commitment counted twice, or not at all
-- action: where the provider exports actual and amortized costs apart, run both exports of this month again, one right
--   after the other; if it happens again, report the charge types and pricing models of this account

-- Only where the export says what the effective costs sum to.

with stated as (
    select
        billing_account_id,
        currency,
        sum(effective_cost) as effective_cost
    from {raw_totals}
    group by billing_account_id, currency
    having bool_and(effective_cost is not null)
),

derived as (
    select
        billing_account_id,
        currency,
        sum(effective_cost) as effective_cost
    from {focus_totals}
    group by billing_account_id, currency
)

select
    stated.billing_account_id,
    stated.currency,
    stated.effective_cost as raw_effective_cost,
    derived.effective_cost as focus_effective_cost
from stated
left join derived
    on
        coalesce(stated.billing_account_id, '') = coalesce(derived.billing_account_id, '')
        and coalesce(stated.currency, '') = coalesce(derived.currency, '')
where stated.effective_cost <> coalesce(derived.effective_cost, 0)
