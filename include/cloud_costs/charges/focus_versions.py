"""The versions of FOCUS as views: `focus_costs_v1_0` to `focus_costs_v1_4`, each with exactly its version's columns.

`focus_costs` is FOCUS 1.2. A column that a newer version adds is derived from the row, or NULL where the row does not
tell. `include/sql/views/focus_versions.csv` lists the columns, the versions that have them, and these expressions.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from psycopg import sql

from cloud_costs.charges.columns import focus_columns
from cloud_costs.database import sql_files
from cloud_costs.formats.focus.versions import VERSIONS


@dataclass(frozen=True)
class VersionColumn:
    """A column of the specification: its name there, its type, and the versions that have it.

    `expression` is the SQL expression of its value, from the columns of a row of `focus_costs`.
    """

    name: str
    type: str
    versions: tuple[str, ...]
    expression: str
    meaning: str


def view_of(version: str) -> str:
    """Return the name of the view of a version.

    >>> view_of("1.0")
    'focus_costs_v1_0'
    """
    return f"focus_costs_v{version.replace('.', '_')}"


VIEWS = {view_of(version): version for version in VERSIONS}


@cache
def version_columns() -> tuple[VersionColumn, ...]:
    """Return the columns of all versions, in the specification's alphabetical order."""
    meanings = {column.focus_name: column.meaning for column in focus_columns()}
    return tuple(
        VersionColumn(
            row["column"],
            row["type"],
            tuple(row["versions"].split()),
            row["expression"] or row["column"].lower(),
            row["meaning"] or meanings[row["column"]],
        )
        for row in csv.DictReader(sql_files.read("views/focus_versions.csv").splitlines())
    )


def columns_of_version(version: str) -> Iterator[VersionColumn]:
    """Yield the columns that a version has."""
    return (column for column in version_columns() if version in column.versions)


def select(version: str, focus_costs: sql.Composable) -> sql.Composed:
    """Return the select of the charges of `focus_costs` with the columns of a version."""
    columns = (
        sql.SQL("({})::{} as {}").format(
            sql_files.compose(column.expression), sql_files.compose(column.type), sql.Identifier(column.name.lower())
        )
        for column in columns_of_version(version)
    )
    return sql.SQL("select\n    {}\nfrom {}").format(sql.SQL(",\n    ").join(columns), focus_costs)
