-- severity: error
-- protects: from charges that no report by date, account, currency or category would show
-- action: look at the lines named here in the raw export; the exporter left a required column empty

select
    x_lineitemid as line_item_id,
    x_lineitemtype as line_item_type,
    chargeperiodstart as charge_period_start,
    subaccountid as account_id,
    billingcurrency as currency,
    billedcost as billed_cost
from ({charges}) as charges
where
    chargeperiodstart is null
    or subaccountid is null
    or billingcurrency is null
    or chargecategory is null
