-- What proves a load: the files that it brought in, and what a second engine says that they hold.

alter table {schema}.load_history add column note text;
comment on column {schema}.load_history.note is
'What is not proven of the load: why its files were not compared with its lines, or what comparing cannot show.';

create table {schema}.load_files (
    load_id bigint not null references {schema}.load_history on delete cascade,
    uri text not null,
    etag text not null,
    bytes bigint not null,
    rows bigint not null,
    transactions bigint[] not null,
    primary key (load_id, uri)
);

comment on table {schema}.load_files is 'One row per data file of a load.';
comment on column {schema}.load_files.load_id is 'The load.';
comment on column {schema}.load_files.uri is 'The address of the file.';
comment on column {schema}.load_files.etag is 'The version of the file that was read.';
comment on column {schema}.load_files.bytes is 'Its size as stored.';
comment on column {schema}.load_files.rows is 'The lines of the file that were stored.';
comment on column {schema}.load_files.transactions is
'The transactions that stored its lines: the xmin of each line of raw_<source> is one of them, until the table is
rewritten or restored.';

create table {schema}.file_facts (
    load_id bigint not null references {schema}.load_history on delete cascade,
    uri text not null,
    column_name text not null,
    kind text not null check (kind in ('rows', 'filled', 'sum', 'lines')),
    value text,
    number numeric not null
);

create index file_facts_load_key on {schema}.file_facts (load_id);

comment on table {schema}.file_facts is
'One row per fact that DuckDB says of a data file of a load that is staged or published: the check raw_equals_files
compares them with the stored lines.';
comment on column {schema}.file_facts.load_id is 'The load.';
comment on column {schema}.file_facts.uri is 'The address of the file.';
comment on column {schema}.file_facts.column_name is
'The column of the mapping, as include/sql/focus lists it; empty for what is of the whole line.';
comment on column {schema}.file_facts.kind is
'rows: how many lines the file has. filled: how many of them have the amount. sum: the exact sum of the amount.
lines: how many lines have the value.';
comment on column {schema}.file_facts.value is 'The value that is counted by lines; NULL for lines without one.';
comment on column {schema}.file_facts.number is 'The count or the sum.';
