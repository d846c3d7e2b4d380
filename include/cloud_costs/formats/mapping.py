"""The columns that a mapping reads: `include/sql/focus/<mapping>_columns.csv`.

A format shares them with everything that has to know which raw columns matter: what is kept with `raw: mapped`, what
the mapping is handed, and what the second engine reads.
"""

import csv
from dataclasses import dataclass
from functools import cache

from cloud_costs.database import sql_files
from cloud_costs.formats.delivery import Format


@dataclass(frozen=True)
class LineColumn:
    """A column that a mapping reads: its type there, and its other names in exports.

    The alias `product->sku` is the key `sku` of the map column `product`. Where the aliases begin with `=`, no export
    has the column: it is an SQL expression of other columns, `{column}` each, which PostgreSQL and DuckDB read alike.

    Two types are not PostgreSQL's. `exported` is a boolean: whether the column that the alias names holds values in
    the month. `count` is the number of lines.

    `daily` says what becomes of the column when the like lines of a day are summed. A `key` is the same in all of
    them. A `sum` is added up. Anything else is an SQL expression of columns, `{column}` each, whose value is a key.
    A column whose `daily` is empty is not in the sums.
    """

    name: str
    type: str
    aliases: tuple[str, ...]
    daily: str
    expression: str = ""

    @property
    def raw_names(self) -> tuple[str, ...]:
        """The raw columns and map keys that may hold the column, the first one that is there first."""
        if self.expression:
            return ()
        return self.aliases if self.type in ("exported", "count") else (self.name, *self.aliases)


@cache
def line_columns(mapping: str) -> tuple[LineColumn, ...]:
    """Return the columns that a mapping reads."""
    rows = csv.DictReader(sql_files.read(f"focus/{mapping}_columns.csv").splitlines())
    return tuple(_line_column(row) for row in rows)


def _line_column(row: dict[str, str]) -> LineColumn:
    if row["aliases"].startswith("="):
        return LineColumn(row["column"], row["type"], (), row["daily"], row["aliases"][1:])
    return LineColumn(row["column"], row["type"], tuple(row["aliases"].split()), row["daily"])


def is_read(form: Format, name: str) -> bool:
    """Tell whether a format's mapping reads a raw column: for itself, for a key of a map, or for tags."""
    return form.tags.hold(name) or name in _raw_columns(form.mapping)


@cache
def _raw_columns(mapping: str) -> frozenset[str]:
    return frozenset(name.partition("->")[0] for column in line_columns(mapping) for name in column.raw_names)
