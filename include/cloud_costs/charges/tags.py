"""Tags: the columns and maps of an export that hold them, as one jsonb object for each line."""

from collections.abc import Iterator, Sequence

from psycopg import sql
from psycopg.types.json import Jsonb

from cloud_costs.charges.lines import RawLines, coalesced, entries_of
from cloud_costs.database import sql_files
from cloud_costs.formats.delivery import UNREADABLE

# jsonb_build_object takes at most 100 arguments.
PAIRS_PER_CALL = 50
# Azure writes the text of a JSON object, with its braces or without. What is neither is kept whole.
TEXT_OF_TAGS = """(case
    when coalesce({text}, '') in ('', '{{}}') then null
    when pg_input_is_valid({text}, 'jsonb') and left(ltrim({text}), 1) = '{{' then {text}::jsonb
    when pg_input_is_valid('{{' || {text} || '}}', 'jsonb') then ('{{' || {text} || '}}')::jsonb
    else jsonb_build_object({unreadable}::text, {text})
end)"""


def all_tags(raw: RawLines) -> sql.Composable:
    """Return the expression of all tags of a line, each under its key as the exporter wrote it."""
    pairs = [(key, sql.SQL("nullif({}::text, '')").format(sql.Identifier(name))) for key, name in _tag_columns(raw)]
    maps = [sql.SQL("coalesce({}, '{{}}')").format(value) for value in _tag_maps(raw)]
    return _merged([*maps, *_of_lists(raw), *_objects(pairs)])


def named_tags(raw: RawLines, tags: Sequence[str]) -> sql.Composable:
    """Return the expression of those tags of a line whose keys are given."""
    found = ((key, list(tag_values(raw, key))) for key in tags)
    return _merged(_objects([(key, coalesced(values, "text")) for key, values in found if values]))


def tag_values(raw: RawLines, key: str) -> Iterator[sql.Composable]:
    """Yield where the value of a tag key may stand: a column of its own, or a map under one of its spellings."""
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
    """Return those of the tag keys that no column of the export can hold; a map column can hold any."""
    return [key for key in tags if not any(tag_values(raw, key))]


def _tag_columns(raw: RawLines) -> Iterator[tuple[str, str]]:
    """Yield each column of its own that holds a tag, with the tag's key as the exporter wrote it."""
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
    """Yield each list of tags that the export has: what a key is prefixed with that is in an earlier one, and it."""
    for one in raw.form.tags.lists:
        for alias in one.columns:
            name, _, key = alias.partition("->")
            if raw.columns.get(name) == "jsonb":
                column: sql.Composable = sql.Identifier(name)
                yield one.prefix, sql.SQL("({} -> {})").format(column, sql.Literal(key)) if key else column
                break


def _of_lists(raw: RawLines) -> list[sql.Composable]:
    """Return the object of the tags of all lists."""
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
    items = [sql.SQL("{}::text, {}").format(sql.Literal(key), value) for key, value in pairs]
    return [
        sql.SQL("jsonb_strip_nulls(jsonb_build_object({}))").format(
            sql.SQL(", ").join(items[start : start + PAIRS_PER_CALL])
        )
        for start in range(0, len(items), PAIRS_PER_CALL)
    ]


def _merged(objects: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(" || ").join(objects) if objects else sql.SQL("'{{}}'::jsonb").format()
