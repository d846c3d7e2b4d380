"""The exported lines, as a mapping reads them: each column under one name and one type, whatever the export has.

An export has its columns under several names and types, and lacks some in some months. A mapping does not have to know:
it reads what `include/sql/focus/<mapping>_columns.csv` lists, and a column that the export lacks is a typed NULL.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg import sql

from cloud_costs.formats.delivery import Format
from cloud_costs.formats.mapping import LineColumn, line_columns

NUMBERS = ("double precision", "real", "numeric", "bigint", "integer", "smallint")

IsNet = Callable[[sql.Composable], sql.Composable]


@dataclass(frozen=True)
class RawLines:
    """A raw relation, its columns with their types, and the format of its source.

    `originals` are the exporter's names where they differ from the raw ones. `is_net` tells in SQL whether a billing
    account is on the net basis in the month of a line; without it, all are on the gross one.
    """

    form: Format
    relation: sql.Composable
    columns: Mapping[str, str]
    schema: str
    originals: Mapping[str, str]
    is_net: IsNet | None = None


def on_basis(raw: RawLines, net_accounts: Sequence[str]) -> RawLines:
    """Return the lines of one month with the billing accounts that are on the net basis."""
    if not net_accounts:
        return raw
    known = sql.Literal(list(net_accounts))
    return replace(raw, is_net=lambda account: sql.SQL("{} = any({})").format(account, known))


def line_value(column: LineColumn, raw: RawLines) -> sql.Composable:
    """Return the expression of a column of the mapping, for one raw line."""
    if column.type == "count":
        return sql.Literal(1)
    if column.type == "net":
        account = next(one for one in line_columns(raw.form.mapping) if one.name == column.aliases[0])
        return is_net(column, raw, line_value(account, raw))
    return coalesced([_typed(value, kind, column.type) for value, kind in found_in(column, raw)], column.type)


def is_net(column: LineColumn, raw: RawLines, account: sql.Composable) -> sql.Composable:
    """Return whether a billing account is on the net basis; none is where the export has no net costs."""
    if raw.is_net is None or not raw.columns.keys() >= set(column.raw_names):
        return sql.Literal(False)
    return raw.is_net(sql.SQL("coalesce({}, '')").format(account))


def summed(column: LineColumn, raw: RawLines) -> sql.Composable:
    """Return the sum of a column; NULL where the export has no such column.

    Most doubles are 0. Their cast is most of the work, and a group that adds nothing needs no state of its own.
    """
    found = list(found_in(column, raw))
    value = line_value(column, raw)
    if not found:
        return value
    if any(kind not in NUMBERS for _, kind in found):
        return sql.SQL("coalesce(sum({}), 0)").format(value)
    stored = coalesced([one for one, _ in found], column.type)
    return sql.SQL("coalesce(sum({}) filter (where {} <> 0), 0)").format(value, stored)


def found_in(column: LineColumn, raw: RawLines) -> Iterator[tuple[sql.Composable, str]]:
    """Yield every column, or key of a map, that holds what the mapping asks for, with its type."""
    for alias in column.raw_names:
        name, _, key = alias.partition("->")
        if name not in raw.columns:
            continue
        if not key:
            yield sql.Identifier(name), raw.columns[name]
        elif raw.columns[name] == "jsonb":
            yield in_map(name, key), "text"


def in_map(name: str, key: str) -> sql.Composed:
    """Return the value of a key of a map column."""
    return sql.SQL("({} ->> {})").format(sql.Identifier(name), sql.Literal(key))


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
