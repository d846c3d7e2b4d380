-- The lines of gcp_billing.sql with what several expressions ask of them. The lines hold the columns of
-- gcp_billing_columns.csv.

select
    lines.*,
    coalesce(lines.cost, 0) + coalesce(lines.credits_amount, 0) as billed_cost,
    coalesce(lines.credits::text, lines.credits_type) as credit_types,
    coalesce(left(lines.sku_description, 10) = 'Commitment', false) as is_commitment,
    -- What is no month has no start.
    case
        when
            lines.invoice_month ~ '^[12][0-9][0-9][0-9][01][0-9]$'
            and right(lines.invoice_month, 2) between '01' and '12'
            then to_date(lines.invoice_month, 'YYYYMM')::timestamp
    end as invoice_start
from (
    {lines}
) as lines
