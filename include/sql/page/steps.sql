-- How the billed cost of accounts' services grew from load to load of a billing month: one row per load that changed
-- it, the largest step first. The loads of a month are few, and their totals have a key, so this does not read
-- restatements, which compares all loads of all months.

with wanted as (
    select *
    from unnest({sources}::text[], {accounts}::text[], {services}::text[]) as wanted (source, account_id, service)
),

loads as (
    select
        load_id,
        source,
        version,
        finished
    from {load_history}
    where
        billing_period = {month}::date
        and source = any({sources}::text[])
        and status in ('published', 'superseded')
        and not raw_only
),

costs as (
    select
        loads.load_id,
        loads.source,
        loads.version,
        loads.finished,
        wanted.account_id,
        wanted.service,
        coalesce(sum(totals.cost), 0) as cost
    from loads
    inner join wanted on loads.source = wanted.source
    left join {published_totals} as totals
        on
            loads.load_id = totals.load_id
            and wanted.account_id = totals.account_id
            and wanted.service = totals.service
            and totals.currency = {currency}
    group by loads.load_id, loads.source, loads.version, loads.finished, wanted.account_id, wanted.service
),

steps as (
    select
        *,
        cost - lag(cost) over (partition by source, account_id, service order by load_id) as change
    from costs
)

select
    source,
    account_id,
    service,
    load_id,
    version,
    finished,
    change
from steps
where change <> 0 or change is null
order by source asc, account_id asc, service asc, change is null asc, abs(change) desc, load_id asc
