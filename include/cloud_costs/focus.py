"""The FOCUS mapping of a format, composed for one raw relation.

`include/sql/focus/<mapping>.sql` says what the provider's columns mean. This module only hands it the lines: each
column that `<mapping>_columns.csv` lists, under one name and one type, whatever the month's export has.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from psycopg import sql

from cloud_costs import sql_files
from cloud_costs.formats import FORMATS
from cloud_costs.formats.aws_columns import athena_name

TAG_PREFIX = "resource_tags_"
TAG_MAPS = ("resource_tags", "tags")
# jsonb_build_object takes at most 100 arguments.
PAIRS_PER_CALL = 50

NUMBERS = ("double precision", "real", "numeric", "bigint", "integer", "smallint")

Exported = Callable[[str], sql.Composable]


@dataclass(frozen=True)
class LineColumn:
    """A column that a mapping reads: its type there, and its other names in exports.

    An alias `product->sku` is a key of a map column. The type `exported` is a boolean: whether the column that
    the alias names holds values in the month; `count` is how many lines it are. `daily` is what stands for a day's
    like lines: the `key` that they share, their `sum`, a key that is an SQL expression of columns, or nothing.
    """

    name: str
    type: str
    aliases: tuple[str, ...]
    daily: str


@dataclass(frozen=True)
class RawLines:
    """A raw relation, its columns with their types, and the format of its source.

    `originals` are the exporter's names where they differ from the raw ones. `exported` tells in SQL whether a
    column holds values in the month of a line.
    """

    format: str
    relation: sql.Composable
    columns: Mapping[str, str]
    schema: str
    originals: Mapping[str, str]
    exported: Exported

    @property
    def mapping(self) -> str:
        return FORMATS[self.format].mapping


def charges(raw: RawLines, tags: Sequence[str] | None = None) -> sql.Composed:
    """Return the select of the FOCUS charges of a raw relation; `tags` are the tag keys to keep, None is all."""
    return _charges(raw, _lines(raw, tags))


def daily_lines(raw: RawLines, tags: Sequence[str]) -> sql.Composed:
    """Return the select of the sums of like lines of a day, which `daily_charges` reads.

    PostgreSQL groups by what the table holds, and types and names each group once.
    """
    wanted: list[sql.Composable] = [sql.SQL("billing_period")]
    keys: list[sql.Composable] = [sql.SQL("billing_period")]
    columns = line_columns(raw.mapping)
    values = {column.name: _line_value(column, raw) for column in columns}
    for column in columns:
        value = values[column.name]
        if column.type == "count":
            value = sql.SQL("count(*)")
        elif column.daily == "key":
            keys += [found for found, _ in _found(column, raw)]
        elif column.daily == "sum":
            value = _summed(column, raw)
        elif column.daily:
            value = sql_files.compose(column.daily, **values)
            keys.append(value)
        elif column.type != "exported":
            value = _coalesced([], column.type)
        wanted.append(sql.SQL("{} as {}").format(value, sql.Identifier(column.name)))
    keys += [value for tag in tags for value in _tag_values(raw, tag)]
    wanted.append(sql.SQL("{} as tags").format(_named_tags(raw, tags)))
    return sql.SQL("select\n    {}\nfrom {}\ngroup by\n    {}").format(
        sql.SQL(",\n    ").join(wanted), raw.relation, sql.SQL(",\n    ").join(keys)
    )


def daily_charges(raw: RawLines, relation: sql.Composable) -> sql.Composed:
    """Return the select of the charges of a relation of `daily_lines`, with what daily totals keep of them.

    They sum to those of `charges` by day, because the mapping is linear in what was summed.
    """
    return _charges(raw, sql.SQL("select * from {}").format(relation))


def _charges(raw: RawLines, lines: sql.Composed) -> sql.Composed:
    text = sql_files.read(f"focus/{raw.mapping}.sql")
    parts: dict[str, sql.Composable] = {"lines": lines, "schema": sql.Identifier(raw.schema)}
    if "{basis}" in text:
        parts["basis"] = sql_files.compose(sql_files.read(f"focus/{raw.mapping}_basis.sql"), lines=lines)
    return sql_files.compose(text, **parts)


def raw_totals(raw: RawLines) -> sql.Composed:
    """Return the select of what the exported lines themselves sum to, by invoice and currency."""
    return sql_files.compose(sql_files.read(f"focus/{raw.mapping}_totals.sql"), lines=_lines(raw, ()))


@cache
def line_columns(mapping: str) -> tuple[LineColumn, ...]:
    """Return the columns that a mapping reads, from `include/sql/focus/<mapping>_columns.csv`."""
    rows = csv.DictReader(sql_files.read(f"focus/{mapping}_columns.csv").splitlines())
    return tuple(LineColumn(row["column"], row["type"], tuple(row["aliases"].split()), row["daily"]) for row in rows)


def is_read(mapping: str, name: str) -> bool:
    """Tell whether a mapping reads a raw column: for a column of its own, for a key of a map, or for tags."""
    return name.startswith(TAG_PREFIX) or name in TAG_MAPS or name in _raw_names(mapping)


@cache
def _raw_names(mapping: str) -> frozenset[str]:
    names: set[str] = set()
    for column in line_columns(mapping):
        # The name of such a column is the mapping's alone.
        spellings = column.aliases if column.type in ("exported", "count") else (column.name, *column.aliases)
        names.update(spelling.partition("->")[0] for spelling in spellings)
    return frozenset(names)


def _lines(raw: RawLines, tags: Sequence[str] | None) -> sql.Composed:
    wanted = [sql.SQL("billing_period"), *(_line_column(column, raw) for column in line_columns(raw.mapping))]
    pairs = _all_tags(raw) if tags is None else _named_tags(raw, tags)
    wanted.append(sql.SQL("{} as tags").format(pairs))
    return sql.SQL("select\n    {}\nfrom {}").format(sql.SQL(",\n    ").join(wanted), raw.relation)


def _line_column(column: LineColumn, raw: RawLines) -> sql.Composed:
    return sql.SQL("{} as {}").format(_line_value(column, raw), sql.Identifier(column.name))


def _line_value(column: LineColumn, raw: RawLines) -> sql.Composable:
    if column.type == "count":
        return sql.Literal(1)
    if column.type == "exported":
        name = column.aliases[0]
        return raw.exported(name) if name in raw.columns else sql.Literal(False)
    return _coalesced([_typed(value, kind, column.type) for value, kind in _found(column, raw)], column.type)


def _summed(column: LineColumn, raw: RawLines) -> sql.Composable:
    """Return the sum of a column; NULL where there is nothing to add.

    Most doubles are 0. Their cast is most of the work, and a group that adds nothing needs no state of its own.
    """
    found = list(_found(column, raw))
    value = _line_value(column, raw)
    if not found:
        return value
    if any(kind not in NUMBERS for _, kind in found):
        return sql.SQL("sum({})").format(value)
    return sql.SQL("sum({}) filter (where {} <> 0)").format(value, _coalesced([one for one, _ in found], column.type))


def _found(column: LineColumn, raw: RawLines) -> Iterator[tuple[sql.Composable, str]]:
    """Yield every column, or key of a map, that holds what the mapping asks for, with its type."""
    for alias in (column.name, *column.aliases):
        name, _, key = alias.partition("->")
        if name not in raw.columns:
            continue
        if not key:
            yield sql.Identifier(name), raw.columns[name]
        elif raw.columns[name] == "jsonb":
            yield _in_map(name, key), "text"


def _in_map(name: str, key: str) -> sql.Composed:
    return sql.SQL("({} ->> {})").format(sql.Identifier(name), sql.Literal(key))


def _coalesced(values: Sequence[sql.Composable], target: str) -> sql.Composable:
    if not values:
        return sql.SQL("null::{}").format(sql.SQL(target))
    return values[0] if len(values) == 1 else sql.SQL("coalesce({})").format(sql.SQL(", ").join(values))


def _typed(value: sql.Composable, found: str, wanted: str) -> sql.Composable:
    """Return a raw value in the type that the mapping reads; AWS writes the absent string as ''."""
    if found == "text":
        value = sql.SQL("nullif({}, '')").format(value)
    if found == wanted or (found, wanted) == ("timestamp without time zone", "timestamp"):
        return value
    return sql.SQL("{}::{}").format(value, sql.SQL(wanted))


def _all_tags(raw: RawLines) -> sql.Composable:
    pairs = [(key, sql.SQL("nullif({}::text, '')").format(sql.Identifier(name))) for key, name in _tag_columns(raw)]
    maps = [
        sql.SQL("coalesce({}, '{{}}')").format(sql.Identifier(name))
        for name in TAG_MAPS
        if raw.columns.get(name) == "jsonb"
    ]
    return _merged([*maps, *_objects(pairs)])


def _tag_columns(raw: RawLines) -> Iterator[tuple[str, str]]:
    """Yield each column of its own that holds a tag, with the tag's key as the exporter wrote it."""
    for name in raw.columns:
        if name.startswith(TAG_PREFIX):
            yield raw.originals.get(name, name).removeprefix("resourceTags/").removeprefix(TAG_PREFIX), name


