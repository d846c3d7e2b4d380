"""The files of an export: Parquet with exact decimals, or gzipped CSV. The same rows give the same bytes.

PostgreSQL sends the rows as CSV text, each row of a COPY in a message of its own. For CSV files, the text is compressed
as it comes. For Parquet, Arrow's CSV reader makes columns of it, without a Python object for any value.

Amounts are `decimal(38, 18)` in every file, so that the files of all months and sources have one type: 20 digits before
the point, and 18 behind it. A column with a value that does not fit is text in the files of that month, with all its
digits. Nothing is rounded.
"""

import gzip
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from psycopg import sql

from cloud_costs.database.postgres import Connection
from cloud_costs.exporting.relations import DIGITS, SCALE, Exported, rows
from cloud_costs.formats.focus.exports import ExportedColumn, ExportedFile

if TYPE_CHECKING:
    import pyarrow as pa

# Rows after which a file ends. 891,033 FOCUS charges of AWS are 62 MB of Parquet, a size that engines can read side by
# side.
FILE_ROWS = 1_000_000
# Rows of a row group. The writer holds as many in memory.
GROUP_ROWS = 100_000
# Bytes of text that are parsed at once.
BATCH_BYTES = 8 << 20
DECIMAL = f"decimal({DIGITS}, {SCALE})"
ZSTD_LEVEL, GZIP_LEVEL = 3, 1
# What the manifest calls PostgreSQL's types. In a CSV file, a decimal has as many digits as it needs.
TYPES = {
    "text": "string",
    "jsonb": "json",
    "numeric": DECIMAL,
    "timestamp": "timestamp",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamp with time zone",
}
# How CSV files have values that PostgreSQL writes in another way than FOCUS and other readers do. Times are in UTC.
CSV_VALUES = {
    "boolean": "{}::text",
    "timestamp": "replace({}::text, ' ', 'T') || 'Z'",
    "timestamp without time zone": "replace({}::text, ' ', 'T') || 'Z'",
    "timestamp with time zone": "replace(({} at time zone 'UTC')::text, ' ', 'T') || 'Z'",
}


class _Writer(Protocol):
    """A file that takes batches of CSV text."""

    def write(self, text: bytes) -> None:
        """Take some whole rows."""

    def close(self) -> None:
        """Write what is left, so that the file is whole."""


@dataclass(frozen=True)
class Written:
    """The files that were written, and the names and types of their columns."""

    files: tuple[ExportedFile, ...]
    columns: tuple[ExportedColumn, ...]


def write_files(
    connection: Connection, found: Exported, month: date, file_type: str, too_long: frozenset[str], folder: Path
) -> Written:
    """Write a month's rows into files in the folder, in the open transaction.

    `too_long` are the columns with numbers that are not Parquet's decimals. A month without rows is one file without
    rows, which tells the columns.
    """
    types = {one.name: TYPES.get(one.type, one.type) for one in found.columns}
    if file_type == "csv":
        texts = {one.name: CSV_VALUES[one.type] for one in found.columns if one.type in CSV_VALUES}
        select = rows(found, {name: sql.SQL(text).format(sql.Identifier(name)) for name, text in texts.items()})
        files = _write(connection, select, month, folder, ".csv.gz", partial(_Csv, found=found))
        types |= {one.name: "decimal" for one in found.numbers}
    else:
        opened = partial(_Parquet, found=found, too_long=too_long)
        files = _write(connection, rows(found, {}), month, folder, ".parquet", opened)
        types |= dict.fromkeys(too_long, "string")
    return Written(files, tuple(ExportedColumn(name=name, type=kind) for name, kind in types.items()))


def _write(
    connection: Connection,
    select: sql.Composed,
    month: date,
    folder: Path,
    ending: str,
    open_writer: Callable[[BinaryIO], _Writer],
) -> tuple[ExportedFile, ...]:
    files: list[ExportedFile] = []
    statement = sql.SQL("copy ({}) to stdout (format csv)").format(select)
    with connection.cursor() as cursor, cursor.copy(statement, [month]) as copy:
        batches = _batches(iter(copy))
        batch = next(batches, None)
        while batch is not None or not files:
            path = folder / f"part-{len(files):05d}{ending}"
            count = 0
            # A thread writes one batch while PostgreSQL sends the next one. The pool comes last, so that it is at rest
            # when the writer is closed.
            with path.open("wb") as file, closing(open_writer(file)) as writer, ThreadPoolExecutor(1) as pool:
                written: Future[None] | None = None
                while batch is not None and count < FILE_ROWS:
                    number, text = batch
                    if written:
                        written.result()
                    written = pool.submit(writer.write, text)
                    count += number
                    batch = next(batches, None)
                if written:
                    written.result()
            files.append(_describe(path, count))
    return tuple(files)


def _batches(messages: Iterator[Any]) -> Iterator[tuple[int, bytes]]:
    """Yield the rows in batches, each with its number of rows. Where they are cut depends on the rows alone."""
    held: list[Any] = []
    size = 0
    for row in messages:
        held.append(row)
        size += len(row)
        if size >= BATCH_BYTES:
            yield len(held), b"".join(held)
            held, size = [], 0
    if held:
        yield len(held), b"".join(held)


def _describe(path: Path, count: int) -> ExportedFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ExportedFile(name=path.name, rows=count, bytes=path.stat().st_size, sha256=digest)


class _Csv:
    """A gzipped CSV file with a header; nothing in it tells when it was written, or under what name."""

    def __init__(self, file: BinaryIO, found: Exported) -> None:
        self._file = gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0)
        self._file.write((",".join(one.name for one in found.columns) + "\n").encode())

    def write(self, text: bytes) -> None:
        """Compress some rows."""
        self._file.write(text)

    def close(self) -> None:
        """Write the checksum."""
        self._file.close()


class _Parquet:
    """A Parquet file of row groups of about `GROUP_ROWS` rows, compressed by zstd."""

    def __init__(self, file: BinaryIO, found: Exported, too_long: frozenset[str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = {one.name: _arrow_type("text" if one.name in too_long else one.type) for one in found.columns}
        self._schema = pa.schema(types.items())
        self._file = pq.ParquetWriter(file, self._schema, compression="zstd", compression_level=ZSTD_LEVEL)
        self._held: list[pa.Table] = []

    def write(self, text: bytes) -> None:
        """Parse some rows."""
        self._held.append(self._parse(text))
        if sum(one.num_rows for one in self._held) >= GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        """Write the rows that are left, and the footer."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._held:
            self._file.write_table(pa.concat_tables(self._held))
            self._held.clear()

    def _parse(self, text: bytes) -> "pa.Table":
        import pyarrow as pa
        from pyarrow import csv

        return csv.read_csv(
            pa.BufferReader(text),
            # As one block, because only then a line break in a value is no matter where it is.
            csv.ReadOptions(column_names=self._schema.names, block_size=len(text) + 1),
            csv.ParseOptions(newlines_in_values=True),
            csv.ConvertOptions(
                column_types=self._schema,
                # PostgreSQL writes NULL as nothing, and an empty text in quotes.
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )


def _arrow_type(kind: str) -> "pa.DataType":
    import pyarrow as pa

    types = {
        "bigint": pa.int64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "integer": pa.int32(),
        "numeric": pa.decimal128(DIGITS, SCALE),
        "timestamp": pa.timestamp("us"),
        "timestamp without time zone": pa.timestamp("us"),
        "timestamp with time zone": pa.timestamp("us", "UTC"),
    }
    return types.get(kind, pa.string())
