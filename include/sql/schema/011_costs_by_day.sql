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

comment on table {schema}.costs_by_day is
'Totals of costs: one row per day, billing month, account, service, charge category, currency and source. Smaller than
costs, and equal to it in sums. Never sum over currencies.';
comment on table {schema}.costs_by_day_service is
'Totals of costs as costs_by_day has them, but of all accounts of a payer together: fast for queries by service over
many months. Never sum over currencies.';
comment on table {schema}.costs_by_day_account is
'Totals of costs as costs_by_day has them, but of all services together: fast for queries by account over many months.
Never sum over currencies.';
comment on table {schema}.costs_by_month is
'Totals of costs as costs_by_day has them, but of all days of a month together: fast for queries over many months that
need no days. Never sum over currencies.';

do $comments$
declare
    each record;
begin
    for each in
        select
            pg_attribute.attrelid::regclass as relation,
            meanings.name,
            meanings.meaning
        from (
            values
            ('date', 'The day (UTC) on which the charge period began.'),
            ('month', 'The first day of the month (UTC) in which the charge period began.'),
            ('billing_period', 'The first day of the billing month.'),
            ('currency', 'The currency of the three costs (FOCUS BillingCurrency).'),
            ('cost', 'What the invoice says (FOCUS BilledCost), exact.'),
            ('effective_cost', 'The cost with commitments spread over their use (FOCUS EffectiveCost), exact.'),
            ('service', 'The service (FOCUS ServiceName); for Marketplace the product.'),
            ('account_id', 'The account that used it; NULL for what belongs to none (FOCUS SubAccountId).'),
            ('charge_category', 'Usage, Purchase, Tax, Credit or Adjustment (FOCUS ChargeCategory).'),
            ('source', 'The configured source.'),
            ('cloud_provider', 'The provider (FOCUS ProviderName).'),
            ('billing_account_id', 'The account that pays (FOCUS BillingAccountId).'),
            ('list_cost', 'The cost at public on-demand prices (FOCUS ListCost).'),
            ('line_items', 'Exported lines behind the row.')
        ) as meanings (name, meaning)
        inner join pg_attribute on pg_attribute.attname = meanings.name
        where pg_attribute.attrelid in (
            '{schema}.costs_by_day'::regclass,
            '{schema}.costs_by_day_service'::regclass,
            '{schema}.costs_by_day_account'::regclass,
            '{schema}.costs_by_month'::regclass
        )
    loop
        execute format('comment on column %s.%I is %L', each.relation, each.name, each.meaning);
    end loop;
end
$comments$;
