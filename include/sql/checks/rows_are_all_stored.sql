-- severity: error
-- protects: from a file, or a part of one, that was lost on the way
-- action: clear load_raw of this month; if it happens again, compare the files with the manifest

select
    load.rows as rows_read,
    stored.rows as rows_stored
from {schema}.load_history as load
cross join (select count(*) as rows from {raw}) as stored
where
    load.load_id = %(load_id)s
    and load.rows is distinct from stored.rows
