"""The exported lines, as a mapping reads them: each column under one name and one type.

Exports have the same column under several names and types, and lack some columns in some months. A mapping does not
have to know that. It reads the columns that `include/sql/focus/<mapping>_columns.csv` lists, and a column that the
export lacks is a typed NULL.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg import sql

from cloud_costs.database import sql_files
from cloud_costs.formats.delivery import Format
from cloud_costs.formats.mapping import LIST, LineColumn, line_columns

# The type that `found_in` gives to a sum over the entries of a list.
OF_LIST = "list"
# A decimal number, with an exponent of at most three digits, which PostgreSQL's numeric can hold.
NUMBER = r"^\s*[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]{1,3})?\s*$"
# PostgreSQL reads NaN and Infinity as numbers too; they begin with a letter.
IS_NUMBER = "({0} = '' or pg_input_is_valid({0}, 'numeric') and {0} collate \"C\" < 'A')"
NUMBERS = ("double precision", "real", "numeric", "bigint", "integer", "smallint")

IsNet = Callable[[sql.Composable], sql.Composable]


@dataclass(frozen=True)
class RawLines:
    """A raw relation, its columns with their types, and the format of its source.

    `originals` has the exporter's names of columns where they differ from the raw ones. `is_net` makes the SQL
    condition that a billing account is on the net basis in the month of a line. Without it, all accounts are on the
    gross basis.
    """

    form: Format
    relation: sql.Composable
    columns: Mapping[str, str]
    schema: str
    originals: Mapping[str, str]
    is_net: IsNet | None = None


def on_basis(raw: RawLines, net_accounts: Sequence[str]) -> RawLines:
    """Return the lines of one month, where these billing accounts are on the net basis and all others are not."""
    if not net_accounts:
        return raw
    known = sql.Literal(list(net_accounts))
    return replace(raw, is_net=lambda account: sql.SQL("{} = any({})").format(account, known))


def line_value(column: LineColumn, raw: RawLines) -> sql.Composable:
    """Return the SQL expression of a column of the mapping, for one raw line, in the column's type."""
    if column.type == "count":
        return sql.Literal(1)
    if column.type == "net":
        account = next(one for one in line_columns(raw.form.mapping) if one.name == column.aliases[0])
        return is_net(column, raw, line_value(account, raw))
    if column.sum_of:
        others = (one for one in line_columns(raw.form.mapping) if not one.sum_of)
        return sql_files.compose(column.sum_of, **{one.name: line_value(one, raw) for one in others})
    if column.expression:
        return next(value for value, _ in found_in(column, raw))
    return coalesced([_typed(value, kind, column) for value, kind in found_in(column, raw)], column.type)


def is_net(column: LineColumn, raw: RawLines, account: sql.Composable) -> sql.Composable:
    """Return the SQL condition that a billing account is on the net basis: false where the export has no net costs."""
    if raw.is_net is None or not raw.columns.keys() >= set(column.raw_names):
        return sql.Literal(False)
    return raw.is_net(sql.SQL("coalesce({}, '')").format(account))


