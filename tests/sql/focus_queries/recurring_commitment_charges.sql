-- use case: Report recurring charges for commitment-based discounts over a period
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    BillingPeriodStart,
    CommitmentDiscountId,
    CommitmentDiscountName,
    CommitmentDiscountType,
    BillingCurrency,
    sum(BilledCost) as TotalBilledCost
from focus_data_table
where CommitmentDiscountId is not null
    and ChargeFrequency = 'Recurring'
    and BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3, 4, 5
order by BillingPeriodStart, TotalBilledCost desc
