-- What the exported lines themselves say, one row per payer, invoice and currency: the other side of every audit
-- of sums. Lines of split cost allocation repeat the cost of the instance below them: they are stored, and count
-- nowhere else. A discount line has no net cost of its own, so it may lack one.

select
    bill_payer_account_id as billing_account_id,
    bill_invoice_id as invoice_id,
    line_item_currency_code as currency,
    count(*) as stored_lines,
    coalesce(
        sum(case when is_net then line_item_net_unblended_cost else line_item_unblended_cost end) filter (where counts),
        0
    ) as billed_cost,
    coalesce(sum(line_item_unblended_cost) filter (where counts), 0) as gross_cost,
    coalesce(sum(line_item_net_unblended_cost) filter (where counts), 0) as net_cost,
    sum(line_item_unblended_cost) filter (where not counts) as split_cost,
    count(*) filter (where counts and line_item_line_item_type is distinct from 'SavingsPlanNegation') as line_items,
    count(*) filter (where counts and line_item_net_unblended_cost <> 0) as net_lines,
    count(*) filter (
        where
        is_net
        and counts
        and line_item_net_unblended_cost is null
        and line_item_unblended_cost <> 0
        and right(coalesce(line_item_line_item_type, ''), 8) <> 'Discount'
    ) as lines_without_net,
    bool_or(is_net) as is_net
from (
    select
        lines.*,
        coalesce(lines.line_item_operation, '') not in ('EKSPod-EC2', 'ECSTask-EC2') as counts
    from (
        {lines}
    ) as lines
) as exported
group by bill_payer_account_id, bill_invoice_id, line_item_currency_code
