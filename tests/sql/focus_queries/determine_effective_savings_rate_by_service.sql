-- use case: Determine Effective Savings Rate by Service
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    ServiceName,
    BillingCurrency,
    sum(ContractedCost) as TotalContractedCost,
    sum(EffectiveCost) as TotalEffectiveCost,
    1 - sum(EffectiveCost) / nullif(sum(ContractedCost), 0) as EffectiveSavingsRate
from focus_data_table
where ChargeCategory = 'Usage'
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3
order by EffectiveSavingsRate desc nulls last
