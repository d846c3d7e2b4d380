-- use case: Update budgets with billed costs
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    BillingPeriodStart,
    BillingPeriodEnd,
    BillingCurrency,
    sum(BilledCost) as TotalBilledCost
from focus_data_table
where BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3, 4
order by BillingPeriodStart
