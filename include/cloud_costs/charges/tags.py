"""Tags: SQL expressions that collect a line's tags from its columns, maps and lists into one jsonb object."""

from collections.abc import Iterator, Sequence

from psycopg import sql
from psycopg.types.json import Jsonb

from cloud_costs.charges.lines import RawLines, coalesced, entries_of
from cloud_costs.database import sql_files
from cloud_costs.formats.delivery import UNREADABLE

# jsonb_build_object takes at most 100 arguments.
PAIRS_PER_CALL = 50
# Some exports write the text of a JSON object, with or without its braces. Any other text is kept whole.
TEXT_OF_TAGS = """(case
    when coalesce({text}, '') in ('', '{{}}') then null
    when pg_input_is_valid({text}, 'jsonb') and left(ltrim({text}), 1) = '{{' then {text}::jsonb
    when pg_input_is_valid('{{' || {text} || '}}', 'jsonb') then ('{{' || {text} || '}}')::jsonb
    else jsonb_build_object({unreadable}::text, {text})
end)"""


def all_tags(raw: RawLines) -> sql.Composable:
    """Return the SQL expression of all tags of a line, each under its key as the exporter wrote it.

    Where several places hold a key, columns win over lists, and lists over maps.
    """
    pairs = [(key, sql.SQL("nullif({}::text, '')").format(sql.Identifier(name))) for key, name in _tag_columns(raw)]
    # `||` of jsonb takes the value of the right side for a key that both sides have.
    maps = [sql.SQL("coalesce({}, '{{}}')").format(value) for value in _tag_maps(raw)]
    return _merged([*maps, *_of_lists(raw), *_objects(pairs)])


def named_tags(raw: RawLines, tags: Sequence[str]) -> sql.Composable:
    """Return the SQL expression of the tags of a line whose keys are given, under the keys as they are given."""
    found = ((key, list(tag_values(raw, key))) for key in tags)
    return _merged(_objects([(key, coalesced(values, "text")) for key, values in found if values]))


def tag_values(raw: RawLines, key: str) -> Iterator[sql.Composable]:
    """Yield the SQL expressions that may hold the value of a tag key, from a column, from maps and from lists."""
    columns = dict(_tag_columns(raw))
    spellings = tuple(dict.fromkeys(raw.form.tags.spellings(key)))
    prefixed = (raw.form.tags.prefix + spelling for spelling in spellings)
    column = next((columns[one] for one in spellings if one in columns), None) or next(
        (name for name in prefixed if name in raw.columns and name in columns.values()), None
    )
    if column:
        yield sql.SQL("nullif({}::text, '')").format(sql.Identifier(column))
    for value in _tag_maps(raw):
        for spelling in spellings:
            yield sql.SQL("nullif(({} ->> {}), '')").format(value, sql.Literal(spelling))
    # A key of a later list may be named with its prefix, where an earlier list has the key too.
    for prefix, value in _tag_lists(raw):
        for spelling in (key, key.removeprefix(prefix)) if prefix and key.startswith(prefix) else (key,):
            path = sql.SQL("jsonb_path_query_first({}, '$[*] ? (@.key == $key).value', {})").format(
                value, sql.Literal(Jsonb({"key": spelling}))
            )
            yield sql.SQL("({} #>> '{{}}')").format(path)


def tag_keys(raw: RawLines) -> list[str]:
    """Return the tag keys that have a column of their own."""
    return [key for key, _ in _tag_columns(raw)]


def tags_without_column(raw: RawLines, tags: Sequence[str]) -> list[str]:
    """Return the tag keys that no column of the export can hold. A map or a list can hold any key."""
    return [key for key in tags if not any(tag_values(raw, key))]


def _tag_columns(raw: RawLines) -> Iterator[tuple[str, str]]:
    """Yield the key of each tag that has a column of its own, as the exporter wrote it, and the name of the column."""
    known = raw.form.tags
    for name in raw.columns:
        if known.is_tag(name):
            yield known.key_of(raw.originals.get(name, name)), name


def _tag_maps(raw: RawLines) -> Iterator[sql.Composable]:
    """Yield the expression of each column that holds many tags, as one object of jsonb."""
    known = raw.form.tags
    for name in known.maps:
        value: sql.Composable = sql.Identifier(name)
        if raw.columns.get(name) == "text" and known.json_text:
            value = sql.SQL("nullif({}, '')::jsonb").format(value)
        elif raw.columns.get(name) == "text":
            value = sql.SQL(TEXT_OF_TAGS).format(text=value, unreadable=sql.Literal(UNREADABLE))
        elif raw.columns.get(name) != "jsonb":
            continue
        yield sql_files.compose(known.as_object, tags=value)


def _tag_lists(raw: RawLines) -> Iterator[tuple[str, sql.Composable]]:
    """Yield the prefix and the SQL expression of each list of tags that the export has (`TagList`)."""
    for one in raw.form.tags.lists:
        for alias in one.columns:
            name, _, key = alias.partition("->")
            if raw.columns.get(name) == "jsonb":
                column: sql.Composable = sql.Identifier(name)
                yield one.prefix, sql.SQL("({} -> {})").format(column, sql.Literal(key)) if key else column
                break


def _of_lists(raw: RawLines) -> list[sql.Composable]:
    """Return the SQL expression of the object of the tags of all lists, or nothing where there are no lists.

    `dense_rank` numbers the lists that have a key. The first of them keeps the key as it is, and the others get their
    prefix before it.
    """
    lists = [
        sql.SQL("({}, {}, {})").format(sql.Literal(number), sql.Literal(prefix), entries_of(value))
        for number, (prefix, value) in enumerate(_tag_lists(raw))
    ]
    if not lists:
        return []
    return [
        sql.SQL(
            """(
            select coalesce(jsonb_object_agg(case when rank > 1 then prefix else '' end || key, value), '{{}}')
            from (
                select
                    lists.prefix,
                    tag ->> 'key' as key,
                    tag ->> 'value' as value,
                    dense_rank() over (partition by tag ->> 'key' order by lists.number) as rank
                from (values {}) as lists (number, prefix, entries)
                cross join lateral jsonb_array_elements(lists.entries) as tag
                where tag ->> 'key' is not null
            ) as tags
            )"""
        ).format(sql.SQL(", ").join(lists))
    ]


def _objects(pairs: Sequence[tuple[str, sql.Composable]]) -> list[sql.Composable]:
    """Return SQL expressions of objects of these keys and values, without the keys whose value is NULL."""
    items = [sql.SQL("{}::text, {}").format(sql.Literal(key), value) for key, value in pairs]
    return [
        sql.SQL("jsonb_strip_nulls(jsonb_build_object({}))").format(
            sql.SQL(", ").join(items[start : start + PAIRS_PER_CALL])
        )
        for start in range(0, len(items), PAIRS_PER_CALL)
    ]


def _merged(objects: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(" || ").join(objects) if objects else sql.SQL("'{{}}'::jsonb").format()
