-- use case: Analyze credit memos
-- FOCUS: 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    InvoiceId,
    BillingCurrency,
    count(*) as Credits,
    sum(BilledCost) as TotalBilledCost
from focus_data_table
where ChargeCategory = 'Credit'
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3
order by TotalBilledCost
