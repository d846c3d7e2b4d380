-- severity: warning
-- protects: from money on lines of split cost allocation, which are left out because they repeat the cost of others
-- action: compare this invoice with its PDF; where it holds the amount below, report the lines of EKSPod-EC2 and
--   ECSTask-EC2, and ask AWS Support what they charge for

-- AWS tells the shares of an instance's cost in columns of their own, and charges nothing on those lines.

select
    billing_account_id,
    invoice_id,
    currency,
    split_cost
from {raw_totals}
where split_cost <> 0
