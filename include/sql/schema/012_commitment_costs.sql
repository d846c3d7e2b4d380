-- What commitments cost. `python -m cloud_costs renew` fills it for the months that were published before: their
-- charges are computed from raw lines, which takes too long for a change of the tables.

create table {schema}.commitment_costs (
    source text not null,
    billing_period date not null,
    cloud_provider text,
    currency text,
    billing_account_id text,
    account_id text,
    service text,
    charge_category text,
    commitment_id text,
    commitment_name text,
    commitment_type text,
    commitment_category text,
    commitment_status text,
    is_spot boolean not null,
    billed_cost numeric,
    effective_cost numeric,
    list_cost numeric,
    line_items bigint
)
with (autovacuum_vacuum_scale_factor = 0.05);

create index commitment_costs_month_key on {schema}.commitment_costs (billing_period, source);

comment on table {schema}.commitment_costs is
'One row per source, billing month, account, service, category and commitment: totals of the charges of Savings Plans,
reservations and committed use discounts, and of Spot use, which none can cover.';
comment on column {schema}.commitment_costs.source is 'The configured source.';
comment on column {schema}.commitment_costs.billing_period is 'The first day of the billing month.';
comment on column {schema}.commitment_costs.cloud_provider is 'The provider (FOCUS ProviderName).';
comment on column {schema}.commitment_costs.currency is 'The currency of the costs.';
comment on column {schema}.commitment_costs.billing_account_id is 'The account that pays.';
comment on column {schema}.commitment_costs.account_id is
'The account that used the commitment, or that it belongs to where nobody did.';
comment on column {schema}.commitment_costs.service is 'The service.';
comment on column {schema}.commitment_costs.charge_category is 'Usage or Purchase (FOCUS ChargeCategory).';
comment on column {schema}.commitment_costs.commitment_id is
'The commitment (FOCUS CommitmentDiscountId); NULL for Spot use.';
comment on column {schema}.commitment_costs.commitment_name is 'Its name, where the export has one.';
comment on column {schema}.commitment_costs.commitment_type is 'The provider''s word for the kind of commitment.';
comment on column {schema}.commitment_costs.commitment_category is 'Spend or Usage (FOCUS CommitmentDiscountCategory).';
comment on column {schema}.commitment_costs.commitment_status is
'Used or Unused (FOCUS CommitmentDiscountStatus); NULL for what it cost to buy.';
comment on column {schema}.commitment_costs.is_spot is 'True for Spot use, which belongs to no commitment.';
comment on column {schema}.commitment_costs.billed_cost is 'What the invoice says, exact.';
comment on column {schema}.commitment_costs.effective_cost is 'The cost with commitments spread over their use, exact.';
comment on column {schema}.commitment_costs.list_cost is 'What the use would have cost at the public price, exact.';
comment on column {schema}.commitment_costs.line_items is 'Exported lines behind the row.';
