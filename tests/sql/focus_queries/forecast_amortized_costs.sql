-- use case: Forecast amortized costs month over month based on historical trends
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    BillingPeriodStart,
    ProviderName,
    ServiceCategory,
    ServiceName,
    ChargeCategory,
    BillingCurrency,
    sum(EffectiveCost) as TotalEffectiveCost
from focus_data_table
where BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3, 4, 5, 6
order by ServiceName, BillingPeriodStart
