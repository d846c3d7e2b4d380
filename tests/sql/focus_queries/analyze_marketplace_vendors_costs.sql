-- use case: Analyze marketplace vendors costs
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    date_trunc('month', ChargePeriodStart) as Month,
    InvoiceIssuerName,
    PublisherName,
    BillingCurrency,
    round(sum(EffectiveCost), 2) as TotalEffectiveCost
from focus_data_table
where PublisherName is distinct from InvoiceIssuerName
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4
order by TotalEffectiveCost desc
