-- use case: Report service costs by providers subaccount
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"provider_name": "AWS", "sub_account_id": "011254002932", "period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ServiceName,
    SubAccountId,
    BillingPeriodStart,
    BillingCurrency,
    sum(EffectiveCost) as TotalEffectiveCost
from focus_data_table
where ProviderName = ?
    and SubAccountId = ?
    and BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3, 4
order by BillingPeriodStart desc, TotalEffectiveCost desc
