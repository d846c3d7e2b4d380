-- use case: Analyze purchase of virtual currency
-- FOCUS: 1.2
-- parameters: {"pricing_unit": "Hrs", "period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    PublisherName,
    ChargeDescription,
    BillingCurrency,
    sum(PricingQuantity) as TotalPricingQuantity,
    sum(BilledCost) as TotalBilledCost
from focus_data_table
where ChargeCategory = 'Purchase'
    and PricingUnit = ?
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4
order by TotalBilledCost desc
