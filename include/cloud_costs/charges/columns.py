"""The columns of the FOCUS views: those of all providers in `views/focus_columns.csv`, and each provider's own.

Where FOCUS has no column for something, a provider has a column of its own whose name begins with `x_`. Each provider
lists these columns in `include/sql/focus/<provider>_x_columns.csv`. In the views of other providers they are NULL.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from cloud_costs.database import sql_files


@dataclass(frozen=True)
class FocusColumn:
    """A column of the FOCUS views. `focus_name` is its name in the specification, or '' where that has none."""

    name: str
    type: str
    focus_name: str
    meaning: str


@cache
def focus_columns() -> tuple[FocusColumn, ...]:
    """Return the columns of the FOCUS views in their order; raises `ValueError` for a column that is listed twice."""
    columns = [column for path in ("views/focus_columns.csv", *_of_providers()) for column in _read(path)]
    names = [column.name for column in columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"the FOCUS column {twice[0]!r} is listed twice in include/sql")
    return tuple(columns)


def _of_providers() -> list[str]:
    return sorted(
        path.relative_to(sql_files.FOLDER).as_posix() for path in sql_files.FOLDER.glob("focus/*_x_columns.csv")
    )


def _read(path: str) -> Iterator[FocusColumn]:
    for row in csv.DictReader(sql_files.read(path).splitlines()):
        yield FocusColumn(row["column"], row["type"], row.get("focus", ""), row["meaning"])
