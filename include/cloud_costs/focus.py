"""The FOCUS mapping of a format, composed for one raw relation.

`include/sql/focus/<format>.sql` says what the provider's columns mean. This module only hands it the lines:
each column it asks for, under one name and one type, whatever the month's export has.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from cloud_costs import sql_files

TAG_PREFIX = "resource_tags_"
# jsonb_build_object takes at most 100 arguments.
PAIRS_PER_CALL = 50


@dataclass(frozen=True)
class LineColumn:
    """A column that a mapping reads: its type there, and its other names in exports."""

    name: str
    type: str
    aliases: tuple[str, ...]


def charges(
    format_name: str, raw: sql.Composable, columns: Mapping[str, str], tags: Sequence[str] | None
) -> sql.Composed:
    """Return the select of the FOCUS charges of a raw relation.

    `columns` are the relation's columns and types; `tags` the tag keys to keep, or None for all of them.
    """
    return sql_files.compose(sql_files.read(f"focus/{format_name}.sql"), lines=_lines(raw, columns, tags))


def raw_totals(format_name: str, raw: sql.Composable, columns: Mapping[str, str]) -> sql.Composed:
    """Return the select of what the exported lines themselves sum to, by invoice and currency."""
    return sql_files.compose(sql_files.read(f"focus/{format_name}_totals.sql"), lines=_lines(raw, columns, ()))


def line_columns() -> tuple[LineColumn, ...]:
    """Return the columns that the AWS mappings read, from `include/sql/focus/aws_columns.csv`."""
    rows = csv.DictReader(sql_files.read("focus/aws_columns.csv").splitlines())
    return tuple(LineColumn(row["column"], row["type"], tuple(row["aliases"].split())) for row in rows)


def tag_column(key: str) -> str:
    """Return the raw column of a tag key, by AWS's naming rule for Athena.

    >>> tag_column("user:costCenter")
    'resource_tags_user_cost_center'

    Source: AWS CUR user guide, `cur-ate-run`.
    """
    spaced = re.sub(r"([A-Z])", r"_\1", key).lower()
    return TAG_PREFIX + re.sub(r"_+", "_", re.sub(r"[^a-z0-9]", "_", spaced)).strip("_")


def _lines(raw: sql.Composable, columns: Mapping[str, str], tags: Sequence[str] | None) -> sql.Composed:
    if tags is None:
        pairs = {name.removeprefix(TAG_PREFIX): name for name in columns if name.startswith(TAG_PREFIX)}
    else:
        pairs = {key: tag_column(key) for key in tags if tag_column(key) in columns}
    wanted = [sql.SQL("billing_period"), *(_line_column(column, columns) for column in line_columns())]
    wanted.append(sql.SQL("{} as tags").format(_tags(pairs)))
    return sql.SQL("select\n    {}\nfrom {}").format(sql.SQL(",\n    ").join(wanted), raw)


def _line_column(column: LineColumn, columns: Mapping[str, str]) -> sql.Composed:
    there = [name for name in (column.name, *column.aliases) if name in columns]
    values = [_typed(name, columns[name], column.type) for name in there]
    target = sql.SQL(column.type)
    if not values:
        value: sql.Composable = sql.SQL("null::{}").format(target)
    elif len(values) == 1:
        value = values[0]
    else:
        value = sql.SQL("coalesce({})").format(sql.SQL(", ").join(values))
    return sql.SQL("{} as {}").format(value, sql.Identifier(column.name))


def _typed(name: str, found: str, wanted: str) -> sql.Composed:
    """Return a raw column in the type that the mapping reads; AWS writes the absent string as ''."""
    value: sql.Composable = sql.Identifier(name)
    if found == "text":
        value = sql.SQL("nullif({}, '')").format(value)
    if found == wanted or (found, wanted) == ("timestamp without time zone", "timestamp"):
        return sql.Composed([value])
    return sql.SQL("{}::{}").format(value, sql.SQL(wanted))


def _tags(pairs: Mapping[str, str]) -> sql.Composable:
    if not pairs:
        return sql.SQL("'{{}}'::jsonb").format()
    items = [
        sql.SQL("{}::text, nullif({}::text, '')").format(sql.Literal(key), sql.Identifier(column))
        for key, column in pairs.items()
    ]
    calls = [
        sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(items[start : start + PAIRS_PER_CALL]))
        for start in range(0, len(items), PAIRS_PER_CALL)
    ]
    return sql.SQL("jsonb_strip_nulls({})").format(sql.SQL(" || ").join(calls))
