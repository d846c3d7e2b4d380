"""The columns of the FOCUS views: `include/sql/views/focus_columns.csv`."""

import csv
from dataclasses import dataclass
from functools import cache

from cloud_costs.database import sql_files


@dataclass(frozen=True)
class FocusColumn:
    """A column of the FOCUS views: its type, its name in the specification ('' for this package's own), its meaning."""

    name: str
    type: str
    focus_name: str
    meaning: str


@cache
def focus_columns() -> tuple[FocusColumn, ...]:
    """Return the columns of the FOCUS views in their order."""
    rows = csv.DictReader(sql_files.read("views/focus_columns.csv").splitlines())
    return tuple(FocusColumn(row["column"], row["type"], row["focus"], row["meaning"]) for row in rows)
