-- use case: Verify discount accuracy for previously invoiced billing period
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    BillingAccountId,
    BillingAccountName,
    BillingCurrency,
    ServiceName,
    sum(ListCost) as TotalListCost,
    sum(BilledCost) as TotalBilledCost,
    sum(EffectiveCost) as TotalEffectiveCost,
    100 * (1 - sum(EffectiveCost) / nullif(sum(ListCost), 0)) as EffectiveDiscount
from focus_data_table
where ChargeClass is distinct from 'Correction'
    and BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3, 4, 5
order by EffectiveDiscount desc nulls last
