-- use case: Analyze costs by service name
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"service_name": "AmazonEC2", "period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    BillingPeriodStart,
    ProviderName,
    SubAccountId,
    SubAccountName,
    BillingCurrency,
    sum(BilledCost) as TotalBilledCost,
    sum(EffectiveCost) as TotalEffectiveCost
from focus_data_table
where ServiceName = ?
    and BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3, 4, 5
order by TotalEffectiveCost desc
