-- use case: Analyze service costs by subaccount
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"sub_account_id": "011254002932", "period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    SubAccountId,
    SubAccountName,
    ServiceName,
    BillingCurrency,
    sum(EffectiveCost) as TotalEffectiveCost
from focus_data_table
where SubAccountId = ?
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4
order by TotalEffectiveCost desc
fetch first 10 rows only
