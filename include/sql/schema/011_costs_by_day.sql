-- Totals of costs, for queries over many months: costs_by_day, and three coarser tables that are smaller by far. Each
-- has the totals of all costs, so a sum is the same in all four. They are ordinary tables: publishing deletes the
-- month's rows and inserts the new ones. The columns that most queries read come first, because PostgreSQL reads a row
-- up to the last of them.

create table {schema}.costs_by_day (
    date date,
    billing_period date not null,
    currency text,
    cost numeric,
    effective_cost numeric,
    service text,
    account_id text,
    charge_category text,
    source text not null,
    cloud_provider text,
    billing_account_id text,
    list_cost numeric,
    line_items bigint
)
with (autovacuum_vacuum_scale_factor = 0.05);

create table {schema}.costs_by_day_service (
    date date,
    billing_period date not null,
    currency text,
    cost numeric,
    effective_cost numeric,
    service text,
    charge_category text,
    source text not null,
    cloud_provider text,
    billing_account_id text,
    list_cost numeric,
    line_items bigint
)
with (autovacuum_vacuum_scale_factor = 0.05);

create table {schema}.costs_by_day_account (
    date date,
    billing_period date not null,
    currency text,
    cost numeric,
    effective_cost numeric,
    account_id text,
    charge_category text,
    source text not null,
    cloud_provider text,
    billing_account_id text,
    list_cost numeric,
    line_items bigint
)
with (autovacuum_vacuum_scale_factor = 0.05);

create table {schema}.costs_by_month (
    month date,
    billing_period date not null,
    currency text,
    cost numeric,
    effective_cost numeric,
    service text,
    account_id text,
    charge_category text,
    source text not null,
    cloud_provider text,
    billing_account_id text,
    list_cost numeric,
    line_items bigint
)
with (autovacuum_vacuum_scale_factor = 0.05);

-- The months that were published before: of every source that a load of it made a table for.
do $fill$
declare
    published regclass;
begin
    for published in
        select pg_class.oid
        from (select distinct source from {schema}.load_history) as sources
        inner join pg_class
            on pg_class.relname = sources.source || '_normalized'
            and pg_class.relnamespace = '{schema}'::regnamespace
    loop
        execute format(
            $select$
            insert into {schema}.costs_by_day
            select
                date, billing_period, currency, sum(cost), sum(effective_cost), service, account_id, charge_category,
                source, cloud_provider, billing_account_id, sum(list_cost), sum(line_items)
            from %s
            group by
                date, billing_period, currency, service, account_id, charge_category, source, cloud_provider,
                billing_account_id
            $select$,
            published
        );
    end loop;
end
$fill$;

insert into {schema}.costs_by_day_service
select
    date,
    billing_period,
    currency,
    sum(cost) as cost,
    sum(effective_cost) as effective_cost,
    service,
    charge_category,
    source,
    cloud_provider,
    billing_account_id,
    sum(list_cost) as list_cost,
    sum(line_items) as line_items
from {schema}.costs_by_day
group by date, billing_period, currency, service, charge_category, source, cloud_provider, billing_account_id;

insert into {schema}.costs_by_day_account
select
    date,
    billing_period,
    currency,
    sum(cost) as cost,
    sum(effective_cost) as effective_cost,
    account_id,
    charge_category,
    source,
    cloud_provider,
    billing_account_id,
    sum(list_cost) as list_cost,
    sum(line_items) as line_items
from {schema}.costs_by_day
group by date, billing_period, currency, account_id, charge_category, source, cloud_provider, billing_account_id;

insert into {schema}.costs_by_month
select
    date_trunc('month', date::timestamp)::date as month,
    billing_period,
    currency,
    sum(cost) as cost,
    sum(effective_cost) as effective_cost,
    service,
    account_id,
    charge_category,
    source,
    cloud_provider,
    billing_account_id,
    sum(list_cost) as list_cost,
    sum(line_items) as line_items
from {schema}.costs_by_day
group by
    month, billing_period, currency, service, account_id, charge_category, source, cloud_provider, billing_account_id;

create index costs_by_day_month_key on {schema}.costs_by_day (billing_period, source);
create index costs_by_day_date_key on {schema}.costs_by_day (date);
create index costs_by_day_service_month_key on {schema}.costs_by_day_service (billing_period, source);
create index costs_by_day_account_month_key on {schema}.costs_by_day_account (billing_period, source);
create index costs_by_month_month_key on {schema}.costs_by_month (billing_period, source);

analyze {schema}.costs_by_day,
{schema}.costs_by_day_service,
{schema}.costs_by_day_account,
{schema}.costs_by_month;
