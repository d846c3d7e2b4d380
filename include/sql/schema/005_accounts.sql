-- Billing accounts and their months: which are on the net basis. And a charge may belong to no account.

alter table {schema}.raw_months add column net_accounts text[] not null default '{{}}';

comment on table {schema}.raw_months is
'One row per source and month whose raw lines are kept: the raw columns that the month was loaded with, and its basis.';
comment on column {schema}.raw_months.net_accounts is
'The billing accounts whose costs of the month are net; those of all others are gross, with discounts as lines.';

-- Earlier versions chose the basis for a whole month: net where line_item_net_unblended_cost held a value. What they
-- published stays on it until the month is normalized again.
do $$
begin
    if to_regclass('{schema}.costs') is not null then
        update {schema}.raw_months
        set net_accounts = array(
            select distinct coalesce(costs.billing_account_id, '')
            from {schema}.costs as costs
            where costs.source = raw_months.source and costs.billing_period = raw_months.billing_period
        )
        where 'line_item_net_unblended_cost' = any(raw_months.columns);
    end if;
end
$$;

comment on column {schema}.published_totals.account_id is
'The account that used it; empty where a charge belongs to none.';
comment on column {schema}.restatements.account_id is
'The account that used it; empty where a charge belongs to none.';
