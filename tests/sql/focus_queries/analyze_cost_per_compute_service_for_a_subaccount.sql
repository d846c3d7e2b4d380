-- use case: Analyze cost per compute service for a subaccount
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"sub_account_id": "011254002932", "period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ServiceName,
    ResourceId,
    ResourceName,
    PricingUnit,
    BillingCurrency,
    min(ChargePeriodStart) as FirstCharge,
    max(ChargePeriodEnd) as LastCharge,
    sum(PricingQuantity) as TotalPricingQuantity,
    sum(EffectiveCost) as TotalEffectiveCost
from focus_data_table
where SubAccountId = ?
    and ServiceCategory = 'Compute'
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4, 5
order by TotalEffectiveCost desc
