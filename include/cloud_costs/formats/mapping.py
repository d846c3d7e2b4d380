"""The columns that a mapping reads: `include/sql/focus/<mapping>_columns.csv`.

They decide which raw columns are kept with `raw: mapped`, which columns the mapping gets, and which ones the second
engine reads.
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

    `aliases` are other names of the column. `product->sku` is the key `sku` of the map column `product`.
    `credits[]->amount` is the sum of the key `amount` over the entries of the list `credits`; a number there is read as
    a double is, with 15 digits. Aliases that begin with `=` are an SQL expression of other columns, written as
    `{column}`, which PostgreSQL and DuckDB read alike. No export has such a column.

    Two types are not PostgreSQL's. `net` is a boolean: whether the line's billing account is on the net basis in the
    month. Its aliases are the column of that account, and the raw column of net costs. `count` is the number of lines.

    `daily` says what happens to the column when the like lines of a day are summed:

    - `key`: like lines have the same value.
    - `sum`: the values are added up.
    - `sum of` and an SQL expression of columns: the expression's value for each line is added up. No export has such a
      column.
    - any other SQL expression of columns: its value is a key. An expression that does not name the column itself
      derives it from others, for single lines too, and no export has the column.
    - nothing: the sums do not have the column.
    """

    name: str
    type: str
    aliases: tuple[str, ...]
    daily: str
    expression: str = ""

    @property
    def sum_of(self) -> str:
        """The expression whose values are added up; '' for any other column."""
        return self.daily.removeprefix(SUM_OF) if self.daily.startswith(SUM_OF) else ""

    @property
    def is_derived_key(self) -> bool:
        """Whether an expression of columns is a key of the sums, in the place of the column."""
        return self.daily not in ("", "key", "sum") and not self.sum_of

    @property
    def is_derived(self) -> bool:
        """Whether the column is derived from others, as a key of the sums and for single lines."""
        return self.is_derived_key and f"{{{self.name}}}" not in self.daily

    @property
    def raw_names(self) -> tuple[str, ...]:
        """The raw columns and map keys that may hold the column; the first one that an export has counts."""
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
    """Tell whether a format's mapping reads a raw column, be it for a key of a map or for tags."""
    return form.tags.hold(name) or name in _raw_columns(form.mapping)


def billed_columns(form: Format) -> frozenset[str]:
    """Return the raw columns that may hold the billed cost, in every spelling of exports. A file needs one of them."""
    billed = (form.billed,) if isinstance(form.billed, str) else form.billed
    spelled = (column.aliases for column in line_columns(form.mapping) if set(column.aliases[:1]) & set(billed))
    return frozenset(billed).union(*spelled)


@cache
def _raw_columns(mapping: str) -> frozenset[str]:
    return frozenset(
        name.partition("->")[0].removesuffix(LIST) for column in line_columns(mapping) for name in column.raw_names
    )
