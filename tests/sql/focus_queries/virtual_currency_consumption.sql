-- use case: Calculate consumption of virtual currency within a billing period
-- FOCUS: 1.2
-- parameters: {"pricing_currency": "USD", "period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    BillingPeriodStart,
    sum(PricingCurrencyEffectiveCost) as TotalPricingCurrencyEffectiveCost
from focus_data_table
where ChargeCategory = 'Usage'
    and PricingCurrency = ?
    and BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2
order by BillingPeriodStart
