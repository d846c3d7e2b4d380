-- use case: Verify accuracy of provider invoices aka invoice reconciliation
-- FOCUS: 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    InvoiceIssuerName,
    InvoiceId,
    BillingCurrency,
    min(BillingPeriodStart) as FirstBillingPeriod,
    sum(BilledCost) as TotalBilledCost,
    sum(BilledCost) filter (where ChargeCategory = 'Tax') as Tax,
    sum(BilledCost) filter (where ChargeCategory = 'Credit') as Credits
from focus_data_table
where BillingPeriodStart >= ?
    and BillingPeriodEnd <= ?
group by 1, 2, 3
order by InvoiceIssuerName, InvoiceId nulls last
