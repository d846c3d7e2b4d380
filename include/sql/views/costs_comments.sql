-- What the columns of costs and of every <source>_normalized mean.

comment on {kind} {relation} is
'Daily totals of FOCUS charges: one row per day, account, service, region, category, invoice, currency and tags.
Never sum over currencies.';
comment on column {relation}.date is 'The day (UTC) on which the charge period began.';
comment on column {relation}.billing_period is 'The first day of the billing month; filter by it to read one month.';
comment on column {relation}.billing_account_id is 'The account that pays (FOCUS BillingAccountId).';
comment on column {relation}.account_id is
'The account that used it; NULL for what belongs to none, such as a tax on the invoice (FOCUS SubAccountId).';
comment on column {relation}.account_name is
'The name of that account: the export''s (FOCUS SubAccountName), and in costs, where it has none, that of accounts.';
comment on column {relation}.service is 'The service (FOCUS ServiceName); for Marketplace the product.';
comment on column {relation}.region is 'The region (FOCUS RegionId).';
comment on column {relation}.charge_category is
'Usage, Purchase, Tax, Credit or Adjustment (FOCUS ChargeCategory).';
comment on column {relation}.cost is 'What the invoice says (FOCUS BilledCost), exact.';
comment on column {relation}.effective_cost is
'The cost with commitments spread over their use (FOCUS EffectiveCost), exact.';
comment on column {relation}.list_cost is 'The cost at public on-demand prices (FOCUS ListCost).';
comment on column {relation}.currency is 'The currency of the three costs (FOCUS BillingCurrency).';
comment on column {relation}.invoice_id is 'The invoice; NULL while the month is open (FOCUS InvoiceId).';
comment on column {relation}.tags is 'The tag keys that the source''s configuration names, with their values.';
comment on column {relation}.line_items is 'Exported lines behind the row.';
comment on column {relation}.cloud_provider is 'The provider (FOCUS ProviderName).';
comment on column {relation}.source is 'The configured source.';
comment on column {relation}.source_table is 'The raw table that the rows were derived from.';
comment on column {relation}.sync_timestamp is 'When the rows were derived.'
