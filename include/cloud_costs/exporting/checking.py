"""The check of an export before its manifest is written: DuckDB reads the files, and says what PostgreSQL says.

Like the second engine of a load, DuckDB shares no code with what wrote the files. It counts the rows of each currency,
and sums each cost in Parquet files. PostgreSQL's own sums go into the manifest.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

from cloud_costs.database.postgres import Connection
from cloud_costs.errors import ExportFailed
from cloud_costs.exporting.files import DECIMAL, Written
from cloud_costs.exporting.relations import Exported, totals

MEMORY = "128MB"

Sums = Mapping[str, Mapping[str, Decimal]]
# By currency, the number of rows and the sums.
Totals = dict[str, tuple[int, list[Decimal]]]


def checked_sums(connection: Connection, found: Exported, month: date, written: Written, folder: Path) -> Sums:
    """Return the sum of each cost by currency, as PostgreSQL states it in the open transaction.

    Raises `ExportFailed` where the files have other rows or sums.
    """
    stored: Totals = {
        currency or "": (count, sums) for currency, count, *sums in connection.execute(totals(found), [month])
    }
    read = _read(found, written, folder)
    types = {column.name: column.type for column in written.columns}
    for currency in sorted(stored.keys() | read.keys()):
        (count, sums), (there, others) = stored.get(currency, (0, [])), read.get(currency, (0, []))
        if count != there:
            raise ExportFailed(
                f"{there} rows in {currency or 'no currency'} are in the files, and {count} are published"
            )
        for name, ours, theirs in zip(found.sums, sums, others, strict=True):
            # DuckDB has no exact number for an amount that is text, because it has more digits.
            if types[name] == DECIMAL and ours != theirs:
                raise ExportFailed(f"{name} in {currency} is {theirs} in the files, and {ours} is published")
    return {currency: dict(zip(found.sums, sums, strict=True)) for currency, (_, sums) in sorted(stored.items())}


def _read(found: Exported, written: Written, folder: Path) -> Totals:
    import duckdb

    paths = [str(folder / file.name) for file in written.files]
    reader = "read_csv($paths, all_varchar = true, header = true, delim = ',', quote = '\"', escape = '\"')"
    if paths[0].endswith(".parquet"):
        reader = "read_parquet($paths)"
    types = {column.name: column.type for column in written.columns}
    sums = ", ".join(f'sum("{name}")' if types[name] == DECIMAL else "null" for name in found.sums)
    with duckdb.connect(config={"memory_limit": MEMORY, "threads": 2, "temp_directory": str(folder)}) as connection:
        rows = connection.execute(
            f'select "{found.currency}", count(*), {sums} from {reader} group by all',  # noqa: S608  our own names
            {"paths": paths},
        ).fetchall()
    return {currency or "": (count, list(sums)) for currency, count, *sums in rows}
