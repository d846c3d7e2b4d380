-- use case: Identify sources of billed cost
-- FOCUS: 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    InvoiceIssuerName,
    ProviderName,
    PublisherName,
    InvoiceId,
    BillingCurrency,
    sum(BilledCost) as TotalBilledCost
from focus_data_table
where ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4, 5
order by TotalBilledCost desc
