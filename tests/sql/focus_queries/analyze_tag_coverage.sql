-- use case: Analyze tag coverage
-- FOCUS: 1.0, 1.1, 1.2
-- parameters: {"tag_key": "user:team", "provider_name": "AWS", "period_start": "2025-01-01", "period_end": "2025-02-01"}

select
    BillingCurrency,
    100 * sum(case when jsonb_exists(Tags, ?) then EffectiveCost else 0 end) / nullif(sum(EffectiveCost), 0)
        as TaggedPercentage
from focus_data_table
where EffectiveCost > 0
    and ProviderName = ?
    and ChargePeriodStart >= ?
    and ChargePeriodStart < ?
group by BillingCurrency
