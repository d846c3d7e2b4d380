-- The lines of aws_cur.sql on the cost basis of their payer's month: net where is_net, else gross (aws_cur_net.sql);
-- and what a refund gives back. The lines hold the columns of aws_cur_columns.csv.
--
-- commitment_share is what a Savings Plan costs on the basis for each unit of money that was committed to. The used
-- part has a net column of its own, the unused part has not: on the net basis it is cheaper by as much as the fee's
-- line. It is a factor of limited length, so that sums of like lines come to the same as the lines.
--
-- refunds_upfront_fee is null where a line is no refund of a commitment's fee, and false where the fee is a recurring
-- one. AWS does not say which fee a refund is of. One of an upfront fee may lack the plan's ARN, and is
-- then known by its description (Cloud Intelligence Dashboards). Otherwise it is of the recurring fee where the plan
-- has no upfront one, or where the description says so.

select
    *,
    coalesce(case when is_net then line_item_net_unblended_cost else line_item_unblended_cost end, 0)
        as unblended_cost,
    case when is_net then line_item_net_unblended_rate else line_item_unblended_rate end as unblended_rate,
    coalesce(
        case
            when is_net then savings_plan_net_savings_plan_effective_cost
            else savings_plan_savings_plan_effective_cost
        end,
        0
    ) as savings_plan_effective_cost,
    case
        when is_net
            then coalesce(
                round(
                    nullif(
                        coalesce(savings_plan_net_recurring_commitment_for_billing_period, 0)
                        + coalesce(savings_plan_net_amortized_upfront_commitment_for_billing_period, 0),
                        0
                    )
                    / nullif(
                        coalesce(savings_plan_recurring_commitment_for_billing_period, 0)
                        + coalesce(savings_plan_amortized_upfront_commitment_for_billing_period, 0),
                        0
                    ),
                    15
                ),
                1
            )
        else 1
    end as commitment_share,
    case
        when is_net then savings_plan_net_amortized_upfront_commitment_for_billing_period
        else savings_plan_amortized_upfront_commitment_for_billing_period
    end as savings_plan_prepaid_use,
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
    end as reservation_unused_cost,
    case
        when is_net then reservation_net_amortized_upfront_fee_for_billing_period
        else reservation_amortized_upfront_fee_for_billing_period
    end as reservation_prepaid_use,
    reservation_total_reserved_normalized_units <> 0 or line_item_normalized_usage_amount <> 0 as is_normalized,
    case
        when line_item_line_item_type <> 'Refund' or line_item_tax_type is not null then null
        when
            line_item_product_code = 'ComputeSavingsPlans'
            and starts_with(line_item_line_item_description, 'Refund for one-time fee for Savings Plan ID')
            then true
        when savings_plan_savings_plan_a_r_n is not null
            then
                case
                    when savings_plan_payment_option = 'No Upfront' then false
                    when line_item_line_item_description ~* 'recurring' then false
                    else true
                end
        when line_item_product_code = 'ComputeSavingsPlans' then false
        when reservation_reservation_a_r_n is not null
            then
                case
                    when pricing_purchase_option = 'No Upfront' then false
                    when line_item_line_item_description ~* '(recurring|hourly) fee' then false
                    else true
                end
    end as refunds_upfront_fee
from (
    {lines}
) as lines
