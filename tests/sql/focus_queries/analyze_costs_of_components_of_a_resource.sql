-- use case: Analyze costs of components of a resource
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"resource_id": "i-0123456789abcdef0", "period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ResourceId,
    ResourceName,
    ResourceType,
    SkuId,
    ChargeDescription,
    BillingCurrency,
    sum(EffectiveCost) as TotalEffectiveCost
from focus_data_table
where ResourceId = ?
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4, 5, 6
order by TotalEffectiveCost desc
