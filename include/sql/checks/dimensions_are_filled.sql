-- severity: error
-- protects: from charges that no report by date, account, currency or category would show
-- action: look at the lines named here in the raw export; the exporter left a required column empty

-- Usage is always someone's, but for a provider that bills some to no account. Of other categories the account is a
-- matter of charges_have_an_account.sql. The charges are looked for only where there are some.
with exempt as (
    select 1
    from {raw_totals}
    where usage_may_lack_account
),

found as (
    select 1
    from {focus_totals}
    where charges_without_dimensions > 0
)

select
    x_lineitemid as line_item_id,
    x_lineitemtype as line_item_type,
    chargeperiodstart as charge_period_start,
    subaccountid as account_id,
    billingcurrency as currency,
    billedcost as billed_cost
from ({charges}) as charges
where
    exists (select 1 from found)
    and (
        chargeperiodstart is null
        or billingcurrency is null
        or chargecategory is null
        or (
            subaccountid is null
            and chargecategory = 'Usage'
            and not exists (select 1 from exempt)
        )
    )
