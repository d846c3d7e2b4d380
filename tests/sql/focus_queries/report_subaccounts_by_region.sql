-- use case: Report subaccounts by region
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    ProviderName,
    SubAccountId,
    RegionId,
    RegionName,
    count(*) as Charges
from focus_data_table
where ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by 1, 2, 3, 4
order by SubAccountId, Charges desc
