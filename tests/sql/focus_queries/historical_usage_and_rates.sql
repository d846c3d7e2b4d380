-- use case: Get historical usage and rates to enable cost forecasting
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    BillingPeriodStart,
    ProviderName,
    ServiceCategory,
    ServiceName,
    RegionId,
    RegionName,
    PricingUnit,
    BillingCurrency,
    sum(PricingQuantity) as TotalPricingQuantity,
    sum(EffectiveCost) as TotalEffectiveCost,
    sum(EffectiveCost) / nullif(sum(PricingQuantity), 0) as EffectiveRate
from focus_data_table
where BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3, 4, 5, 6, 7, 8
order by BillingPeriodStart, TotalEffectiveCost desc
