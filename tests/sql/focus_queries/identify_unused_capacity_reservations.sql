-- use case: Identify unused capacity reservations
-- FOCUS: 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    BillingAccountId,
    CapacityReservationId,
    BillingCurrency,
    sum(EffectiveCost) as UnusedEffectiveCost
from focus_data_table
where CapacityReservationStatus = 'Unused'
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4
having sum(EffectiveCost) <> 0
order by UnusedEffectiveCost desc
