-- A charge may belong to no account, such as a tax on the whole invoice.

comment on column {schema}.published_totals.account_id is
'The account that used it; empty where a charge belongs to none.';
comment on column {schema}.restatements.account_id is
'The account that used it; empty where a charge belongs to none.';
