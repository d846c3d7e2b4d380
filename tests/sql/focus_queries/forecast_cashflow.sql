-- use case: Forecast cashflow month over month based on historical trends by service
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    BillingPeriodStart,
    ProviderName,
    ServiceCategory,
    ServiceName,
    BillingCurrency,
    sum(BilledCost) as TotalBilledCost
from focus_data_table
where BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3, 4, 5
order by ServiceName, BillingPeriodStart
