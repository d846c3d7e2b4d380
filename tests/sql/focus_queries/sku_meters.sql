-- use case: Analyze the different metered costs for a particular SKU
-- FOCUS: 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    SkuId,
    SkuMeter,
    PricingUnit,
    BillingCurrency,
    sum(PricingQuantity) as TotalPricingQuantity,
    sum(ListCost) as TotalListCost,
    sum(EffectiveCost) as TotalEffectiveCost
from focus_data_table
where SkuId is not null
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4, 5
order by SkuId, TotalEffectiveCost desc
limit 100
