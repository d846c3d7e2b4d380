"""What PostgreSQL says of a month before it is exported, and what DuckDB says of the files before they get a manifest.

Like the second engine of a load, DuckDB shares no code with what wrote the files. It counts the rows of each currency,
and sums each cost in Parquet files. Both have to be what PostgreSQL says, whose sums go into the manifest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from cloud_costs.database.postgres import Connection
from cloud_costs.errors import ExportFailed
from cloud_costs.exporting.files import DECIMAL, Written
from cloud_costs.exporting.relations import SCALE, Exported, facts, places
from cloud_costs.loading.second_engine import literal
from cloud_costs.months import month_label

MEMORY = "128MB"

# By currency, the number of rows and the sum of each cost.
Totals = Mapping[str, tuple[int, Sequence[Decimal]]]


@dataclass(frozen=True)
class Facts:
    """The totals of a month, and the names of columns with numbers that have too many digits for Parquet's decimals."""

    totals: Totals
    too_long: frozenset[str]

    def sums(self, found: Exported) -> dict[str, dict[str, str]]:
        """Return the sum of each cost by currency, as text with every digit."""
        return {
            currency: {name: f"{amount:f}" for name, amount in zip(found.sums, amounts, strict=True)}
            for currency, (_, amounts) in self.totals.items()
        }


def read_facts(connection: Connection, found: Exported, month: date) -> Facts:
    """Ask PostgreSQL in the open transaction."""
    totals: dict[str, tuple[int, list[Decimal]]] = {}
    too_long, long = set(), set()
    for currency, count, *values in connection.execute(facts(found), [month]):
        totals[currency or ""] = (count, values[: len(found.sums)])
        digits = iter(values[len(found.sums) :])
        for column, is_too_large, most_places in zip(found.numbers, digits, digits, strict=True):
            too_long |= {column.name} if is_too_large else set()
            long |= {column.name} if most_places > SCALE else set()
    # Zeros at the end, as a product has them, are no digits that could be lost.
    if columns := [column for column in found.numbers if column.name in long - too_long]:
        most = connection.execute(places(found, columns), [month]).fetchone() or ()
        too_long |= {column.name for column, number in zip(columns, most, strict=True) if number > SCALE}
    return Facts(totals, frozenset(too_long))


def check_files(found: Exported, month: date, written: Written, stored: Facts, folder: Path) -> None:
    """Raise `ExportFailed` where the files have other rows or sums than PostgreSQL."""
    read = _read(found, written, folder)
    types = {column.name: column.type for column in written.columns}
    label = f"{found.source} {month_label(month)}"
    for currency in sorted(stored.totals.keys() | read.keys()):
        (count, sums), (there, others) = stored.totals.get(currency, (0, ())), read.get(currency, (0, ()))
        if count != there:
            where = currency or "no currency"
            raise ExportFailed(f"{label}: the files have {there} rows in {where}, and {count} are published")
        for name, ours, theirs in zip(found.sums, sums, others, strict=True):
            # DuckDB has no exact number for an amount that is text, because it has more digits.
            if types[name] == DECIMAL and ours != theirs:
                raise ExportFailed(f"{label}: {name} in {currency} is {theirs} in the files, and {ours} is published")


def _read(found: Exported, written: Written, folder: Path) -> Totals:
    import duckdb

    # Not a parameter: for the first one, DuckDB imports pandas.
    paths = f"[{', '.join(literal(str(folder / file.name)) for file in written.files)}]"
    reader = f"read_csv({paths}, all_varchar = true, header = true, delim = ',', quote = '\"', escape = '\"')"
    if written.files[0].name.endswith(".parquet"):
        reader = f"read_parquet({paths})"
    types = {column.name: column.type for column in written.columns}
    sums = ", ".join(f'sum("{name}")' if types[name] == DECIMAL else "null" for name in found.sums)
    with duckdb.connect(config={"memory_limit": MEMORY, "threads": 2, "temp_directory": str(folder)}) as connection:
        rows = connection.execute(
            f'select "{found.currency}", count(*), {sums} from {reader} group by all',  # noqa: S608  our own names
        ).fetchall()
    return {currency or "": (count, sums) for currency, count, *sums in rows}
