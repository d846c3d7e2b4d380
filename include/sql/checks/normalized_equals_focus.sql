-- severity: error
-- protects: from daily totals that do not sum to the charges they are made of
-- action: clear normalize of this month; if it happens again, report it with the sums below

with normalized_totals as (
    select
        billing_account_id,
        invoice_id,
        currency,
        sum(cost) as cost,
        sum(effective_cost) as effective_cost,
        sum(list_cost) as list_cost
    from {normalized}
    where billing_period = %(billing_period)s
    group by billing_account_id, invoice_id, currency
)

select
    coalesce(focus_totals.billing_account_id, normalized_totals.billing_account_id) as billing_account_id,
    coalesce(focus_totals.invoice_id, normalized_totals.invoice_id) as invoice_id,
    coalesce(focus_totals.currency, normalized_totals.currency) as currency,
    focus_totals.billed_cost as focus_cost,
    normalized_totals.cost as normalized_cost,
    focus_totals.effective_cost as focus_effective_cost,
    normalized_totals.effective_cost as normalized_effective_cost,
    focus_totals.list_cost as focus_list_cost,
    normalized_totals.list_cost as normalized_list_cost
from {focus_totals} as focus_totals
full join normalized_totals
    on
        coalesce(focus_totals.billing_account_id, '') = coalesce(normalized_totals.billing_account_id, '')
        and coalesce(focus_totals.invoice_id, '') = coalesce(normalized_totals.invoice_id, '')
        and coalesce(focus_totals.currency, '') = coalesce(normalized_totals.currency, '')
where
    coalesce(focus_totals.billed_cost, 0) <> coalesce(normalized_totals.cost, 0)
    or coalesce(focus_totals.effective_cost, 0) <> coalesce(normalized_totals.effective_cost, 0)
    or coalesce(focus_totals.list_cost, 0) <> coalesce(normalized_totals.list_cost, 0)
