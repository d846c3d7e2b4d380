-- use case: Determine contracted savings by virtual currency
-- FOCUS: 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ServiceName,
    ServiceSubcategory,
    ChargeDescription,
    BillingCurrency,
    PricingCurrency,
    sum((ListUnitPrice - ContractedUnitPrice) * PricingQuantity) as Savings,
    sum((PricingCurrencyListUnitPrice - PricingCurrencyContractedUnitPrice) * PricingQuantity)
        as SavingsInPricingCurrency
from focus_data_table
where PricingCurrencyListUnitPrice > PricingCurrencyContractedUnitPrice
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4, 5
order by Savings desc nulls last
