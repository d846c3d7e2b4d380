"""Write docs/data-dictionary.md: `make dictionary`, or `python -m cloud_costs.data_dictionary`.

What the tables and columns mean is said once, as comments in the database, and how FOCUS columns come about is
said once, in the mappings of `include/sql/focus`. This puts both on one page; a test fails when the page is stale.
"""

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from textwrap import dedent

import psycopg

from cloud_costs import embedded_postgres, sql_files
from cloud_costs.config import Source
from cloud_costs.focus import line_columns
from cloud_costs.load import load_raw
from cloud_costs.normalize import normalize
from cloud_costs.postgres import Connection, Database, apply_schema, columns_of, comments_of
from cloud_costs.publish import publish
from cloud_costs.sample_bill import Bill, write_month
from cloud_costs.storage import LocalStorage
from cloud_costs.views import focus_columns, refresh_views

PAGE = Path(__file__).parents[2] / "docs/data-dictionary.md"
MONTH = date(2025, 1, 1)
SOURCE = "cup"
RELATIONS = (
    "costs",
    "cup_normalized",
    "focus_costs",
    "cup_focus",
    "raw_cup",
    "published_months",
    "restatements",
    "load_history",
    "audit_results",
    "raw_columns",
    "raw_months",
    "published_totals",
    "aws_services",
    "aws_regions",
    "schema_versions",
)
# A relation with the columns of one before it is told of without them.
SAME_COLUMNS = {"cup_normalized": "costs", "cup_focus": "focus_costs"}
LONGEST_IN_A_ROW = 90

TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\w+|\S")
SELECT = re.compile(r"(?:\b(\w+)\s+as\s+(?:(?:not\s+)?materialized\s+)?\(\s*)?\bselect\b")


@dataclass(frozen=True)
class Expression:
    """An output column of a select in a mapping; `step` is the name of the common table expression, or ''."""

    step: str
    name: str
    text: str

    @property
    def in_a_row(self) -> str:
        """The expression on one line, without the names of steps in front of columns."""
        return re.sub(r"\b(lines|charges|part)\.", "", " ".join(self.text.split()))


def generate(database: Database) -> str:
    """Return the page, from the comments of an empty schema into which a sample month is loaded."""
    _load_sample(database)
    with database.session() as connection:
        relations = [line for name in RELATIONS for line in _relation(connection, database, name)]
    return "\n".join([*_head(), *relations, *_cur_mapping(), *_focus_mapping()]) + "\n"


def read_expressions(text: str) -> list[Expression]:
    """Return every output column of every select of a mapping, but for `*` and columns passed on under their name.

    >>> read_expressions("with a as (select *, b + 1 as c from d) select a.c as e, a.f from a")
    [Expression(step='a', name='c', text='b + 1'), Expression(step='', name='e', text='a.c')]
    """
    text = re.sub(r"--.*", "", text).replace("{{", "{").replace("}}", "}")
    found = []
    for match in SELECT.finditer(text):
        for item in _items(text, match.end()):
            expression, _, name = item.rpartition(" as ")
            if expression and re.fullmatch(r"\w+", name.strip()):
                found.append(Expression(match[1] or "", name.strip(), dedent(_indented(expression)).strip()))
    return found


def _items(text: str, start: int) -> Iterator[str]:
    """Yield the items of a select list, which ends at the `from` of the select."""
    depth, begin, before = 0, start, ""
    for token in TOKEN.finditer(text, start):
        word = token[0]
        if word in "()":
            depth += 1 if word == "(" else -1
        ends = depth < 0 or (depth == 0 and word == "from" and before != "distinct")
        if ends or (depth == 0 and word == ","):
            yield re.sub(r"\s+as\s+(\w+)\s*$", r" as \1", text[begin : token.start()])
            begin = token.end()
        if ends:
            return
        before = word


def _indented(expression: str) -> str:
    """Return the text with its first line as far to the right as it was in the file."""
    return expression.strip("\n") if expression.startswith("\n") else expression


def _load_sample(database: Database) -> None:
    apply_schema(database)
    bucket = Path(tempfile.mkdtemp(prefix="cloud-costs-dictionary-"))
    try:
        bill = Bill(lines=50, files=1)
        write_month(bill, MONTH, bucket)
        source = Source(name=SOURCE, format=bill.format, uri=f"file://{bucket}/{bill.prefix}/{bill.report}/")
        load = normalize(database, source, load_raw(database, LocalStorage(), source, MONTH))
        publish(database, source, load)
        refresh_views(database)
    finally:
        shutil.rmtree(bucket)


def _head() -> Iterable[str]:
    return (
        "# Data dictionary",
        "",
        "<!-- Written by `make dictionary` from the comments in the database and the mappings of include/sql/focus -->",
        "",
        "Every relation of the schema `cost_analytics` (`POSTGRES_SCHEMA`): what one row of it is, and what its",
        "columns mean; then how each FOCUS column is derived. `<source>` is the name of a configured source. psql",
        "shows the same with `\\d+`. In SQL, FOCUS columns are in lower case or, unquoted, in any.",
        "",
        *(f"- [`{_title(name)}`](#{_anchor(_title(name))})" for name in RELATIONS),
        "- [FOCUS columns of a Cost and Usage Report](#focus-columns-of-a-cost-and-usage-report)",
        "- [FOCUS columns of a FOCUS export](#focus-columns-of-a-focus-export)",
        "",
    )


