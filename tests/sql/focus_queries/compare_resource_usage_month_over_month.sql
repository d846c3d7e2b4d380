-- use case: Compare resource usage month over month
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    date_trunc('month', ChargePeriodStart) as Month,
    ProviderName,
    ServiceName,
    ResourceId,
    SkuId,
    ConsumedUnit,
    sum(ConsumedQuantity) as TotalConsumedQuantity
from focus_data_table
where ChargeCategory = 'Usage'
    and ConsumedQuantity is not null
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4, 5, 6
order by ResourceId, SkuId, Month
