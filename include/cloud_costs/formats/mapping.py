"""The columns that a mapping reads: `include/sql/focus/<mapping>_columns.csv`.

A format shares them with everything that has to know which raw columns matter: what is kept with `raw: mapped`, what
the mapping is handed, and what the second engine reads.
"""

import csv
from dataclasses import dataclass
from functools import cache

from cloud_costs.database import sql_files
from cloud_costs.formats.delivery import Format

SUM_OF = "sum of "
# Behind the name of a column that is a list.
LIST = "[]"


@dataclass(frozen=True)
class LineColumn:
    """A column that a mapping reads: its type there, and its other names in exports.

    The alias `product->sku` is the key `sku` of the map column `product`. The alias `credits[]->amount` is the sum of
    the key `amount` over the entries of the list `credits`; a number there is read as a double is, with 15 digits.
    Where the aliases begin with `=`, no export has the column: it is an SQL expression of other columns, `{column}`
    each, which PostgreSQL and DuckDB read alike.

    Two types are not PostgreSQL's. `net` is a boolean: whether the line's billing account is on the net basis in the
    month; its aliases are the column of that account, and the raw column of net costs. `count` is the number of lines.

    `daily` says what becomes of the column when the like lines of a day are summed. A `key` is the same in all of
    them. A `sum` is added up. `sum of` and an SQL expression of columns, `{column}` each, is a column that no export
    has: the expression's value for each line, added up. Anything else is such an expression whose value is a key. A
    column whose `daily` is empty is not in the sums. A key whose expression does not name itself is in no export: it is
    derived from the others, for single lines too.
    """

    name: str
    type: str
    aliases: tuple[str, ...]
    daily: str
    expression: str = ""

    @property
    def sum_of(self) -> str:
        """The expression of a line that is added up; '' for a column that an export has."""
        return self.daily.removeprefix(SUM_OF) if self.daily.startswith(SUM_OF) else ""

    @property
    def is_derived_key(self) -> bool:
        """Whether the sums have an expression of columns as a key, instead of the column."""
        return self.daily not in ("", "key", "sum") and not self.sum_of

    @property
    def is_derived(self) -> bool:
        """Whether the column is made of others, as a key of the sums and for single lines."""
        return self.is_derived_key and f"{{{self.name}}}" not in self.daily

    @property
    def raw_names(self) -> tuple[str, ...]:
        """The raw columns and map keys that may hold the column, the first one that is there first."""
        if self.expression:
            return ()
        if self.type in ("net", "count"):
            return self.aliases[1:]
        return (self.name, *self.aliases)


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


def billed_columns(form: Format) -> frozenset[str]:
    """Return the raw columns of which a file needs one, to say what is billed: in every spelling of exports."""
    billed = (form.billed,) if isinstance(form.billed, str) else form.billed
    spelled = (column.aliases for column in line_columns(form.mapping) if set(column.aliases[:1]) & set(billed))
    return frozenset(billed).union(*spelled)


@cache
def _raw_columns(mapping: str) -> frozenset[str]:
    return frozenset(
        name.partition("->")[0].removesuffix(LIST) for column in line_columns(mapping) for name in column.raw_names
    )
