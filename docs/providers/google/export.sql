-- Takes Google's billing export from BigQuery to Cloud Storage, for Cloud Costs: a scheduled query, in GoogleSQL.
--
-- Each run writes each invoice month to a folder of its own: the lines as they are, and then a marker with their number
-- and the sum of their costs and credits. What is written is never changed, so a reader never sees half of it.
--
-- Set the three values below. To take the past along once, set past_months to 36 and run it by hand.

declare destination string default 'gs://example-billing/google';
declare past_months int64 default 2;
declare run string default format_timestamp('%Y%m%dT%H%M%SZ', current_timestamp());
declare this_month date default date_trunc(current_date('America/Los_Angeles'), month);

-- A copy of its own, so that lines and marker are of the same moment: Google adds lines at any time. The filter of the
-- partitions only saves money: a line is exported in its invoice month or later. Two months more than needed are read.
create temp table lines as
select *
from `example-project.billing.gcp_billing_export_resource_v1_01A2B3_C4D5E6_F70819`
where
  invoice.month >= format_date('%Y%m', date_sub(this_month, interval past_months month))
  and _PARTITIONTIME >= timestamp(date_sub(this_month, interval past_months + 2 month));

for month in (select distinct invoice.month as name from lines order by name) do
  execute immediate format("""
    export data options (
      uri = '%s/invoice_month=%s/%s/part-*.parquet', format = 'PARQUET', compression = 'SNAPPY'
    ) as
    select * from lines where invoice.month = '%s'
  """, destination, month.name, run, month.name);

  -- The marker comes last. A cost is a double. Its decimal value is that of its first 15 digits, and those are summed as
  -- decimals, as PostgreSQL does. BIGNUMERIC has 38 decimal places: where a digit is beyond them, no sum is promised.
  execute immediate format("""
    export data options (
      uri = '%s/invoice_month=%s/%s/_SUCCESS-*.json', format = 'JSON'
    ) as
    with months_lines as (
      select cost, credits, currency from lines where invoice.month = '%s'
    ),
    amounts as (
      select currency, coalesce(cost, 0) as amount from months_lines
      union all
      select currency, coalesce(credit.amount, 0) from months_lines cross join unnest(credits) as credit
    ),
    sums as (
      select
        currency,
        if(
          logical_and(amount = 0 or abs(amount) >= 1e-24),
          cast(sum(cast(format('%%.14e', amount) as bignumeric)) as string),
          null
        ) as cost
      from amounts
      group by currency
    )
    select
      '%s' as invoice_month,
      cast((select count(*) from months_lines) as string) as `rows`,
      array(select as struct currency, cost from sums) as billed
  """, destination, month.name, run, month.name, month.name);
end for;
