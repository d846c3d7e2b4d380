-- use case: Analyze service costs by region
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    date_trunc('day', ChargePeriodStart) as Day,
    ProviderName,
    RegionId,
    RegionName,
    ServiceName,
    BillingCurrency,
    sum(EffectiveCost) as TotalEffectiveCost
from focus_data_table
where ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4, 5, 6
order by Day, TotalEffectiveCost desc
