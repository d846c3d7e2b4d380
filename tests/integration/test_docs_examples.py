"""The queries in the documentation give the results that are printed under them.

They run on the demo's sample bill. `UPDATE_DOCS=1 make test ARGS="-k docs_examples"` writes what they give now.
"""

import os
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import in_schema
from pipeline import differing_totals
from psycopg.types.json import set_json_loads
from roles import reading

from cloud_costs.database.postgres import Database
from cloud_costs.demo.embedded_postgres import Server

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/tables.md", "docs/cookbook.md", "docs/operations.md")
EXAMPLE = re.compile(
    r"(?<=^```sql\n)(?P<query>[^`]+)(?P<between>^```\n\n^```text\n)(?P<result>[^`]*)(?=^```$)", re.MULTILINE
)
END_OF_ORDER = re.compile(r"\s*(limit \d+\s*)?;\s*\Z")


@pytest.fixture
def run(postgres: Server, demo: Database) -> Callable[[str], str]:
    """Return a function that runs a reader's query on what the demo loads and prints the result."""

    def run(query: str) -> str:
        with reading(postgres, demo).session() as connection:
            # As PostgreSQL prints it: no float on the way.
            set_json_loads(lambda data: data.decode() if isinstance(data, bytes) else data, connection)
            connection.execute(f'set search_path to "{demo.schema}"')
            return table(connection.execute(query))

    return run


def table(cursor: psycopg.Cursor[Any]) -> str:
    """Print a result as psql does, numbers to the right."""
    rows = cursor.fetchall()
    header = [column.name for column in cursor.description or ()]
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    right = [any(isinstance(row[at], int | Decimal) for row in rows) for at in range(len(header))]

    def line(values: list[str]) -> str:
        return " | ".join(
            value.rjust(width) if at_right else value.ljust(width)
            for value, width, at_right in zip(values, widths, right, strict=True)
        ).rstrip()

    return "\n".join([line(header), "-+-".join("-" * width for width in widths), *map(line, cells), ""])


def test_totals_of_the_demo_are_those_of_costs(demo: Database) -> None:
    assert differing_totals(in_schema(demo)) == {}


def test_printed_results_are_what_the_queries_give(run: Callable[[str], str]) -> None:
    stale = []
    for page in PAGES:
        path = ROOT / page
        text = path.read_text(encoding="utf-8")
        new = EXAMPLE.sub(lambda match: match["query"] + match["between"] + run(match["query"]), text)
        if os.environ.get("UPDATE_DOCS"):
            path.write_text(new, encoding="utf-8")
        elif new != text:
            stale += [
                f"{page}:\n{match['query']}{run(match['query'])}"
                for match in EXAMPLE.finditer(text)
                if run(match["query"]) != match["result"]
            ]
    assert not stale, "results that are not those of the query any more:\n" + "\n".join(stale)


def test_rows_that_compare_equal_have_an_order(run: Callable[[str], str]) -> None:
    """Rows that are equal in what a query orders by come in any order, which differs from machine to machine."""
    moved = []
    for page in PAGES:
        for match in EXAMPLE.finditer((ROOT / page).read_text(encoding="utf-8")):
            shuffled = END_OF_ORDER.sub(r", random() \g<1>;", match["query"])
            if any(run(shuffled) != match["result"] for _ in range(8)):
                moved.append(f"{page}:\n{match['query']}")
    assert not moved, "queries that leave the order of equal rows open:\n" + "\n".join(moved)


def test_examples_are_found() -> None:
    found = {page: len(EXAMPLE.findall((ROOT / page).read_text(encoding="utf-8"))) for page in PAGES}
    assert found["README.md"] >= 1, found
    assert found["docs/tables.md"] >= 5, found
    assert found["docs/cookbook.md"] == (ROOT / "docs/cookbook.md").read_text(encoding="utf-8").count("```sql"), found
