-- severity: warning
-- protects: from a payer whose bill is taken at net costs that the export does not have, so that lines count as 0
-- action: the month is published on the net basis; export the month again with net costs for all lines, or without
--   the column line_item_net_unblended_cost

-- The basis is the month's: net where the export has net costs. What can be told from the lines is that a cost above
-- or below 0 has no net cost at all, and that all of a payer's net costs are 0, as AWS writes absent ones in Parquet.

select
    billing_account_id,
    currency,
    sum(gross_cost) as gross_cost,
    sum(billed_cost) as net_cost,
    sum(gross_lines)::bigint as lines_with_gross_cost,
    sum(net_lines)::bigint as lines_with_net_cost,
    sum(lines_without_net)::bigint as lines_without_net_cost
from {raw_totals}
where is_net
group by billing_account_id, currency
having sum(lines_without_net) > 0 or (sum(gross_lines) > 0 and sum(net_lines) = 0)
