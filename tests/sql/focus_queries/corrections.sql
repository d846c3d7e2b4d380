-- use case: Report corrections for a previously invoiced billing period
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    BillingAccountId,
    ChargeCategory,
    ServiceName,
    BillingCurrency,
    count(*) as Corrections,
    sum(BilledCost) as Corrected
from focus_data_table
where ChargeClass = 'Correction'
    and BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3, 4, 5
order by ServiceName
