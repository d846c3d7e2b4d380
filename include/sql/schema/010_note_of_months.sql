-- published_months says of the version that readers see what nothing proves of it.

create or replace view {schema}.published_months as
select
    published.source,
    published.billing_period,
    published.load_id,
    published.version,
    published.manifest_uri,
    published.manifest_etag,
    published.rows,
    published.billed_cost,
    published.finished as published_at,
    (
        select max(earlier.load_id)
        from {schema}.load_history as earlier
        where
            earlier.source = published.source
            and earlier.billing_period = published.billing_period
            and earlier.status in ('published', 'superseded')
            and not earlier.raw_only
    ) as normalized_load_id,
    published.note
from {schema}.load_history as published
where published.status = 'published';

comment on column {schema}.published_months.note is
'What nothing proves of that version: why its lines were not compared with its files, or what comparing cannot show.
NULL where nothing is left to prove.';
