-- use case: Identify anomalous daily spending by subaccount, region, and service
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

with days as (
    select
        date_trunc('day', ChargePeriodStart) as Day,
        ProviderName,
        SubAccountId,
        BillingCurrency,
        RegionId,
        ServiceName,
        sum(EffectiveCost) as DailyEffectiveCost
    from focus_data_table
    where ChargePeriodStart >= ?
        and ChargePeriodStart < ?
    group by 1, 2, 3, 4, 5, 6
)

select
    days.*,
    DailyEffectiveCost - avg(DailyEffectiveCost) over week as AboveTheWeekBefore
from days
window week as (
    partition by ProviderName, SubAccountId, BillingCurrency, RegionId, ServiceName
    order by Day range between interval '7 days' preceding and interval '1 day' preceding
)
order by AboveTheWeekBefore desc nulls last
