-- The bookkeeping: every load, every check, every raw column. The tables of a source are made when its first
-- month is published.

create table {schema}.load_history (
    load_id bigint generated always as identity primary key,
    source text not null,
    format text not null,
    billing_period date not null check (extract(day from billing_period) = 1),
    version text,
    manifest_uri text,
    manifest_etag text,
    status text not null default 'loading' check (
        status in ('loading', 'staged', 'published', 'superseded', 'rejected', 'failed')
    ),
    raw_only boolean not null default false,
    files integer,
    bytes bigint,
    rows bigint,
    billed_cost jsonb,
    started timestamptz not null default clock_timestamp(),
    finished timestamptz,
    dag_run_id text,
    map_index integer,
    error text
);

create unique index load_history_published_key
on {schema}.load_history (source, billing_period) where status = 'published';

create index load_history_month_key on {schema}.load_history (source, billing_period, load_id);

comment on table {schema}.load_history is
'One row per load: one attempt to bring one delivery of one billing month in.';
comment on column {schema}.load_history.format is 'The format of the source when it was loaded.';
comment on column {schema}.load_history.version is
'The delivery''s version id: AWS''s assemblyId or executionId.';
comment on column {schema}.load_history.manifest_etag is
'The ETag of the manifest; a delivery is unchanged when it is.';
comment on column {schema}.load_history.status is
'loading, staged, published (readers see it), superseded (they did), rejected (an audit failed), failed.';
comment on column {schema}.load_history.raw_only is
'True when only the raw partition was published; the normalized one is then an older load''s.';
comment on column {schema}.load_history.files is 'Data files of the delivery.';
comment on column {schema}.load_history.bytes is 'Bytes of the data files as stored.';
comment on column {schema}.load_history.rows is 'Lines read from the files, and stored.';
comment on column {schema}.load_history.billed_cost is
'What the invoice says, per currency, exact: {{"USD": 4064.4831315379}}.';
comment on column {schema}.load_history.started is 'When the load began.';
comment on column {schema}.load_history.finished is 'When it was published, rejected or failed.';

create table {schema}.published_totals (
    load_id bigint not null references {schema}.load_history on delete cascade,
    account_id text not null,
    service text not null,
    charge_category text not null,
    currency text not null,
    line_items bigint not null,
    cost numeric not null,
    effective_cost numeric not null,
    primary key (load_id, account_id, service, charge_category, currency)
);

comment on table {schema}.published_totals is
'One row per load, account, service, charge category and currency: what restatements compares.';

create table {schema}.raw_columns (
    source text not null,
    column_name text not null,
    original_name text not null,
    type text not null,
    first_month date not null,
    last_month date not null,
    primary key (source, column_name)
);

comment on table {schema}.raw_columns is
'One row per source and raw column: the exporter''s name, the type, the first and last month seen.';

create table {schema}.raw_months (
    source text not null,
    billing_period date not null,
    columns text[] not null,
    primary key (source, billing_period)
);

comment on table {schema}.raw_months is
'One row per source and published month: the raw columns that the month''s export had, without those net columns
that hold no value. A month is on the net basis when line_item_net_unblended_cost is among them.';

create table {schema}.aws_services (
    code text primary key,
    service_category text not null,
    service_subcategory text not null
);

comment on table {schema}.aws_services is
'One row per AWS product code: its FOCUS ServiceCategory and ServiceSubcategory. Kept by the package.';

create table {schema}.aws_regions (
    region_id text primary key,
    region_name text not null
);

comment on table {schema}.aws_regions is 'One row per AWS region: its name. Kept by the package.';

create table {schema}.audit_results (
    load_id bigint not null references {schema}.load_history on delete cascade,
    source text not null,
    billing_period date not null,
    check_name text not null,
    severity text not null check (severity in ('error', 'warning')),
    passed boolean not null,
    violations bigint not null,
    sample jsonb,
    seconds numeric not null,
    checked_at timestamptz not null default clock_timestamp(),
    primary key (load_id, check_name)
);

comment on table {schema}.audit_results is
'One row per check per load; sample holds up to ten of the lines that broke it.';

create view {schema}.published_months as
select
    published.source,
    published.billing_period,
    published.load_id,
    published.version,
    published.manifest_uri,
    published.manifest_etag,
    published.rows,
    published.billed_cost,
    published.finished as published_at,
    (
        select max(earlier.load_id)
        from {schema}.load_history as earlier
        where
            earlier.source = published.source
            and earlier.billing_period = published.billing_period
            and earlier.status in ('published', 'superseded')
            and not earlier.raw_only
    ) as normalized_load_id
from {schema}.load_history as published
where published.status = 'published';

comment on view {schema}.published_months is
'One row per source and billing month: the load that readers see now. normalized_load_id is an older load where
only the raw partition was published since.';

create view {schema}.restatements as
with versions as (
    select
        load_id,
        source,
        billing_period,
        version,
        finished,
        lag(load_id) over month_loads as previous_load_id,
        lag(version) over month_loads as previous_version
    from {schema}.load_history
    where status in ('published', 'superseded') and not raw_only
    window month_loads as (partition by source, billing_period order by load_id)
),

both_sides as (
    select
        versions.load_id,
        totals.account_id,
        totals.service,
        totals.charge_category,
        totals.currency,
        totals.line_items,
        totals.cost,
        totals.effective_cost
    from versions
    inner join {schema}.published_totals as totals on versions.load_id = totals.load_id
    where versions.previous_load_id is not null
    union all
    select
        versions.load_id,
        totals.account_id,
        totals.service,
        totals.charge_category,
        totals.currency,
        -totals.line_items as line_items,
        -totals.cost as cost,
        -totals.effective_cost as effective_cost
    from versions
    inner join {schema}.published_totals as totals on versions.previous_load_id = totals.load_id
),

changes as (
    select
        load_id,
        account_id,
        service,
        charge_category,
        currency,
        sum(line_items)::bigint as line_items_change,
        sum(cost) as cost_change,
        sum(effective_cost) as effective_cost_change
    from both_sides
    group by load_id, account_id, service, charge_category, currency
)

select
    versions.source,
    versions.billing_period,
    versions.load_id,
    versions.previous_load_id,
    versions.version,
    versions.previous_version,
    versions.finished as published_at,
    changes.account_id,
    changes.service,
    changes.charge_category,
    changes.currency,
    changes.line_items_change,
    changes.cost_change,
    changes.effective_cost_change
from changes
inner join versions on changes.load_id = versions.load_id
where changes.line_items_change <> 0 or changes.cost_change <> 0 or changes.effective_cost_change <> 0;

comment on view {schema}.restatements is
'One row per republished month, account, service and charge category that changed: the new version minus the one
before.';