def tag_keys(raw: RawLines) -> list[str]:
    """Return the tag keys that have a column of their own."""
    return [key for key, _ in _tag_columns(raw)]


def tags_without_column(raw: RawLines, tags: Sequence[str]) -> list[str]:
    """Return those of the tag keys that no column of the export can hold; a map column can hold any."""
    return [key for key in tags if not any(_tag_values(raw, key))]


def _named_tags(raw: RawLines, tags: Sequence[str]) -> sql.Composable:
    found = ((key, list(_tag_values(raw, key))) for key in tags)
    return _merged(_objects([(key, _coalesced(values, "text")) for key, values in found if values]))


def _tag_values(raw: RawLines, key: str) -> Iterator[sql.Composable]:
    """Yield where the value of a tag key may stand: a column of its own, or a map under one of its spellings."""
    columns = dict(_tag_columns(raw))
    column = columns.get(key) or columns.get(athena_name(key)) or TAG_PREFIX + athena_name(key)
    if column in raw.columns:
        yield sql.SQL("nullif({}::text, '')").format(sql.Identifier(column))
    spellings = dict.fromkeys((key, athena_name(key), "resourceTags/" + key.removeprefix("user:")))
    for name in TAG_MAPS:
        if raw.columns.get(name) == "jsonb":
            for spelling in spellings:
                yield sql.SQL("nullif({}, '')").format(_in_map(name, spelling))


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
