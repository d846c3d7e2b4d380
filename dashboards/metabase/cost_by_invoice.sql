-- Which costs are final, and which are estimates? One row per month, invoice and currency. AWS's costs without an
-- invoice are estimates.
select
    to_char(billing_period, 'YYYY-MM') as month,
    coalesce(invoice_id, '(none yet)') as invoice,
    currency,
    sum(cost) as cost,
    sum(line_items) as line_items
from cost_analytics.costs
where
    true
    [[and billing_period = date_trunc('month', {{month}}::timestamp)]]
    [[and currency = {{currency}}]]
    [[and source = {{source}}]]
group by billing_period, invoice_id, currency
order by month, invoice, currency
