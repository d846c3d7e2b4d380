-- <source>_normalized: daily totals of <source>_focus, partitioned by billing_period. The audits, not the table,
-- refuse a missing date, account, currency or category: they can name the lines.

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
