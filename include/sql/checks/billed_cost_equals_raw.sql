-- severity: error
-- protects: from a billed cost that is not the invoice's: a charge counted twice, or not at all
-- action: do not publish by hand; the FOCUS mapping does not know these lines: report them with their line item
--   types

select
    coalesce(raw_totals.billing_account_id, focus_totals.billing_account_id) as billing_account_id,
    coalesce(raw_totals.invoice_id, focus_totals.invoice_id) as invoice_id,
    coalesce(raw_totals.currency, focus_totals.currency) as currency,
    raw_totals.billed_cost as raw_cost,
    focus_totals.billed_cost as focus_cost,
    raw_totals.line_items as raw_lines,
    focus_totals.line_items as focus_lines
from {raw_totals} as raw_totals
full join {focus_totals} as focus_totals
    on
        coalesce(raw_totals.billing_account_id, '') = coalesce(focus_totals.billing_account_id, '')
        and coalesce(raw_totals.invoice_id, '') = coalesce(focus_totals.invoice_id, '')
        and coalesce(raw_totals.currency, '') = coalesce(focus_totals.currency, '')
where
    coalesce(raw_totals.billed_cost, 0) <> coalesce(focus_totals.billed_cost, 0)
    or coalesce(raw_totals.line_items, 0) <> coalesce(focus_totals.line_items, 0)
