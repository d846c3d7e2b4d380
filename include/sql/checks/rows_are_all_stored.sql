-- severity: error
-- protects: from a file, or a part of one, that was lost on the way
-- action: clear load_raw of this month; if it happens again, compare the files with the manifest

with stored as (
    select coalesce(sum(stored_lines), 0) as rows_stored
    from {raw_totals}
)

select
    load_history.rows as rows_read,
    stored.rows_stored
from {schema}.load_history
cross join stored
where
    load_history.load_id = %(load_id)s
    and load_history.rows is distinct from stored.rows_stored
