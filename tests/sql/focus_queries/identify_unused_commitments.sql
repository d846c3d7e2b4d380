-- use case: Identify unused commitments
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    BillingAccountId,
    CommitmentDiscountId,
    CommitmentDiscountType,
    BillingCurrency,
    min(ChargePeriodStart) as FirstCharge,
    max(ChargePeriodEnd) as LastCharge,
    sum(EffectiveCost) filter (where CommitmentDiscountStatus = 'Unused') as UnusedEffectiveCost,
    sum(EffectiveCost) filter (where CommitmentDiscountStatus = 'Used') as UsedEffectiveCost
from focus_data_table
where CommitmentDiscountStatus is not null
    and BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3, 4, 5
order by UnusedEffectiveCost desc nulls last
