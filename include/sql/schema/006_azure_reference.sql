-- What the Azure mappings look up. The package keeps the rows, from the files of the same names in sql/focus.

create table {schema}.azure_services (
    resource text primary key,
    service_name text,
    service_category text,
    service_subcategory text
);

comment on table {schema}.azure_services is
'One row per kind of Azure resource: its service, as FOCUS names it. Kept by the package.';
comment on column {schema}.azure_services.resource is
'ConsumedService and the type of the resource id, in lower case, with | between them.';
comment on column {schema}.azure_services.service_name is 'The FOCUS ServiceName.';
comment on column {schema}.azure_services.service_category is 'The FOCUS ServiceCategory.';
comment on column {schema}.azure_services.service_subcategory is 'The FOCUS ServiceSubcategory.';

create table {schema}.azure_regions (
    location text primary key,
    region_id text,
    region_name text
);

comment on table {schema}.azure_regions is
'One row per spelling of an Azure region in exports: its id and its name. Kept by the package.';
comment on column {schema}.azure_regions.location is 'ResourceLocation as exports have it, in lower case.';
comment on column {schema}.azure_regions.region_id is 'The region''s id, such as westeurope.';
comment on column {schema}.azure_regions.region_name is 'The region''s name, such as West Europe.';

create table {schema}.azure_pricing_units (
    unit_of_measure text primary key,
    block_size text,
    unit text
);

comment on table {schema}.azure_pricing_units is
'One row per UnitOfMeasure of Azure: what one price is for. Kept by the package.';
comment on column {schema}.azure_pricing_units.unit_of_measure is 'UnitOfMeasure as exports have it, in lower case.';
comment on column {schema}.azure_pricing_units.block_size is 'How many units a price is for, such as 100 of 100 Hours.';
comment on column {schema}.azure_pricing_units.unit is 'The unit, as FOCUS names it.';
