-- use case: Analyze effective cost by pricing currency
-- FOCUS: 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    ServiceName,
    PricingCurrency,
    BillingCurrency,
    sum(EffectiveCost) as TotalEffectiveCost,
    sum(PricingCurrencyEffectiveCost) as TotalPricingCurrencyEffectiveCost
from focus_data_table
where ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4
order by TotalEffectiveCost desc
