-- What the exported charges themselves say, one row per invoice and currency.

select
    invoiceid as invoice_id,
    billingcurrency as currency,
    coalesce(sum(billedcost), 0) as billed_cost,
    coalesce(sum(billedcost), 0) as gross_cost,
    count(*) as line_items
from (
    {lines}
) as lines
group by invoiceid, billingcurrency
