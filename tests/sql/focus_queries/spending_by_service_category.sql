-- use case: Report spending across billing periods for a provider by service category
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"provider_name": "AWS", "period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    BillingAccountId,
    BillingAccountName,
    BillingPeriodStart,
    BillingCurrency,
    ServiceCategory,
    ServiceName,
    sum(BilledCost) as TotalBilledCost
from focus_data_table
where ProviderName = ?
    and BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3, 4, 5, 6
order by BillingPeriodStart, TotalBilledCost desc
