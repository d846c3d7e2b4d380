-- What loads changed against others: the totals of one minus those of the other, by account, service and category. The
-- pairs of loads travel as arrays; a load that is compared with none has no pair. A row per load and key that changed,
-- the largest change first, up to a number of rows for each load.

with pairs as (
    select *
    from unnest({loads}::bigint[], {others}::bigint[]) as pairs (load_id, other_load_id)
),

both_sides as (
    select
        pairs.load_id,
        totals.account_id,
        totals.service,
        totals.charge_category,
        totals.currency,
        totals.line_items,
        totals.cost,
        totals.effective_cost
    from pairs
    inner join {published_totals} as totals on pairs.load_id = totals.load_id
    union all
    select
        pairs.load_id,
        totals.account_id,
        totals.service,
        totals.charge_category,
        totals.currency,
        -totals.line_items as line_items,
        -totals.cost as cost,
        -totals.effective_cost as effective_cost
    from pairs
    inner join {published_totals} as totals on pairs.other_load_id = totals.load_id
),

changes as (
    select
        load_id,
        account_id,
        service,
        charge_category,
        currency,
        sum(line_items)::bigint as line_items,
        sum(cost) as cost,
        sum(effective_cost) as effective_cost
    from both_sides
    group by load_id, account_id, service, charge_category, currency
    having sum(line_items) <> 0 or sum(cost) <> 0 or sum(effective_cost) <> 0
),

ranked as (
    select
        *,
        row_number() over (
            partition by load_id
            order by abs(cost) desc, abs(effective_cost) desc, account_id asc, service asc, charge_category asc
        ) as rank,
        count(*) over (partition by load_id) as changes_of_load
    from changes
)

select
    load_id,
    account_id,
    service,
    charge_category,
    currency,
    line_items,
    cost,
    effective_cost,
    changes_of_load
from ranked
where rank <= {at_most}
order by load_id desc, rank asc
