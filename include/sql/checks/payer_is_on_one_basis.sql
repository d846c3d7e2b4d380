-- severity: warning
-- protects: from net costs that are not what a payer is billed, and would be taken for it
-- action: the payer's costs of this month are gross, with discounts as lines of their own, which is the invoice; where
--   they should be net, ask AWS Support why the net costs of this payer do not sum to its invoice

-- A payer is on the net basis where its net costs come to every invoice. One that has net costs, and is not, is named
-- here. So is one that is, with lines whose cost is above or below 0 and that have no net cost at all.

select
    billing_account_id,
    currency,
    sum(gross_cost) as gross_cost,
    sum(net_cost) as net_cost,
    sum(net_lines)::bigint as lines_with_net_cost,
    sum(lines_without_net)::bigint as lines_without_net_cost,
    bool_or(is_net) as is_net
from {raw_totals}
where net_lines > 0
group by billing_account_id, currency
having not bool_or(is_net) or sum(lines_without_net) > 0
