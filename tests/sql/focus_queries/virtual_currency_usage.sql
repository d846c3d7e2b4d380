-- use case: Determine target of virtual currency usage
-- FOCUS: 1.2
-- parameters: {"pricing_currency": "USD", "period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    ServiceName,
    ChargeDescription,
    sum(PricingCurrencyEffectiveCost) as TotalPricingCurrencyEffectiveCost
from focus_data_table
where PricingCurrency = ?
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3
order by TotalPricingCurrencyEffectiveCost desc nulls last
fetch first 10 rows only
