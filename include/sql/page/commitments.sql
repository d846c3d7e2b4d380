-- Commitments of a range of billing months in one currency: one row for each, with the months that it has costs of, and
-- one row for all together, whose commitment is NULL. Amounts of use are effective costs; coverage is at list prices.
--
-- What a commitment could cover is the use of the services that it covers something of, by the same billing account,
-- without Spot use.

with charges as materialized (
    select
        commitment_id,
        source,
        billing_period,
        coalesce(billing_account_id, '') as billing_account_id,
        service,
        is_spot,
        any_value(cloud_provider) as cloud_provider,
        max(commitment_name collate "C") as commitment_name,
        any_value(commitment_type) as commitment_type,
        any_value(commitment_category) as commitment_category,
        -- Who bought it; else one who used it.
        max(account_id collate "C") filter (where charge_category = 'Purchase') as owner_account_id,
        max(account_id collate "C") as account_id,
        bool_or(commitment_status = 'Used') as is_used,
        coalesce(sum(effective_cost) filter (where commitment_status = 'Used'), 0) as used,
        coalesce(sum(effective_cost) filter (where commitment_status = 'Unused'), 0) as unused,
        coalesce(sum(list_cost) filter (where commitment_status = 'Used'), 0) as covered,
        sum(list_cost) as list_cost
    from {commitment_costs}
    where currency = {currency} and billing_period between {first}::date and {last}::date
    group by commitment_id, source, billing_period, coalesce(billing_account_id, ''), service, is_spot
),

covered_services as (
    select distinct
        commitment_id,
        source,
        billing_account_id,
        service
    from charges
    where is_used
),

usage_totals as (
    select
        source,
        coalesce(billing_account_id, '') as billing_account_id,
        service,
        sum(list_cost) as list_cost
    from {costs_by_day_service}
    where
        currency = {currency}
        and billing_period between {first}::date and {last}::date
        and charge_category = 'Usage'
        and service = any(array(select covered_services.service from covered_services))
    group by source, coalesce(billing_account_id, ''), service
    union all
    select
        source,
        billing_account_id,
        service,
        -sum(list_cost) as list_cost
    from charges
    where is_spot
    group by source, billing_account_id, service
),

coverable as (
    select
        covered_services.commitment_id,
        covered_services.source,
        sum(usage_totals.list_cost) as list_cost
    from covered_services
    inner join usage_totals
        on
            covered_services.source = usage_totals.source
            and covered_services.billing_account_id = usage_totals.billing_account_id
            and covered_services.service = usage_totals.service
    group by covered_services.commitment_id, covered_services.source
),

coverable_in_all as (
    select sum(usage_totals.list_cost) as list_cost
    from usage_totals
    where
        (usage_totals.source, usage_totals.billing_account_id, usage_totals.service) in (
            select
                covered_services.source,
                covered_services.billing_account_id,
                covered_services.service
            from covered_services
        )
),

commitments as (
    select
        grouping(commitment_id) = 0 as is_one,
        commitment_id,
        source,
        max(cloud_provider) as cloud_provider,
        max(commitment_name) as commitment_name,
        max(commitment_type) as commitment_type,
        max(commitment_category) as commitment_category,
        coalesce(max(owner_account_id), max(account_id), '') as account_id,
        array_agg(distinct billing_period order by billing_period) as months,
        coalesce(sum(used), 0) as used,
        coalesce(sum(unused), 0) as unused,
        coalesce(sum(covered), 0) as covered
    from charges
    where not is_spot
    group by grouping sets ((commitment_id, source), ())
)

select
    commitments.is_one,
    commitments.commitment_id,
    commitments.source,
    coalesce(commitments.cloud_provider, '') as cloud_provider,
    commitments.commitment_name,
    commitments.commitment_type,
    commitments.commitment_category,
    commitments.account_id,
    commitments.months,
    commitments.used,
    commitments.unused,
    commitments.covered,
    case
        when commitments.is_one then coalesce(coverable.list_cost, 0)
        else coalesce((select coverable_in_all.list_cost from coverable_in_all), 0)
    end as coverable
from commitments
left join coverable
    on commitments.commitment_id = coverable.commitment_id and commitments.source = coverable.source
order by commitments.is_one asc, commitments.unused desc, commitments.used desc, commitments.commitment_id asc
