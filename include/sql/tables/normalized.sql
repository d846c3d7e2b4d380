-- <source>_normalized: daily totals of <source>_focus, partitioned by billing_period, which publishing swaps a month at
-- a time. Columns may be NULL here. The audit refuses a missing date, account, currency or category, because it can
-- name the lines, and a constraint cannot.

create table {table} (
    date date,
    billing_period date not null,
    billing_account_id text,
    account_id text,
    account_name text,
    service text,
    region text,
    charge_category text,
    cost numeric,
    effective_cost numeric,
    list_cost numeric,
    currency text,
    invoice_id text,
    tags jsonb,
    line_items bigint,
    cloud_provider text,
    source text,
    source_table text,
    sync_timestamp timestamptz
) partition by list (billing_period)
