-- use case: Calculate average rate of a component resource
-- FOCUS: 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

with instances as (
    select
        ProviderName,
        ServiceName,
        RegionName,
        PricingUnit,
        BillingCurrency,
        EffectiveCost,
        SkuPriceDetails ->> 'InstanceSeries' as InstanceSeries,
        (SkuPriceDetails ->> 'CoreCount')::numeric * PricingQuantity as Cores
    from focus_data_table
    where jsonb_exists(SkuPriceDetails, 'CoreCount')
        and jsonb_exists(SkuPriceDetails, 'InstanceSeries')
        and ChargePeriodStart >= ?
        and ChargePeriodStart < ?
)

select
    ProviderName,
    ServiceName,
    RegionName,
    PricingUnit,
    BillingCurrency,
    InstanceSeries,
    sum(Cores) as TotalCores,
    sum(EffectiveCost) / nullif(sum(Cores), 0) as EffectiveCostOfACore
from instances
group by 1, 2, 3, 4, 5, 6
order by EffectiveCostOfACore desc nulls last
