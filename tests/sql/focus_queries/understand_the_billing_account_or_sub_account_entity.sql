-- use case: Understand the billing account or sub account entity
-- FOCUS: 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select distinct
    ProviderName,
    BillingAccountId,
    BillingAccountName,
    BillingAccountType,
    SubAccountId,
    SubAccountName,
    SubAccountType
from focus_data_table
where ChargePeriodStart >= ?
    and ChargePeriodStart < ?
order by BillingAccountId, SubAccountId
