-- A number by the billing months that it comes from: one row per source and billing month, which is one load. All
-- amounts are of one currency.

select
    source,
    billing_period,
    sum({metric}) as amount
from {relation}
where currency = {currency} and {condition}
group by source, billing_period
order by billing_period desc, source asc
