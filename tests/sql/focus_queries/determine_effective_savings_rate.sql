-- use case: Determine Effective Savings Rate
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    BillingCurrency,
    1 - sum(EffectiveCost) / nullif(sum(ListCost), 0) as SavingsRateOverList,
    1 - sum(EffectiveCost) / nullif(sum(ContractedCost), 0) as SavingsRateOverContract
from focus_data_table
where ChargeCategory = 'Usage'
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2