def _title(name: str) -> str:
    return re.sub(rf"\b{SOURCE}_|_{SOURCE}\b", lambda match: match[0].replace(SOURCE, "<source>"), name)


def _anchor(title: str) -> str:
    return re.sub(r"[^\w-]", "", title.lower())


def _relation(connection: Connection, database: Database, name: str) -> Iterator[str]:
    relation = database.table(name)
    row = connection.execute(
        "select obj_description(to_regclass(%s), 'pg_class')", [relation.as_string(connection)]
    ).fetchone()
    grain = str(row[0]) if row and row[0] else ""
    yield from (f"## `{_title(name)}`", "", " ".join(grain.replace(SOURCE, "`<source>`").split()), "")
    if name.startswith("raw_" + SOURCE):
        yield from (
            "Its columns are those of the export, with the types that `raw_columns` lists, and `billing_period`, the",
            "first day of the billing month, by which the table is partitioned.",
            "",
        )
        return
    if name in SAME_COLUMNS:
        other = SAME_COLUMNS[name]
        same = list(columns_of(connection, relation)) == list(columns_of(connection, database.table(other)))
        yield from (f"Its columns are those of [`{other}`](#{other}){'' if same else ' without `x_source`'}.", "")
        return
    comments = comments_of(connection, relation)
    spellings = {column.name: column.focus_name for column in focus_columns()} if "focus" in name else {}
    rows = (
        (f"`{spellings.get(column) or column}`", kind.removesuffix(" without time zone"), comments.get(column, ""))
        for column, kind in columns_of(connection, relation).items()
    )
    yield from _table(("column", "type", "meaning"), rows)


def _cur_mapping() -> Iterator[str]:
    basis = sql_files.read("focus/aws_cur_basis.sql")
    expressions = read_expressions(sql_files.read("focus/aws_cur.sql").replace("{basis}", basis))
    charges = _first(expression for expression in expressions if not expression.step)
    steps = {one.name: one for one in expressions if one.step and one.step != "uncancelled"}
    known = {column.name: column.focus_name or column.name for column in focus_columns()}
    yield from (
        "## FOCUS columns of a Cost and Usage Report",
        "",
        "From `include/sql/focus/aws_cur.sql`, for `aws_cur` and `aws_cur2` alike, whose comments say why. The",
        "expressions read the columns of the export, the steps below, and the tables `aws_services` and",
        "`aws_regions`; an empty string is read as NULL. A recurring fee is two charges, of which `is_unused` tells",
        "the part of a commitment that nobody used. `Tags` holds every tag column or map of the export. Where covered",
        "usage and its negation do not cancel, the difference is one more charge of the category Adjustment, with the",
        "dimensions that all its lines share.",
        "",
    )
    yield from _expressions(("FOCUS column", "is"), [(known.get(one.name, one.name), one) for one in charges])
    yield from ("### Steps", "", "Computed once and read by the expressions above and by each other.", "")
    yield from _expressions(("step", "is"), list(steps.items()))
    yield from (
        "### Columns of the export",
        "",
        "Read under the first name, or under the others where an export has those. `->` reads a key of a map.",
        "",
    )
    rows = (
        (f"`{column.name}`", column.type, " ".join(f"`{alias}`" for alias in column.aliases))
        for column in line_columns("aws_cur")
        if column.type != "count"
    )
    yield from _table(("column", "read as", "or"), rows)


def _first(expressions: Iterable[Expression]) -> list[Expression]:
    """Return the columns of the first select: the second one is that of the adjustments."""
    found: dict[str, Expression] = {}
    for expression in expressions:
        if expression.name in found:
            break
        found[expression.name] = expression
    return list(found.values())


def _focus_mapping() -> Iterator[str]:
    expressions = [one for one in read_expressions(sql_files.read("focus/aws_focus.sql")) if not one.step]
    yield from (
        "## FOCUS columns of a FOCUS export",
        "",
        "From `include/sql/focus/aws_focus.sql`, for `aws_focus`: every column is the export's own, and NULL where the",
        "export's version of FOCUS does not have it, but for these.",
        "",
    )
    known = {column.name: column.focus_name or column.name for column in focus_columns()}
    yield from _expressions(("FOCUS column", "is"), [(known.get(one.name, one.name), one) for one in expressions])


def _expressions(head: tuple[str, str], named: list[tuple[str, Expression]]) -> Iterator[str]:
    """Yield a table of the short expressions, and each long one by itself as it is written."""
    long = [(name, one) for name, one in named if len(one.in_a_row) > LONGEST_IN_A_ROW]
    short = [(f"`{name}`", f"`{one.in_a_row}`") for name, one in named if len(one.in_a_row) <= LONGEST_IN_A_ROW]
    yield from _table(head, short)
    for name, one in long:
        yield from (f"`{name}`:", "", "```sql", *one.text.splitlines(), "```", "")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield from (_row(head), _row(tuple("---" for _ in head)))
    for row in rows:
        yield _row(row)
    yield ""


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in cells)} |"


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="cloud-costs-dictionary-"))
    try:
        server = embedded_postgres.start(folder / "postgres", settings={"fsync": "off"})
        try:
            page = generate(Database(lambda: psycopg.connect(server.uri()), "cost_analytics", "embedded PostgreSQL"))
        finally:
            embedded_postgres.stop(folder / "postgres")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    PAGE.write_text(page, encoding="utf-8")
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
