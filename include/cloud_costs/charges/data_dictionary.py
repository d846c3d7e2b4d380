"""The data dictionary, docs/data-dictionary.md: the meaning of every relation and column, and how FOCUS columns arise.

The meanings are comments in the database, and the FOCUS columns are in the mappings of `include/sql/focus`. This module
puts both on one page. `make dictionary` writes it, and a test fails when it is stale.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePath
from textwrap import dedent

from cloud_costs.charges.columns import focus_columns
from cloud_costs.charges.focus import selects_of
from cloud_costs.charges.focus_versions import VIEWS, columns_of_version
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection, Database, columns_of, comments_of
from cloud_costs.formats import FORMATS
from cloud_costs.formats.mapping import line_columns

SOURCE = "cup"
RELATIONS = (
    "costs",
    "cup_normalized",
    "costs_by_day",
    "costs_by_day_service",
    "costs_by_day_account",
    "costs_by_month",
    "commitment_costs",
    "focus_costs",
    *VIEWS,
    "cup_focus",
    "raw_cup",
    "accounts",
    "account_list",
    "published_months",
    "restatements",
    "load_history",
    "load_files",
    "file_facts",
    "manifest_totals",
    "audit_results",
    "raw_columns",
    "raw_months",
    "published_totals",
    "anomalies",
    "anomaly_actions",
    "forecasts",
    "budgets",
    "budget_status",
    "reports",
    "notices",
    "day_totals",
    *sql_files.reference_tables(),
    "schema_versions",
)
# Relations that have the columns of another one. The page lists these columns once.
SAME_COLUMNS = {"cup_normalized": "costs", "cup_focus": "focus_costs"}
LONGEST_IN_A_ROW = 90
# The beginning of a mapping that passes the columns of the lines on as they are.
PASSES_ON = re.compile(r"^select\n    lines\.\*", re.MULTILINE)

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


def page(database: Database) -> str:
    """Return the page, from the comments of a schema in which a month of the source `cup` is published."""
    with database.session() as connection:
        relations = [line for name in RELATIONS for line in _relation(connection, database, name)]
    mappings = [line for mapping in _mappings() for line in _mapping(mapping)]
    return "\n".join([*_head(), *relations, *mappings]) + "\n"


def read_expressions(text: str) -> list[Expression]:
    """Return every output column of every select of a mapping, except `*` and columns that keep their names.

    >>> read_expressions("with a as (select *, b + 1 as c from d) select a.c as e, a.f from a")
    [Expression(step='a', name='c', text='b + 1'), Expression(step='', name='e', text='a.c')]
    """
    text = re.sub(r"--.*", "", text).replace("{{", "{").replace("}}", "}")
    found = []
    for match in SELECT.finditer(text):
        if not match[1] and _depth(text[: match.start()]):
            # Inside an expression.
            continue
        for item in _items(text, match.end()):
            expression, _, name = item.rpartition(" as ")
            if expression and re.fullmatch(r"\w+", name.strip()):
                found.append(Expression(match[1] or "", name.strip(), dedent(_indented(expression)).strip()))
    return found


def _depth(text: str) -> int:
    """Return how many parentheses are open at the end of a text."""
    tokens = [token[0] for token in TOKEN.finditer(text)]
    return tokens.count("(") - tokens.count(")")


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
        *(f"- [{title}](#{_anchor(title)})" for title in map(_mapping_title, _mappings())),
        "",
    )


def _title(name: str) -> str:
    return re.sub(rf"\b{SOURCE}_|_{SOURCE}\b", lambda match: match[0].replace(SOURCE, "<source>"), name)


def _anchor(title: str) -> str:
    return re.sub(r"[^\w-]", "", title.lower().replace(" ", "-"))


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
    if name in VIEWS:
        yield from _version(name)
        return
    comments = comments_of(connection, relation)
    spellings = {column.name: column.focus_name for column in focus_columns()} if "focus" in name else {}
    rows = (
        (f"`{spellings.get(column) or column}`", kind.removesuffix(" without time zone"), comments.get(column, ""))
        for column, kind in columns_of(connection, relation).items()
    )
    yield from _table(("column", "type", "meaning"), rows)


def _version(view: str) -> Iterator[str]:
    """Yield the description of a version's view: the columns that it adds to the version before, or leaves out."""
    version = VIEWS[view]
    named = {column.name: column for column in columns_of_version(version)}
    before = {
        column.name for other in VIEWS.values() if other == _before(version) for column in columns_of_version(other)
    }
    gone = ", ".join(f"`{name}`" for name in sorted(before - named.keys()))
    yield f"{len(named)} columns, named and typed as in [`focus_costs`](#focus_costs)."
    if gone:
        yield f"Those of FOCUS {_before(version)} without {gone}."
    yield ""
    added = [column for name, column in named.items() if name not in before]
    rows = ((f"`{one.name}`", one.type, f"`{one.expression}`", one.meaning) for one in added)
    yield from _table((f"column since {version}", "type", "from `focus_costs`", "meaning"), rows)


