-- The list of accounts that an operator keeps: names where an export has none, and whatever else belongs to an account.

create table {schema}.account_list (
    account_id text primary key,
    name text,
    attributes jsonb not null default '{{}}',
    listed boolean not null,
    first_month date,
    last_month date
);

comment on table {schema}.account_list is
'One row per account that the list of the configuration names, or that costs have and it does not. Empty without a list.
The view accounts shows it.';
comment on column {schema}.account_list.account_id is 'The account, as costs have it.';
comment on column {schema}.account_list.name is 'Its name in the list.';
comment on column {schema}.account_list.attributes is 'The further columns of the list, by name.';
comment on column {schema}.account_list.listed is 'False for an account that costs have and the list does not.';
comment on column {schema}.account_list.first_month is
'The first billing month with costs of it; NULL where there are none.';
comment on column {schema}.account_list.last_month is 'The last billing month with costs of it.';
