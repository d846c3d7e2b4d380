-- What the bookkeeping of raw lines means where a source keeps fewer columns (raw) or months (raw_months).

comment on column {schema}.raw_columns.first_month is 'The first billing month that was loaded with it.';
comment on column {schema}.raw_columns.last_month is 'The last billing month that was loaded with it.';

comment on table {schema}.raw_months is
'One row per source and month whose raw lines are kept: the raw columns that the month was loaded with, without those
net columns that hold no value. A month is on the net basis when line_item_net_unblended_cost is among them.';
comment on column {schema}.raw_months.columns is 'The columns of raw_<source> that the month was loaded with.';
