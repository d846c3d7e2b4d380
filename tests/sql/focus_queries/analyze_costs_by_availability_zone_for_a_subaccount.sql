-- use case: Analyze costs by availability zone for a subaccount
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"sub_account_id": "011254002932", "period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    RegionName,
    AvailabilityZone,
    BillingPeriodStart,
    BillingCurrency,
    sum(EffectiveCost) as TotalEffectiveCost
from focus_data_table
where SubAccountId = ?
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4
order by RegionName nulls last, AvailabilityZone nulls last
