-- use case: Analyze capacity reservations on compute costs
-- FOCUS: 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    BillingAccountId,
    BillingCurrency,
    coalesce(CapacityReservationStatus, 'No capacity reservation') as Status,
    sum(BilledCost) as TotalBilledCost,
    sum(EffectiveCost) as TotalEffectiveCost
from focus_data_table
where ServiceCategory = 'Compute'
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4
order by TotalEffectiveCost desc
