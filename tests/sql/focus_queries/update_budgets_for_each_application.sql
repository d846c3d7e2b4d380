-- use case: Update budgets for each application
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"tag_key": "user:team", "period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    BillingPeriodStart,
    BillingPeriodEnd,
    BillingCurrency,
    Tags ->> ? as Application,
    sum(BilledCost) as TotalBilledCost
from focus_data_table
where BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3, 4, 5
order by TotalBilledCost desc
