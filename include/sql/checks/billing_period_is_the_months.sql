-- severity: error
-- protects: from lines of another month's bill, which would be counted twice
-- action: where a manifest lists the files, compare it with the bucket and ask who copies it; where folders say the
--   month, put each line into the folder of its BillingPeriodStart, the first day of a calendar month in UTC

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
