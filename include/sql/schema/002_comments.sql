-- What every column of the bookkeeping means, for the data dictionary and for whoever browses the database.

comment on table {schema}.schema_versions is
'One row per file of include/sql/schema that was applied to this schema.';
comment on column {schema}.schema_versions.name is 'The file.';
comment on column {schema}.schema_versions.applied_at is 'When it was applied.';

comment on column {schema}.load_history.load_id is 'The load; a later load of the same month has a higher one.';
comment on column {schema}.load_history.source is 'The configured source.';
comment on column {schema}.load_history.billing_period is 'The first day of the billing month.';
comment on column {schema}.load_history.manifest_uri is 'The manifest that lists the delivery''s files.';
comment on column {schema}.load_history.dag_run_id is 'The Airflow run; NULL for a load from the command line.';
comment on column {schema}.load_history.map_index is 'The index of the mapped tasks in that run.';
comment on column {schema}.load_history.error is 'Why the load was rejected or failed.';

comment on column {schema}.published_totals.load_id is 'The load that published these totals.';
comment on column {schema}.published_totals.account_id is 'The account that used it.';
comment on column {schema}.published_totals.service is 'The service; empty where a charge has none.';
comment on column {schema}.published_totals.charge_category is 'Usage, Purchase, Tax, Credit or Adjustment.';
comment on column {schema}.published_totals.currency is 'The currency of the costs.';
comment on column {schema}.published_totals.line_items is 'Exported lines behind the totals.';
comment on column {schema}.published_totals.cost is 'What the invoice says, exact.';
comment on column {schema}.published_totals.effective_cost is
'The cost with commitments spread over their use, exact.';

comment on column {schema}.raw_columns.source is 'The configured source.';
comment on column {schema}.raw_columns.column_name is 'The column of raw_<source>.';
comment on column {schema}.raw_columns.original_name is 'The column''s name as the exporter wrote it.';
comment on column {schema}.raw_columns.type is 'The column''s PostgreSQL type.';
comment on column {schema}.raw_columns.first_month is 'The first billing month whose export had it.';
comment on column {schema}.raw_columns.last_month is 'The last billing month whose export had it.';

comment on column {schema}.raw_months.source is 'The configured source.';
comment on column {schema}.raw_months.billing_period is 'The first day of the billing month.';
comment on column {schema}.raw_months.columns is 'The columns of raw_<source> that the month''s export had.';

comment on column {schema}.aws_services.code is 'The product code or service code in an export.';
comment on column {schema}.aws_services.service_category is 'The FOCUS ServiceCategory.';
comment on column {schema}.aws_services.service_subcategory is 'The FOCUS ServiceSubcategory.';

comment on column {schema}.aws_regions.region_id is 'The region''s code, such as eu-west-1.';
comment on column {schema}.aws_regions.region_name is 'The region''s name, such as Europe (Ireland).';

comment on column {schema}.audit_results.load_id is 'The load that was checked.';
comment on column {schema}.audit_results.source is 'The configured source.';
comment on column {schema}.audit_results.billing_period is 'The first day of the billing month.';
comment on column {schema}.audit_results.check_name is 'The file of include/sql/checks, without its ending.';
comment on column {schema}.audit_results.severity is
'error (a violation rejects the load) or warning (it is recorded, and the month is published).';
comment on column {schema}.audit_results.passed is 'True when there was no violation.';
comment on column {schema}.audit_results.violations is 'Rows that the check returned.';
comment on column {schema}.audit_results.sample is 'Up to ten of those rows.';
comment on column {schema}.audit_results.seconds is 'How long the check took.';
comment on column {schema}.audit_results.checked_at is 'When the check ended.';

comment on column {schema}.published_months.source is 'The configured source.';
comment on column {schema}.published_months.billing_period is 'The first day of the billing month.';
comment on column {schema}.published_months.load_id is 'The load whose raw lines readers see.';
comment on column {schema}.published_months.version is 'The version id of that delivery.';
comment on column {schema}.published_months.manifest_uri is 'The manifest of that delivery.';
comment on column {schema}.published_months.manifest_etag is 'The ETag of the manifest when it was loaded.';
comment on column {schema}.published_months.rows is 'Lines read from the files, and stored.';
comment on column {schema}.published_months.billed_cost is 'What the invoice says, per currency, exact.';
comment on column {schema}.published_months.published_at is 'When readers first saw it.';
comment on column {schema}.published_months.normalized_load_id is 'The load whose daily totals readers see in costs.';

comment on column {schema}.restatements.source is 'The configured source.';
comment on column {schema}.restatements.billing_period is 'The first day of the billing month.';
comment on column {schema}.restatements.load_id is 'The load that published the new version.';
comment on column {schema}.restatements.previous_load_id is 'The load that published the version before.';
comment on column {schema}.restatements.version is 'The version id of the new delivery.';
comment on column {schema}.restatements.previous_version is 'The version id of the delivery before.';
comment on column {schema}.restatements.published_at is 'When readers first saw the new version.';
comment on column {schema}.restatements.account_id is 'The account that used it.';
comment on column {schema}.restatements.service is 'The service; empty where a charge has none.';
comment on column {schema}.restatements.charge_category is 'Usage, Purchase, Tax, Credit or Adjustment.';
comment on column {schema}.restatements.currency is 'The currency of the costs.';
comment on column {schema}.restatements.line_items_change is 'Exported lines: the new version minus the one before.';
comment on column {schema}.restatements.cost_change is 'Cost: the new version minus the one before.';
comment on column {schema}.restatements.effective_cost_change is
'Effective cost: the new version minus the one before.';
