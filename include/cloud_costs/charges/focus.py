"""The FOCUS mapping of a format, composed for one raw relation.

The meaning of a provider's columns is in `include/sql/focus`, in files whose names begin with the mapping's name:

- `<mapping>.sql` selects charges from `{lines}`, the exported lines as `lines.RawLines` hands them over
- `<mapping>.<part>.sql` selects more charges from the same lines, such as adjustments; any number of such files
- `<mapping>_<place>.sql` is a select of the lines that these files name as `{place}`
- `<mapping>_totals.sql` selects what the lines themselves sum to, for the audits to compare
- `<mapping>_net.sql` selects the billing accounts of a month that are on the net basis, where a provider has two bases
- `<mapping>_columns.csv` lists the columns that all of them read

A select states only the columns that its provider fills. This module brings them into the order and types of the FOCUS
views, and adds the other columns as NULL.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import cache

from psycopg import sql

from cloud_costs.charges.columns import focus_columns
from cloud_costs.charges.facts import filled_amounts
from cloud_costs.charges.lines import RawLines, coalesced, found_in, is_net, line_value, summed, unreadable_lines
from cloud_costs.charges.tags import all_tags, named_tags, tag_values
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection
from cloud_costs.formats.mapping import LineColumn, line_columns

# Only the view `focus_costs` has this column: it adds the name of the source.
OF_ALL_SOURCES = "x_source"
# Only the views `<source>_focus` have this column.
RAW_LINE = "x_rawline"
RAW_LINE_MEANING = (
    "Where the exported line is in raw_<source>: its ctid, until the month is loaded again; NULL for a charge of many "
    "lines."
)
# The key under which the place of a line travels through a mapping. No exporter writes a control character into a key.
LINE_KEY = sql.Literal("\x01line")
# Memory for hashing lines into groups. PostgreSQL's default of 4 MB would make it write the groups to disk.
WORK_MEM = sql.Literal("128MB")


def charges(connection: Connection, raw: RawLines, tags: Sequence[str] | None = None) -> sql.Composed:
    """Return the select of the FOCUS charges of a raw relation. `tags` are the tag keys to keep; None keeps all."""
    return _charges(connection, raw, _lines(raw, tags))


def charges_with_lines(connection: Connection, raw: RawLines) -> sql.Composed:
    """Return the select of the FOCUS charges of a raw table, and where each one's line is, as the last column.

    Every mapping hands the tags of a line over as they are, and states no tags for a charge of many lines. So the place
    of the line travels among the tags, and no mapping has to know of it.
    """
    tags = sql.SQL("{} || jsonb_build_object({}::text, ctid::text)").format(all_tags(raw), LINE_KEY)
    select = _charges(connection, raw, _lines(raw, None, tags))
    columns = [
        sql.SQL("tags - {}::text as tags").format(LINE_KEY) if name == "tags" else sql.Identifier(name)
        for name in _names()
    ]
    line = sql.SQL("tags ->> {} as {}").format(LINE_KEY, sql.Identifier(RAW_LINE))
    return sql.SQL("select {} from ({}) as charges").format(sql.SQL(", ").join([*columns, line]), select)


def columns_with_lines() -> list[str]:
    """Return the names of the columns of `charges_with_lines`, in their order."""
    return [*_names(), RAW_LINE]


def _names() -> list[str]:
    return [column.name for column in focus_columns() if column.name != OF_ALL_SOURCES]


def daily_charges(connection: Connection, raw: RawLines, relation: sql.Composable) -> sql.Composed:
    """Return the select of the FOCUS charges of a relation of `daily_lines`.

    By day they have the same sums as those of `charges`. Like lines have the same value in every column that a mapping
    asks about, and the mapping is linear in the amounts, so the sum can be taken before the mapping.
    """
    bases = [
        sql.SQL(", {} as {}").format(
            is_net(column, raw, sql.Identifier(column.aliases[0])), sql.Identifier(column.name)
        )
        for column in line_columns(raw.form.mapping)
        if column.type == "net"
    ]
    return _charges(connection, raw, sql.SQL("select *{} from {}").format(sql.Composed(bases), relation))


def net_accounts(connection: Connection, raw: RawLines, daily: sql.Composable | None = None) -> list[str]:
    """Return the billing accounts of a month that are on the net basis, from its lines, or from `daily_lines` of them.

    Both give the same accounts, because the exact sums of a payer's invoices decide.
    """
    bases = [column for column in line_columns(raw.form.mapping) if column.type == "net"]
    if not bases or not raw.columns.keys() >= set(bases[0].raw_names):
        return []
    lines = sql.SQL("select * from {}").format(daily) if daily else _lines(raw, ())
    text = sql_files.read(f"focus/{raw.form.mapping}_net.sql")
    return [account for (account,) in connection.execute(sql_files.compose(text, lines=lines))]


def create_daily_lines(connection: Connection, table: sql.Identifier, lines: RawLines, tags: Sequence[str]) -> None:
    """Create a table of the sums of like lines of a day, which `daily_charges` reads.

    PostgreSQL expects one group for every ten lines, and for some millions of lines would sort them on disk. Hashing
    takes a quarter of the time. It is faster than sorting even where no two lines are alike, so sorting is off for this
    statement (docs/performance.md).
    """
    connection.execute(sql.SQL("set work_mem to {}").format(WORK_MEM))
    connection.execute("set enable_sort to off")
    # PostgreSQL plans a CREATE TABLE AS with parallel workers, and an INSERT without.
    connection.execute(sql.SQL("create table {} as {}").format(table, daily_lines(lines, tags)))
    connection.execute("reset enable_sort")


def daily_lines(raw: RawLines, tags: Sequence[str]) -> sql.Composed:
    """Return the select of the sums of like lines of a day, which `daily_charges` reads.

    PostgreSQL groups by the raw columns as they are stored. Casts and names are applied once to each group, and not to
    each line.
    """
    wanted: list[sql.Composable] = [sql.SQL("billing_period")]
    keys: list[sql.Composable] = [sql.SQL("billing_period")]
    # The basis of an account is decided from these sums, so they cannot depend on it.
    columns = [column for column in line_columns(raw.form.mapping) if column.type != "net"]
    values = {column.name: line_value(column, raw) for column in columns}
    # `LineColumn.daily` says for each column whether it is a key of the groups, a sum, or left out as a typed NULL. The
    # result has every column of the mapping, so that `daily_charges` reads it as it reads lines.
    for column in columns:
        value = values[column.name]
        if column.type == "count":
            value = sql.SQL("count(*)")
        elif column.daily == "key":
            keys += [found for found, _ in found_in(column, raw)]
        elif column.daily == "sum":
            value = summed(column, raw)
        elif column.sum_of:
            value = sql.SQL("sum({})").format(value)
        elif column.daily:
            value = sql_files.compose(column.daily, **values)
            keys.append(value)
        else:
            value = coalesced([], column.type)
        wanted.append(sql.SQL("{} as {}").format(value, sql.Identifier(column.name)))
    keys += [value for tag in tags for value in tag_values(raw, tag)]
    wanted.append(sql.SQL("{} as tags").format(named_tags(raw, tags)))
    # For the audit, which compares the lines with their files, and looks for rates that are no numbers.
    wanted.append(sql.SQL("{} as filled_amounts").format(filled_amounts(raw)))
    wanted.append(sql.SQL("{} as unreadable_lines").format(unreadable_lines(raw)))
    return sql.SQL("select\n    {}\nfrom {}\ngroup by\n    {}").format(
        sql.SQL(",\n    ").join(wanted), raw.relation, sql.SQL(",\n    ").join(keys)
    )


def raw_totals(raw: RawLines) -> sql.Composed:
    """Return the select of the sums of the exported lines themselves, by invoice and currency, without the mapping."""
    return sql_files.compose(sql_files.read(f"focus/{raw.form.mapping}_totals.sql"), lines=_lines(raw, ()))


def selects_of(mapping: str) -> list[str]:
    """Return the texts of a mapping's selects of charges, with all `{places}` filled but `{lines}` and `{schema}`."""
    texts = [sql_files.read(path) for path in sql_files.parts(f"focus/{mapping}.sql")]
    return [re.sub(r"(?<!\{)\{(?!lines|schema)(\w+)\}", lambda place: _place(mapping, place[1]), one) for one in texts]


