-- severity: error
-- protects: from a load that does not hold what its files hold: a digit, a sign, a value or a line that was lost,
--   doubled or changed on the way into PostgreSQL
-- action: clear load_raw of this month; if it happens again, report it with the file, the column and both numbers, and
--   keep the file: python -m cloud_costs query shows what DuckDB reads of it

-- DuckDB has read the delivery's files by itself. The stored lines are first compared as a whole, from the sums that
-- the daily totals are made of. Only where something differs are the lines read again, to name the file.

with facts as (
    select
        uri,
        column_name,
        kind,
        value,
        number
    from {schema}.file_facts
    where load_id = %(load_id)s
),

of_all_files as (
    select
        case when kind = 'filled' then '' else column_name end as column_name,
        kind,
        value,
        sum(number) as number
    from facts
    group by case when kind = 'filled' then '' else column_name end, kind, value
),

differing as (
    select
        coalesce(of_all_files.column_name, stored.column_name) as column_name,
        coalesce(of_all_files.kind, stored.kind) as kind,
        coalesce(of_all_files.value, stored.value) as value,
        of_all_files.number as number_in_files,
        stored.number as number_in_table
    from of_all_files
    full join {stored_facts} as stored
        on
            of_all_files.column_name = stored.column_name
            and of_all_files.kind = stored.kind
            and coalesce(of_all_files.value, '') = coalesce(stored.value, '')
    where
        coalesce(of_all_files.number, 0) <> coalesce(stored.number, 0)
        -- A column that the files do not have, or a key with too many values to be counted.
        and (coalesce(of_all_files.column_name, stored.column_name), coalesce(of_all_files.kind, stored.kind)) in (
            select
                known.column_name,
                known.kind
            from of_all_files as known
        )
),

stored_by_file as (
    select
        by_file.uri,
        by_file.column_name,
        by_file.kind,
        by_file.value,
        by_file.number
    from ({stored_by_file}) as by_file
    where exists (select 1 from differing)
),

located as (
    select
        coalesce(facts.uri, stored_by_file.uri) as file,
        coalesce(facts.column_name, stored_by_file.column_name) as column_name,
        coalesce(facts.kind, stored_by_file.kind) as kind,
        coalesce(facts.value, stored_by_file.value) as value,
        facts.number as number_in_files,
        stored_by_file.number as number_in_table
    from facts
    full join stored_by_file
        on
            facts.uri = stored_by_file.uri
            and facts.column_name = stored_by_file.column_name
            and facts.kind = stored_by_file.kind
            and coalesce(facts.value, '') = coalesce(stored_by_file.value, '')
    where
        coalesce(facts.number, 0) <> coalesce(stored_by_file.number, 0)
        and exists (
            select 1
            from differing
            where
                differing.kind = coalesce(facts.kind, stored_by_file.kind)
                and differing.column_name in ('', coalesce(facts.column_name, stored_by_file.column_name))
        )
)

select
    file,
    column_name,
    kind,
    value,
    number_in_files,
    number_in_table
from located
union all
select
    null as file,
    column_name,
    kind,
    value,
    number_in_files,
    number_in_table
from differing
where not exists (select 1 from located)
