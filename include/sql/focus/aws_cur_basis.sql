-- The lines of aws_cur.sql on the cost basis of their month: net where is_net, else gross. The lines hold the columns
-- of aws_cur_columns.csv.

select
    *,
    coalesce(case when is_net then line_item_net_unblended_cost else line_item_unblended_cost end, 0)
        as unblended_cost,
    coalesce(
        case
            when is_net then savings_plan_net_savings_plan_effective_cost
            else savings_plan_savings_plan_effective_cost
        end,
        0
    ) as savings_plan_effective_cost,
    coalesce(case when is_net then reservation_net_effective_cost else reservation_effective_cost end, 0)
        as reservation_effective_cost_on_basis,
    case
        when is_net
            then
                coalesce(reservation_net_unused_amortized_upfront_fee_for_billing_period, 0)
                + coalesce(reservation_net_unused_recurring_fee, 0)
        else
            coalesce(reservation_unused_amortized_upfront_fee_for_billing_period, 0)
            + coalesce(reservation_unused_recurring_fee, 0)
    end as reservation_unused_cost
from (
    {lines}
) as lines
