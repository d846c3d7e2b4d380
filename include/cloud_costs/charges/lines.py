"""The exported lines, as a mapping reads them: each column under one name and one type, whatever the export has.

An export has its columns under several names and types, and lacks some in some months. A mapping does not have to know:
it reads what `include/sql/focus/<mapping>_columns.csv` lists, and a column that the export lacks is a typed NULL.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection
from cloud_costs.formats.delivery import Format
from cloud_costs.formats.mapping import LIST, LineColumn, line_columns

# What `found_in` says of a sum over the entries of a list.
OF_LIST = "list"
NUMBERS = ("double precision", "real", "numeric", "bigint", "integer", "smallint")

Exported = Callable[[str], sql.Composable]


@dataclass(frozen=True)
class RawLines:
    """A raw relation, its columns with their types, and the format of its source.

    `originals` are the exporter's names where they differ from the raw ones. `exported` tells in SQL whether a
    column holds values in the month of a line.
    """

    form: Format
    relation: sql.Composable
    columns: Mapping[str, str]
    schema: str
    originals: Mapping[str, str]
    exported: Exported


def filled_columns(connection: Connection, form: Format, raw: sql.Identifier, columns: Mapping[str, str]) -> list[str]:
    """Return the columns of one month, without those that a mapping asks about and that hold nothing but 0 or NULL.

    A CUR 2.0 export has its net columns for every payer, and fills them for those with a discount.
    """
    asked = {column.aliases[0] for column in line_columns(form.mapping) if column.type == "exported"}
    filled = []
    for name, kind in columns.items():
        if name in asked:
            value: sql.Composable = sql.Identifier(name)
            if kind not in NUMBERS:
                value = sql.SQL("{}::numeric").format(value)
            row = connection.execute(
                sql.SQL("select exists (select 1 from {} where {} <> 0)").format(raw, value)
            ).fetchone()
            if not row or not row[0]:
                continue
        filled.append(name)
    return filled


def line_value(column: LineColumn, raw: RawLines) -> sql.Composable:
    """Return the expression of a column of the mapping, for one raw line."""
    if column.type == "count":
        return sql.Literal(1)
    if column.type == "exported":
        name = column.aliases[0]
        return raw.exported(name) if name in raw.columns else sql.Literal(False)
    if column.sum_of:
        others = (one for one in line_columns(raw.form.mapping) if not one.sum_of)
        return sql_files.compose(column.sum_of, **{one.name: line_value(one, raw) for one in others})
    return coalesced([_typed(value, kind, column.type) for value, kind in found_in(column, raw)], column.type)


def summed(column: LineColumn, raw: RawLines) -> sql.Composable:
    """Return the sum of a column; NULL where there is nothing to add.

    Most doubles are 0. Their cast is most of the work, and a group that adds nothing needs no state of its own.
    """
    found = list(found_in(column, raw))
    value = line_value(column, raw)
    if not found:
        return value
    if any(kind not in NUMBERS for _, kind in found):
        return sql.SQL("sum({})").format(value)
    return sql.SQL("sum({}) filter (where {} <> 0)").format(value, coalesced([one for one, _ in found], column.type))


def found_in(column: LineColumn, raw: RawLines) -> Iterator[tuple[sql.Composable, str]]:
    """Yield every column, or key of a map, that holds what the mapping asks for, with its type.

    A list is asked where nothing before it holds it.
    """
    found = False
    for alias in column.raw_names:
        name, _, key = alias.partition("->")
        if name.endswith(LIST):
            if not found and raw.columns.get(name.removesuffix(LIST)) == "jsonb":
                yield sum_of_list(sql.Identifier(name.removesuffix(LIST)), key), OF_LIST
            continue
        if name not in raw.columns:
            continue
        found = True
        if not key:
            yield sql.Identifier(name), raw.columns[name]
        elif raw.columns[name] == "jsonb":
            yield in_map(name, key), "text"


def in_map(name: str, key: str) -> sql.Composed:
    """Return the value of a key of a map column."""
    return sql.SQL("({} ->> {})").format(sql.Identifier(name), sql.Literal(key))


def sum_of_list(column: sql.Composable, key: str) -> sql.Composed:
    """Return the sum of a key over the entries of a list; NULL where no entry has it."""
    return sql.SQL(
        "(case when jsonb_typeof({column}) = 'array' and {column} <> '[]' then ("
        "select sum((entry ->> {key})::double precision::numeric) from jsonb_array_elements({column}) as entry) end)"
    ).format(column=column, key=sql.Literal(key))


def entries_of(value: sql.Composable) -> sql.Composed:
    """Return a list as it is, and of anything else an empty list."""
    return sql.SQL("(case when jsonb_typeof({value}) = 'array' then {value} else '[]' end)").format(value=value)


def coalesced(values: Sequence[sql.Composable], target: str) -> sql.Composable:
    """Return the first of the values that is not NULL; of no values, a NULL of the type `target`."""
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
