-- use case: Quantify usage of a component resource
-- FOCUS: 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    date_trunc('day', ChargePeriodStart) as Day,
    ProviderName,
    ServiceName,
    RegionName,
    PricingUnit,
    SkuPriceDetails ->> 'InstanceSeries' as InstanceSeries,
    sum((SkuPriceDetails ->> 'CoreCount')::numeric * PricingQuantity) as TotalCores
from focus_data_table
where SkuPriceDetails ->> 'CoreCount' is not null
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4, 5, 6
order by Day, TotalCores desc
