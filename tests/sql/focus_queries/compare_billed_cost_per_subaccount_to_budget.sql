-- use case: Compare billed cost per subaccount to budget
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"provider_name": "AWS", "sub_account_id": "011254002932", "period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    SubAccountId,
    SubAccountName,
    BillingCurrency,
    sum(BilledCost) as TotalBilledCost
from focus_data_table
where ChargeCategory = 'Usage'
    and ProviderName = ?
    and SubAccountId = ?
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3