@cache
def digest(mapping: str) -> str:
    """Return a digest of the rules that daily totals are derived by: the SQL, its columns and its reference data.

    Comments and white space do not change it. `load_history` keeps it, so that `renew` finds months of other rules.
    """
    files = sorted(path.name for path in (sql_files.FOLDER / "focus").glob(f"{mapping}[._]*sql"))
    selects = [sql_files.read(f"focus/{name}") for name in files if not name.endswith("_totals.sql")]
    selects += [sql_files.read(name) for name in ("normalize.sql", "commitment_costs.sql")]
    tables = sorted({name for text in selects for name in re.findall(r"\{schema\}\.(\w+)", text)})
    texts = [" ".join(re.sub(r"--.*", "", text).split()) for text in selects]
    texts += [sql_files.read(f"focus/{name}.csv") for name in (f"{mapping}_columns", *tables)]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _place(mapping: str, name: str) -> str:
    return sql_files.read(f"focus/{mapping}_{name}.sql")


def _charges(connection: Connection, raw: RawLines, lines: sql.Composed) -> sql.Composed:
    schema = sql.Identifier(raw.schema)
    # Every check and view holds this select with its thousands of names.
    lines = sql_files.render(connection, lines)
    selects = [
        _typed(connection, (text, line_columns(raw.form.mapping)), sql_files.compose(text, lines=lines, schema=schema))
        for text in selects_of(raw.form.mapping)
    ]
    return sql_files.render(connection, sql.SQL("\nunion all\n").join(selects))