def summed(column: LineColumn, raw: RawLines) -> sql.Composable:
    """Return the SQL expression of a column's sum; NULL where the export has no such column.

    Casting doubles to numeric is most of the work of a load's sums, and most doubles of a bill are 0. The filter leaves
    zeros out before the cast. A group of zeros then has no state that parallel workers would have to exchange.
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
    """Yield every raw column, key of a map, or expression that may hold a column of the mapping, with its type.

    A sum over a list is used only where the export has none of the columns before it.
    """
    if column.expression:
        asked = re.findall(r"\{(\w+)\}", column.expression)
        values = {one.name: line_value(one, raw) for one in line_columns(raw.form.mapping) if one.name in asked}
        yield sql_files.compose(f"({column.expression})", **values), column.type
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
    """Return the SQL sum of a key over the entries of a list; NULL where no entry has it."""
    # Through a double, because the export's amounts are doubles: numeric keeps the 15 digits that they had.
    return sql.SQL(
        "(case when jsonb_typeof({column}) = 'array' and {column} <> '[]' then ("
        "select sum((entry ->> {key})::double precision::numeric) from jsonb_array_elements({column}) as entry) end)"
    ).format(column=column, key=sql.Literal(key))


def entries_of(value: sql.Composable) -> sql.Composed:
    """Return the SQL expression of a list, which is an empty list where the value is anything else."""
    return sql.SQL("(case when jsonb_typeof({value}) = 'array' then {value} else '[]' end)").format(value=value)


def coalesced(values: Sequence[sql.Composable], target: str) -> sql.Composable:
    """Return the SQL expression of the first value that is not NULL; without values, a NULL of the type `target`."""
    if not values:
        return sql.SQL("null::{}").format(sql.SQL(target))
    return values[0] if len(values) == 1 else sql.SQL("coalesce({})").format(sql.SQL(", ").join(values))


def _number_texts(raw: RawLines) -> list[tuple[sql.Composable, sql.Composable]]:
    """Return the texts of a line that should be numbers, each with the name of its column.

    These are rates and quantities, which no total is made of. An amount that is no number is never stored.
    """
    return [
        (sql.Literal(column.name), value)
        for column in line_columns(raw.form.mapping)
        if column.type == "numeric" and column.daily != "sum"
        for value, kind in found_in(column, raw)
        if kind == "text"
    ]


def _readable(texts: Sequence[tuple[sql.Composable, sql.Composable]]) -> sql.Composable:
    """Return the condition that texts are numbers. PostgreSQL's own test takes a tenth of the time of `NUMBER`."""
    conditions: list[sql.Composable] = [sql.SQL(IS_NUMBER).format(value) for _, value in texts]
    return sql.SQL(" and ").join(conditions or [sql.SQL("true")])


def unreadable_lines(raw: RawLines) -> sql.Composable:
    """Return the SQL expression of how many lines of a group have a text that should be a number and may be none.

    `unreadable` reads the lines again. A month of which this counts none needs no second pass.
    """
    texts = _number_texts(raw)
    return sql.SQL("count(*) filter (where not ({}))").format(_readable(texts)) if texts else sql.SQL("0::bigint")


def unreadable(raw: RawLines) -> sql.Composed:
    """Return the select of the texts of a month that should be numbers and are not, each with one of its lines."""
    columns = line_columns(raw.form.mapping)
    texts = _number_texts(raw)
    # Texts that help a person to find the line: those that like lines share, and the id of the line if there is one.
    named = [
        sql.SQL("{} as {}").format(line_value(column, raw), sql.Identifier(column.name))
        for column in columns
        if column.type == "text" and column.daily and any(found_in(column, raw))
    ]
    # One line of each text is enough to find it. `ctid` is the place of a row in its table: the smallest one is kept
    # while the lines are counted, and its columns are read afterwards.
    return sql.SQL(
        "select found.column_name, found.value, found.lines, line.line from ("
        "select texts.column_name, texts.value, count(*) as lines, min(raw.ctid) as place from {raw} as raw "
        "cross join lateral (values {texts}) as texts (column_name, value) "
        "where not ({readable}) and texts.value <> '' "
        "group by texts.column_name, texts.value having texts.value !~ {number}) as found "
        "left join lateral (select jsonb_strip_nulls(to_jsonb(named)) as line "
        "from (select {named} from {raw} where ctid = found.place) as named) as line on true"
    ).format(
        raw=raw.relation,
        readable=_readable(texts),
        texts=sql.SQL(", ").join(
            sql.SQL("({}, {})").format(*text) for text in texts or [(sql.Literal(""), sql.Literal(""))]
        ),
        number=sql.Literal(NUMBER),
        named=sql.SQL(", ").join(named),
    )


def _typed(value: sql.Composable, found: str, column: LineColumn) -> sql.Composable:
    """Return the SQL expression of a raw value in the type that the mapping reads. An empty text is NULL.

    An amount that is no number makes the cast fail, and so the load. A rate or quantity that is no number becomes NULL,
    so that queries of the views do not fail; the audit finds it by `unreadable`.
    """
    wanted = column.type
    if found == "text" and wanted == "numeric" and column.daily != "sum":
        return sql.SQL("case when {value} ~ {number} then {value}::numeric end").format(
            value=value, number=sql.Literal(NUMBER)
        )
    if found == "text":
        value = sql.SQL("nullif({}, '')").format(value)
    if found == wanted or (found, wanted) == ("timestamp without time zone", "timestamp"):
        return value
    return sql.SQL("{}::{}").format(value, sql.SQL(wanted))
