"""The SQL of this package: files in `include/sql`, one relation or statement each.

A file may hold `{name}` places, which are filled with identifiers and other composed SQL and never with text,
and `%(name)s` parameters, which are bound. A literal brace is written `{{`.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, cast

import psycopg
from psycopg import sql

from cloud_costs import layout

FOLDER = layout.SQL


@dataclass(frozen=True)
class Check:
    """One file of `checks/`: a select that returns the violations, and its header."""

    name: str
    severity: Literal["error", "warning"]
    protects: str
    action: str
    text: str

    @property
    def needs(self) -> frozenset[str]:
        """The names of the `{places}` in the check, such as `normalized`: the relations that it reads."""
        return frozenset(re.findall(r"(?<!\{)\{([a-z_]+)\}", self.text))


def parts(path: str) -> list[str]:
    """Return the path of a file, and those of its further parts beside it: `<name>.<part>.sql`."""
    file = FOLDER / path
    more = sorted(file.parent.glob(f"{file.stem}.*{file.suffix}"))
    return [path, *(one.relative_to(FOLDER).as_posix() for one in more)]


@cache
def reference_tables() -> tuple[str, ...]:
    """Return the names of the tables of reference data: the CSV files in `focus/` that do not list columns."""
    names = (path.stem for path in (FOLDER / "focus").glob("*.csv"))
    return tuple(sorted(name for name in names if not name.endswith("_columns")))


@cache
def read(path: str) -> str:
    """Return the text of one file of `include/sql`."""
    return (FOLDER / path).read_text(encoding="utf-8")


def compose(text: str, **parts: sql.Composable) -> sql.Composed:
    """Fill the `{places}` of an SQL text. Raises `KeyError` for a place without a value."""
    return sql.SQL(text).format(**parts)


def render(connection: psycopg.Connection[Any], query: sql.Composed) -> sql.Composed:
    """Return the same SQL as one piece.

    psycopg quotes every name in composed SQL each time that the SQL is used. A mapping holds hundreds, and several
    statements hold a mapping.
    """
    composed = query.as_string(connection)
    return sql.Composed([sql.SQL(composed)])


@cache
def check_names() -> tuple[str, ...]:
    """Return the names of all checks, in the order in which they run."""
    return tuple(sorted(path.stem for path in (FOLDER / "checks").glob("*.sql")))


@cache
def read_checks() -> tuple[Check, ...]:
    """Return all checks. A header holds `-- severity:`, `-- protects:` and `-- action:`."""
    return tuple(_read_check(name) for name in check_names())


def _read_check(name: str) -> Check:
    text = read(f"checks/{name}.sql")
    header = {}
    # An entry goes on in the next line where that is indented by three spaces.
    for key in ("severity", "protects", "action"):
        match = re.search(rf"^-- {key}: (.+(?:\n--   .+)*)", text, re.MULTILINE)
        if not match:
            raise ValueError(f"include/sql/checks/{name}.sql: the header misses '-- {key}:'")
        header[key] = re.sub(r"\s*\n--\s+", " ", match[1]).strip()
    if header["severity"] not in ("error", "warning"):
        raise ValueError(f"include/sql/checks/{name}.sql: severity is 'error' or 'warning'")
    severity = cast(Literal["error", "warning"], header["severity"])
    return Check(name, severity, header["protects"], header["action"], text)
