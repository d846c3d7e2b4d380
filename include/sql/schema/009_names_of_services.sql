-- The display names of AWS's services and FOCUS's spelling of units, and by what rules a month was derived.

alter table {schema}.aws_services add column service_name text;
alter table {schema}.aws_services add column name_source text;

comment on table {schema}.aws_services is
'One row per AWS product code: its display name and its FOCUS categories. Kept by the package.';
comment on column {schema}.aws_services.service_name is
'The FOCUS ServiceName of lines that carry no product name of their own.';
comment on column {schema}.aws_services.name_source is
'Where the name is from. bill: it is the product name on bills of AWS, and in its FOCUS exports. documentation: it is
the name in AWS''s documentation. code: neither has one; it is the code in words.';

create table {schema}.aws_units (
    unit text primary key,
    focus_unit text not null
);

comment on table {schema}.aws_units is
'One row per unit of a usage report that FOCUS spells differently. Kept by the package.';
comment on column {schema}.aws_units.unit is 'The unit as pricing_unit has it.';
comment on column {schema}.aws_units.focus_unit is 'The same unit as AWS''s FOCUS exports have it.';

alter table {schema}.load_history add column mapping text;
comment on column {schema}.load_history.mapping is
'A digest of the SQL and the reference data that the daily totals were derived with; NULL for those of a version of the
package that did not write it.';