def _before(version: str) -> str | None:
    versions = list(VIEWS.values())
    at = versions.index(version)
    return versions[at - 1] if at else None


def _mappings() -> list[str]:
    return sorted({form.mapping for form in FORMATS.values()})


def _mapping_title(mapping: str) -> str:
    formats = [name for name, form in FORMATS.items() if form.mapping == mapping]
    return f"FOCUS columns of {' and '.join(formats)}"


def _mapping(mapping: str) -> Iterator[str]:
    path = f"focus/{mapping}.sql"
    paths, texts = sql_files.parts(path), selects_of(mapping)
    expressions = read_expressions(texts[0])
    own = "An export's own FOCUS column is taken as it is, but for these. " if PASSES_ON.search(texts[0]) else ""
    yield from (
        f"## {_mapping_title(mapping)}",
        "",
        f"From `include/sql/{path}`:",
        "",
        *header(texts[0]),
        "",
        f"{own}An empty string of an export is read as NULL. `Tags` holds every tag of the line. A FOCUS",
        "column that is not here is NULL.",
        "",
        *_focus_expressions(expressions),
    )
    steps = {one.name: one for one in expressions if one.step}
    if steps:
        yield from ("### Steps", "", "Computed once and read by the expressions above and by each other.", "")
        yield from _expressions(("step", "is"), list(steps.items()))
    for more, text in zip(paths[1:], texts[1:], strict=True):
        part = PurePath(more).suffixes[0].removeprefix(".")
        yield from (f"### {part.capitalize()}", "", f"From `include/sql/{more}`:", "", *header(text), "")
        yield from _focus_expressions(read_expressions(text))
    yield from (
        "### Columns of the export",
        "",
        "Read under the first name, or under the others where an export has those. `->` reads a key of a map.",
        "",
    )
    rows = (
        (f"`{column.name}`", column.type, " ".join(f"`{alias}`" for alias in column.aliases))
        for column in line_columns(mapping)
        if column.type not in ("count", "net")
    )
    yield from _table(("column", "read as", "or"), rows)


def header(text: str) -> list[str]:
    """Return the lines of the comment at the beginning of an SQL text.

    >>> header("-- Two lines\\n-- of it.\\n\\nselect 1 -- one")
    ['Two lines', 'of it.']
    """
    comment = takewhile(lambda line: line.startswith("--"), text.splitlines())
    return [line.removeprefix("--").strip() for line in comment]


def _focus_expressions(expressions: Sequence[Expression]) -> Iterator[str]:
    known = {column.name: column.focus_name or column.name for column in focus_columns()}
    named = [(known.get(one.name, one.name), one) for one in expressions if not one.step]
    yield from _expressions(("FOCUS column", "is"), named)


def _expressions(head: tuple[str, str], named: list[tuple[str, Expression]]) -> Iterator[str]:
    """Yield a table of the short expressions, and then each long one as a block of SQL."""
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
