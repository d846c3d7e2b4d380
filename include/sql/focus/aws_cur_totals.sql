-- What the exported lines themselves say, one row per invoice and currency: the other side of every audit of
-- sums. Lines of split cost allocation repeat the cost of the instance below them and count nowhere.

select
    bill_invoice_id as invoice_id,
    line_item_currency_code as currency,
    coalesce(sum(case when is_net then line_item_net_unblended_cost else line_item_unblended_cost end), 0)
        as billed_cost,
    coalesce(sum(line_item_unblended_cost), 0) as gross_cost,
    count(*) filter (where line_item_line_item_type is distinct from 'SavingsPlanNegation') as line_items
from (
    {lines}
) as lines
where coalesce(line_item_operation, '') not in ('EKSPod-EC2', 'ECSTask-EC2')
group by bill_invoice_id, line_item_currency_code
