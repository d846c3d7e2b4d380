-- use case: Analyze resource costs by SKU
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    ResourceId,
    SkuId,
    SkuPriceId,
    PricingUnit,
    BillingCurrency,
    avg(ListUnitPrice) as AverageListUnitPrice,
    sum(PricingQuantity) as TotalPricingQuantity,
    sum(ListCost) as TotalListCost,
    sum(EffectiveCost) as TotalEffectiveCost
from focus_data_table
where ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4, 5, 6
order by TotalEffectiveCost desc
limit 100
