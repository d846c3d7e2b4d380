"""PostgreSQL's facts about the stored lines. The audit compares them with DuckDB's facts about the files.

`loading/second_engine.py` defines the facts. The facts about all lines come from the sums of like lines of a day, which
`normalize` has made already: that costs next to nothing, and proves these sums too. The facts about each file take a
pass over the lines, so the audit asks for them only where something differs. A line's file is known by the transaction
that stored the line.
"""

from collections.abc import Sequence

from psycopg import sql

from cloud_costs.charges.lines import OF_LIST, RawLines, coalesced, found_in, line_value
from cloud_costs.database import sql_files
from cloud_costs.formats.mapping import LineColumn, line_columns

# How the second engine writes a time.
TIME = "YYYY-MM-DD HH24:MI:SS.US"


def stored_facts(raw: RawLines, daily: sql.Composable) -> sql.Composed:
    """Return the select of the facts of all lines, from a relation of `focus.daily_lines`.

    Its columns are column_name, kind, value and number.
    """
    amounts, keys = _columns(raw)
    totals: list[tuple[str, str, sql.Composable]] = [
        ("", "rows", sql.SQL("sum(line_items)")),
        ("", "filled", sql.SQL("sum(filled_amounts)")),
        *((one.name, "sum", sql.SQL("sum({})").format(sql.Identifier(one.name))) for one in amounts),
    ]
    values = [(one, sql.Identifier(one.name)) for one in keys]
    return sql.SQL("{} union all {}").format(
        _totals(totals, daily, ()), _counts(values, sql.SQL("sum(line_items)"), daily, ())
    )


def stored_facts_by_file(raw: RawLines, files: sql.Composable) -> sql.Composed:
    """Return the select of the facts of the lines of each file; `files` has uri and transactions.

    Its columns are uri, column_name, kind, value and number.
    """
    amounts, keys = _columns(raw)
    values = {column.name: line_value(column, raw) for column in line_columns(raw.form.mapping)}
    totals: list[tuple[str, str, sql.Composable]] = [("", "rows", sql.SQL("count(*)"))]
    for one in amounts:
        if not _is_of_list(one, raw):
            totals.append((one.name, "filled", sql.SQL("count({})").format(values[one.name])))
        totals.append((one.name, "sum", sql.SQL("coalesce(sum({}), 0)").format(values[one.name])))
    expressions = [
        (one, values[one.name] if one.daily == "key" else sql_files.compose(one.daily, **values)) for one in keys
    ]
    # PostgreSQL casts a transaction id to a number only by way of a text.
    lines = sql.SQL("(select *, xmin::text::bigint as stored_by from {}) as lines").format(raw.relation)
    of_files = sql.SQL("{} inner join {} as files on stored_by = any(files.transactions)").format(lines, files)
    uri = (sql.SQL("files.uri"),)
    return sql.SQL("{} union all {}").format(
        _totals(totals, of_files, uri), _counts(expressions, sql.SQL("count(*)"), of_files, uri)
    )


def filled_amounts(raw: RawLines) -> sql.Composable:
    """Return the SQL expression of the number of amounts, which are not NULL, that the lines of a group have.

    Sums over a list are not counted, because the second engine sees the entries of the lists and not the lines.
    """
    amounts = [one for one in _columns(raw)[0] if not _is_of_list(one, raw)]
    values = [coalesced(_comparable(list(found_in(one, raw))), one.type) for one in amounts]
    if not values:
        return sql.SQL("0::bigint")
    return sql.SQL("sum(num_nonnulls({}))").format(sql.SQL(", ").join(values))


def _comparable(found: Sequence[tuple[sql.Composable, str]]) -> list[sql.Composable]:
    """Return the values as texts where some of them are text, so that they have one type; an empty text is NULL."""
    if len(found) == 1 or all(kind != "text" for _, kind in found):
        return [_filled(value, kind) for value, kind in found]
    return [_filled(sql.SQL("{}::text").format(value), "text") for value, _ in found]


def _is_of_list(column: LineColumn, raw: RawLines) -> bool:
    return any(kind == OF_LIST for _, kind in found_in(column, raw))


def _filled(value: sql.Composable, kind: str) -> sql.Composable:
    return sql.SQL("nullif({}, '')").format(value) if kind == "text" else value


