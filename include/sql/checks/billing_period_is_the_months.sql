-- severity: error
-- protects: from lines of another month's bill, which would be counted twice
-- action: the manifest lists files of another month: compare it with the bucket and ask who copies it

-- The charges are looked for only where there are some.
with found as (
    select 1
    from {focus_totals}
    where charges_of_other_months > 0
)

select
    billingperiodstart as billing_period_start,
    count(*) as charges
from ({charges}) as charges
where
    exists (select 1 from found)
    and billingperiodstart::date is distinct from %(billing_period)s
group by billingperiodstart
