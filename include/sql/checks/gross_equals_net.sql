-- severity: error
-- protects: from a payer whose billed cost is not its invoice: discounts that are missing, or counted twice
-- action: do not publish by hand; the mapping chose the wrong basis for this payer: report the sums below

-- The invoice is what the gross lines come to, with the discount lines. On the net basis a line may differ by one unit
-- of the tenth decimal place, to which AWS rounds both costs (aws_cur_net.sql); on the gross basis nothing may.

select
    billing_account_id,
    invoice_id,
    currency,
    gross_cost,
    billed_cost
from {raw_totals}
where abs(gross_cost - billed_cost) > case when is_net then 0.0000000001 * stored_lines else 0 end
