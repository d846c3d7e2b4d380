-- use case: Report commitment discount purchases
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    BillingAccountId,
    CommitmentDiscountId,
    CommitmentDiscountType,
    CommitmentDiscountUnit,
    ChargeFrequency,
    BillingCurrency,
    min(ChargePeriodStart) as FirstCharge,
    max(ChargePeriodEnd) as LastCharge,
    sum(CommitmentDiscountQuantity) as TotalCommitmentDiscountQuantity,
    sum(BilledCost) as TotalBilledCost
from focus_data_table
where ChargeCategory = 'Purchase'
    and CommitmentDiscountId is not null
    and BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3, 4, 5, 6, 7
order by TotalBilledCost desc
