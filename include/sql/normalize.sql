-- Daily totals of FOCUS charges: the rows of <source>_normalized for one billing month.
--
-- A commitment's unused part comes as one charge for the whole billing period; it is spread evenly over the
-- days of its charge period, the last day taking what rounding leaves, so that the effective cost does not
-- spike on the first and its sum is exact. Billed cost stays on the day it was charged. An account has one name in
-- a month, the latest.
--
-- The columns that most queries read come first in the partition, because PostgreSQL reads a row up to the last of
-- them; the partitioned table has them in the order of its documentation.

with charges as (
    {charges}
),

totals as (
    select
        chargeperiodstart::date as first_date,
        case
            when commitmentdiscountstatus = 'Unused'
                then greatest(
                    (chargeperiodend - interval '1 microsecond')::date - chargeperiodstart::date + 1, 1
                )
            else 1
        end as days,
        billingaccountid,
        subaccountid,
        subaccountname,
        servicename,
        regionid,
        chargecategory,
        billingcurrency,
        invoiceid,
        providername,
        tags,
        sum(billedcost) as cost,
        sum(effectivecost) as effective_cost,
        coalesce(sum(listcost), 0) as list_cost,
        sum(x_lineitems) as line_items
    from charges
    group by
        chargeperiodstart::date,
        days,
        billingaccountid,
        subaccountid,
        subaccountname,
        servicename,
        regionid,
        chargecategory,
        billingcurrency,
        invoiceid,
        providername,
        tags
),

named as (
    select
        totals.*,
        first_value(totals.subaccountname) over (
            partition by totals.billingaccountid, totals.subaccountid
            order by totals.subaccountname is null asc, totals.first_date desc, totals.subaccountname asc
        ) as account_name
    from totals
)

select
    totals.first_date + day.number as date,
    {billing_period}::date as billing_period,
    now() as sync_timestamp,
    sum(case when day.number = 0 then totals.line_items else 0 end)::bigint as line_items,
    sum(case when day.number = 0 then totals.cost else 0 end) as cost,
    sum(
        case
            when totals.days = 1 then totals.effective_cost
            when day.number < totals.days - 1 then round(totals.effective_cost / totals.days, 10)
            else totals.effective_cost - round(totals.effective_cost / totals.days, 10) * (totals.days - 1)
        end
    ) as effective_cost,
    sum(case when day.number = 0 then totals.list_cost else 0 end) as list_cost,
    totals.billingcurrency as currency,
    totals.subaccountid as account_id,
    totals.servicename as service,
    totals.regionid as region,
    totals.chargecategory as charge_category,
    totals.billingaccountid as billing_account_id,
    totals.account_name,
    totals.invoiceid as invoice_id,
    totals.tags,
    totals.providername as cloud_provider,
    {source}::text as source,
    {raw_table}::text as source_table
from named as totals
cross join lateral generate_series(0, totals.days - 1) as day (number)
group by
    totals.first_date + day.number,
    totals.billingaccountid,
    totals.subaccountid,
    totals.account_name,
    totals.servicename,
    totals.regionid,
    totals.chargecategory,
    totals.billingcurrency,
    totals.invoiceid,
    totals.tags,
    totals.providername
-- A range of days is then a range of blocks.
order by date
