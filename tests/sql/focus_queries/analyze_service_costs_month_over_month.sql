-- use case: Analyze service costs month over month
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

with months as (
    select
        date_trunc('month', ChargePeriodStart) as Month,
        ProviderName,
        ServiceName,
        BillingCurrency,
        sum(EffectiveCost) as TotalEffectiveCost
    from focus_data_table
    where ChargePeriodStart >= ?
        and ChargePeriodStart < ?
    group by 1, 2, 3, 4
)

select
    months.*,
    TotalEffectiveCost - lag(TotalEffectiveCost) over service as Change
from months
window service as (partition by ProviderName, ServiceName, BillingCurrency order by Month)
order by Month, TotalEffectiveCost desc
