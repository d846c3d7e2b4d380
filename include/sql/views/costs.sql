-- costs: daily totals of every source, the relation that people query. This is the select of one source; the view is
-- the union of all.

select
    date,
    billing_period,
    billing_account_id,
    account_id,
    {name_of_account} as account_name,
    service,
    region,
    charge_category,
    cost,
    effective_cost,
    list_cost,
    currency,
    invoice_id,
    tags,
    line_items,
    cloud_provider,
    source,
    source_table,
    sync_timestamp
from {normalized}
