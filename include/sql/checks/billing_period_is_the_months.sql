-- severity: error
-- protects: from lines of another month's bill, which would be counted twice
-- action: the manifest lists files of another month: compare it with the bucket and ask who copies it

select
    billingperiodstart as billing_period_start,
    count(*) as charges
from ({charges}) as charges
where billingperiodstart::date is distinct from %(billing_period)s
group by billingperiodstart
