-- The billing accounts whose month is on the net basis, from lines or from their daily sums.
--
-- The invoice is what the gross lines with the discount lines sum to. Net costs hold the discounts inside, so they are
-- taken where they come to the same on every invoice of the payer, and only there: an export may have net costs for one
-- payer and not for the other, or for a few lines alone, and writes 0 where it has none.
--
-- AWS rounds the cost of a line to 10 decimal places (no line of a real month of 119,307 has more). A line may then be
-- half a unit of the tenth place off on either basis, so the two sums of an invoice may differ by one unit a line.

select invoices.billing_account_id
from (
    select
        coalesce(bill_payer_account_id, '') as billing_account_id,
        coalesce(sum(line_item_unblended_cost), 0) as gross_cost,
        coalesce(sum(line_item_net_unblended_cost), 0) as net_cost,
        count(*) filter (where line_item_net_unblended_cost <> 0) as net_lines,
        sum(line_items) as line_items
    from (
        {lines}
    ) as lines
    where coalesce(line_item_operation, '') not in ('EKSPod-EC2', 'ECSTask-EC2')
    group by coalesce(bill_payer_account_id, ''), bill_invoice_id, line_item_currency_code
) as invoices
group by invoices.billing_account_id
having
    sum(invoices.net_lines) > 0
    and bool_and(abs(invoices.gross_cost - invoices.net_cost) <= 0.0000000001 * invoices.line_items)
order by invoices.billing_account_id
