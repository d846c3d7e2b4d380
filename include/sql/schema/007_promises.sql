-- What manifests promise of costs, and the services of Google Cloud.

create table {schema}.manifest_totals (
    load_id bigint not null references {schema}.load_history on delete cascade,
    currency text not null,
    billed_cost numeric not null,
    primary key (load_id, currency)
);

comment on table {schema}.manifest_totals is
'One row per load and currency whose manifest promises a sum of costs: the check billed_cost_equals_manifest compares
it with the stored lines.';
comment on column {schema}.manifest_totals.load_id is 'The load.';
comment on column {schema}.manifest_totals.currency is 'The currency of the sum.';
comment on column {schema}.manifest_totals.billed_cost is 'The billed cost of all lines of the delivery, exact.';

create table {schema}.gcp_services (
    service_id text primary key,
    service_name text,
    service_category text,
    service_subcategory text
);

comment on table {schema}.gcp_services is
'One row per service of Google Cloud: its FOCUS ServiceCategory and ServiceSubcategory. Kept by the package.';
comment on column {schema}.gcp_services.service_id is 'Google''s id of the service.';
comment on column {schema}.gcp_services.service_name is 'Its name in Google''s catalog.';
comment on column {schema}.gcp_services.service_category is 'Its FOCUS ServiceCategory.';
comment on column {schema}.gcp_services.service_subcategory is 'Its FOCUS ServiceSubcategory.';
