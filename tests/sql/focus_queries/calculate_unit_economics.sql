-- use case: Calculate unit economics
-- FOCUS: 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    date_trunc('day', ChargePeriodStart) as Day,
    BillingCurrency,
    sum(BilledCost) / nullif(sum(ConsumedQuantity), 0) as BilledCostOfAGigabyte
from focus_data_table
where ConsumedUnit = 'GB'
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2
order by Day
