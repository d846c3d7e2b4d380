-- use case: Report effective cost of compute
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    BillingPeriodStart,
    SubAccountId,
    SubAccountName,
    ServiceName,
    CommitmentDiscountType,
    BillingCurrency,
    sum(EffectiveCost) as TotalEffectiveCost
from focus_data_table
where ServiceCategory = 'Compute'
    and BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3, 4, 5, 6
order by BillingPeriodStart, TotalEffectiveCost desc