# The select of a mapping before its places are filled, and the columns of the lines that it reads.
Text = tuple[str, tuple[LineColumn, ...]]
_stated: dict[Text, frozenset[str]] = {}


def _typed(connection: Connection, text: Text, select: sql.Composed) -> sql.Composed:
    """Bring the columns of a select into the order and types of the FOCUS views; columns that it lacks are NULL."""
    # PostgreSQL plans the whole mapping to tell its columns, and they are the same for every relation of lines.
    stated = _stated.get(text)
    if stated is None:
        # `limit 0` returns no row, but the names of the columns.
        described = connection.execute(select + sql.SQL("\nlimit 0")).description or ()
        stated = _stated[text] = frozenset(column.name for column in described)
    columns = (
        sql.SQL("{}::{} as {}").format(
            sql.Identifier(column.name) if column.name in stated else sql.NULL,
            sql.SQL(column.type),
            sql.Identifier(column.name),
        )
        for column in focus_columns()
        if column.name != OF_ALL_SOURCES
    )
    return sql.SQL("select {} from ({}) as charges").format(sql.SQL(", ").join(columns), select)


def _lines(raw: RawLines, tags: Sequence[str] | None, collected: sql.Composable | None = None) -> sql.Composed:
    """Return the select of a relation's lines for a mapping; `collected` is the SQL of their tags, if not the usual."""
    wanted: list[sql.Composable] = [sql.SQL("billing_period")]
    columns = line_columns(raw.form.mapping)
    values = {column.name: line_value(column, raw) for column in columns}
    for column in columns:
        value = values[column.name]
        if column.is_derived:
            value = sql_files.compose(column.daily, **values)
        wanted.append(sql.SQL("{} as {}").format(value, sql.Identifier(column.name)))
    if collected is None:
        collected = all_tags(raw) if tags is None else named_tags(raw, tags)
    wanted.append(sql.SQL("{} as tags").format(collected))
    return sql.SQL("select\n    {}\nfrom {}").format(sql.SQL(",\n    ").join(wanted), raw.relation)
