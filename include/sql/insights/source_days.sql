-- The first and the last day with lines of usage, of a source from a billing month on, in each currency. Unused
-- commitments are spread over days to come, and have no lines there.

select
    currency,
    min(date) as first_date,
    max(date) as last_date
from {costs_by_day_account}
where source = %(source)s and billing_period >= %(since)s and charge_category = 'Usage' and line_items > 0
group by currency
order by currency
