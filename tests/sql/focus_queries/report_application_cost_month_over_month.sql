-- use case: Report application cost month over month
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"tag_key": "user:team", "tag_value": "checkout", "period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    date_trunc('month', ChargePeriodStart) as Month,
    ServiceName,
    BillingCurrency,
    sum(EffectiveCost) as TotalEffectiveCost
from focus_data_table
where Tags ->> ? = ?
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3
order by Month, TotalEffectiveCost desc