def _columns(raw: RawLines) -> tuple[list[LineColumn], list[LineColumn]]:
    """Return the amounts and the keys of the mapping that the lines have a column for."""
    amounts, keys = [], []
    for column in line_columns(raw.form.mapping):
        if column.daily in ("key", "sum") and not any(found_in(column, raw)):
            continue
        if column.daily == "sum":
            # Of the amounts, the files are asked for those that they have.
            if not column.expression:
                amounts.append(column)
        elif column.daily == "key" or column.is_derived_key:
            keys.append(column)
    return amounts, keys


def _totals(
    totals: Sequence[tuple[str, str, sql.Composable]], relation: sql.Composable, by: Sequence[sql.Composable]
) -> sql.Composed:
    """Return the select of the facts, a row for each, from one pass over the relation, grouped `by` the uri or not."""
    names = [sql.Identifier(f"total_{number}") for number in range(len(totals))]
    selected = [sql.SQL("{} as {}").format(one, name) for (_, _, one), name in zip(totals, names, strict=True)]
    rows = [
        sql.SQL("({}, {}, {}::numeric)").format(sql.Literal(column), sql.Literal(kind), name)
        for (column, kind, _), name in zip(totals, names, strict=True)
    ]
    return sql.SQL(
        "select {by}fact.column_name, fact.kind, null::text as value, fact.number "
        "from (select {selected} from {relation}{grouped}) as totals "
        "cross join lateral (values {rows}) as fact (column_name, kind, number)"
    ).format(
        by=sql.SQL("totals.uri, ") if by else sql.SQL(""),
        selected=sql.SQL(", ").join([*by, *selected]),
        relation=relation,
        grouped=sql.SQL(" group by {}").format(sql.SQL(", ").join(by)) if by else sql.SQL(""),
        rows=sql.SQL(", ").join(rows),
    )


def _counts(
    keys: Sequence[tuple[LineColumn, sql.Composable]],
    count: sql.Composable,
    relation: sql.Composable,
    by: Sequence[sql.Composable],
) -> sql.Composed:
    """Return the select of how many lines have each value of each key, all keys in one pass over the relation."""
    if not keys:
        uri = sql.SQL("null::text, ") if by else sql.SQL("")
        return sql.SQL("select {}null::text, null::text, null::text, null::numeric where false").format(uri)
    names = [sql.Identifier(f"key_{number}") for number in range(len(keys))]
    inner = sql.SQL(", ").join(
        [
            *by,
            *(
                sql.SQL("{} as {}").format(_text(one, value), name)
                for (one, value), name in zip(keys, names, strict=True)
            ),
        ]
    )
    uri = sql.SQL("uri, ") if by else sql.SQL("")
    sets = sql.SQL(", ").join(sql.SQL("({}{})").format(uri, name) for name in names)
    # Each key is a grouping set of its own, so one pass counts the values of all keys. `grouping` tells the sets apart:
    # its bit for a key is 1 where the key is not in the set, and the first key has the highest bit.
    everything = (1 << len(keys)) - 1
    rows = sql.SQL(", ").join(
        sql.SQL("({}, {}, {})").format(
            sql.Literal(everything ^ (1 << (len(keys) - 1 - number))), sql.Literal(one.name), name
        )
        for number, ((one, _), name) in enumerate(zip(keys, names, strict=True))
    )
    return sql.SQL(
        "select {uri}fact.column_name, 'lines', fact.value, counts.number::numeric from (select {uri}{names}, "
        "grouping({names}) as missing, sum(number) as number from (select {inner}, {count} as number from {relation} "
        "group by {grouped}) as keyed group by grouping sets ({sets})) as counts "
        "inner join lateral (values {rows}) as fact (missing, column_name, value) on fact.missing = counts.missing"
    ).format(
        uri=uri,
        names=sql.SQL(", ").join(names),
        inner=inner,
        count=count,
        relation=relation,
        grouped=sql.SQL(", ").join(sql.SQL(str(number + 1)) for number in range(len(by) + len(keys))),
        sets=sets,
        rows=rows,
    )


def _text(column: LineColumn, value: sql.Composable) -> sql.Composable:
    if column.type == "timestamp":
        return sql.SQL("to_char({}, {})").format(value, sql.Literal(TIME))
    # The second engine takes an empty text for NULL.
    return sql.SQL("nullif(({})::text, '')").format(value)
