"""Stream the files of a delivery into a staging table: Parquet, Arrow batches, binary COPY.

Memory does not depend on the size of the month: each stream holds one row group's pages and one batch of rows.
Several files are streamed at once, each over a connection of its own (docs/adr/0002-binary-copy.md).
"""

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

import duckdb
import pgpq
import psycopg
from pgpq import encoders, schema
from psycopg import sql

from cloud_costs.columns import RESERVED, Column, duckdb_expression, merge_types, postgres_type, raw_names
from cloud_costs.delivery import Delivery
from cloud_costs.errors import DeliveryError, StorageDenied, StorageUnavailable
from cloud_costs.postgres import Connection, Database
from cloud_costs.storage import Storage, StoredFile

log = logging.getLogger(__name__)

# Measured best on 155 columns: larger batches cost memory, smaller ones calls.
BATCH_ROWS = 5_000
STREAMS = 2
READ = "read_parquet(?, hive_partitioning=false)"

Progress = Callable[[int], None]


@dataclass(frozen=True)
class FileShape:
    """What the footer of one file says: its columns with DuckDB's types, in order, and the number of rows."""

    file: StoredFile
    types: Mapping[str, str]
    rows: int


@dataclass(frozen=True)
class Shape:
    """What a delivery holds: its raw columns, and each file's own."""

    columns: tuple[Column, ...]
    files: tuple[FileShape, ...]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


class _Stopped(Exception):
    """Another stream failed."""


def read_shape(
    storage: Storage, delivery: Delivery, published: Mapping[str, str], known: Mapping[str, str] = MappingProxyType({})
) -> Shape:
    """Read the footers of all files and decide the raw columns.

    They are wide enough for the types that are `published` by raw name, and an exported column that is `known`
    keeps its raw name.
    """
    where = delivery.manifest.label
    files = []
    with open_reader(storage) as reader:
        for file in delivery.files:
            with read_errors(where, file):
                path = _literal(storage.local_path(file.uri))
                found = reader.execute(f"select * from {READ} limit 0", [path]).description or []  # noqa: S608
                counted = reader.execute("select num_rows from parquet_file_metadata(?)", [path]).fetchone()
                elements = reader.execute("select name, num_children from parquet_schema(?)", [path]).fetchall()
                types = dict(zip(_column_names(elements), (str(column[1]) for column in found), strict=True))
                files.append(FileShape(file, types, counted[0] if counted else 0))
    originals = dict.fromkeys(name for file in files for name in file.types)
    names = raw_names(originals, known)
    by_file = {file.file.uri: {names[name]: postgres_type(kind) for name, kind in file.types.items()} for file in files}
    merged = merge_types(where, by_file, published)
    columns = tuple(Column(names[original], original, merged[names[original]]) for original in originals)
    return Shape(columns, tuple(files))


def _column_names(elements: list[tuple[str, int | None]]) -> list[str]:
    """Return the names of a file's columns as the exporter wrote them, from the elements of its schema.

    DuckDB itself renames columns that differ in case alone, each file by the order that it has. The elements are
    the tree in depth-first order, the root first. A name that is given twice is numbered.
    """
    names: list[str] = []
    at = 1
    while at < len(elements):
        name = elements[at][0]
        names.append(name if name not in names else f"{name} ({names.count(name) + 1})")
        left = 1
        while left:
            left += (elements[at][1] or 0) - 1
            at += 1
    return names


def create_raw_table(connection: Connection, table: sql.Identifier, columns: tuple[Column, ...], month: date) -> None:
    """Create the staging table of the raw lines, ready to become the month's partition.

    The CHECK constraint spares the scan when it is attached.
    """
    definitions = [
        sql.SQL("{name} date not null default {month} check ({name} = {month})").format(
            name=sql.Identifier(RESERVED), month=sql.Literal(month)
        )
    ]
    definitions += [sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(c.type)) for c in columns]
    connection.execute(sql.SQL("create table {} ({})").format(table, sql.SQL(", ").join(definitions)))


def copy_files(
    database: Database,
    storage: Storage,
    where: str,
    shape: Shape,
    table: sql.Identifier,
    streams: int = STREAMS,
    progress: Progress | None = None,
) -> int:
    """Copy every file into the table and return the number of rows.

    Raises `DeliveryError` for a file that cannot be read or that yields another number of rows than its footer
    says; the first failure stops the other streams.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=max(1, min(streams, len(shape.files))), thread_name_prefix="copy") as pool:
        copies = [
            pool.submit(_copy_file, database, storage, where, file, shape.columns, table, stop, progress)
            for file in shape.files
        ]
        try:
            return sum(copy.result() for copy in as_completed(copies))
        finally:
            # After a failure, or an interrupt of this thread, the streams end with their batch at hand.
            stop.set()
            for copy in copies:
                copy.cancel()


def _copy_file(
    database: Database,
    storage: Storage,
    where: str,
    shape: FileShape,
    columns: tuple[Column, ...],
    table: sql.Identifier,
    stop: threading.Event,
    progress: Progress | None,
) -> int:
    if stop.is_set():
        raise _Stopped
    by_original = {column.original: column for column in columns}
    here = [by_original[original] for original in shape.types]
    # By position: DuckDB folds names that differ in case alone.
    aliases = [f"c{number}" for number in range(len(here))]
    select = ", ".join(
        f"{duckdb_expression(alias, kind, column.type)} as {alias}"
        for alias, kind, column in zip(aliases, shape.types.values(), here, strict=True)
    )
    lines = f"select {select} from {READ} as lines({', '.join(aliases)})"  # noqa: S608
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        table, sql.SQL(", ").join(sql.Identifier(column.name) for column in here)
    )
    rows = 0
    with open_reader(storage) as reader, database.session() as connection:
        with read_errors(where, shape.file):
            path = _literal(storage.local_path(shape.file.uri))
            batches = reader.execute(lines, [path]).to_arrow_reader(BATCH_ROWS)
        encoder = _encoder(batches.schema, here)
        with _copy_errors(where, shape.file), connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                copy.write(encoder.write_header())
                while True:
                    if stop.is_set():
                        raise _Stopped
                    with read_errors(where, shape.file):
                        batch = next(batches, None)
                    if batch is None:
                        break
                    copy.write(encoder.write_batch(batch))
                    rows += batch.num_rows
                    if progress:
                        progress(batch.num_rows)
                copy.write(encoder.finish())
            stored = cursor.rowcount
    if not shape.rows == rows == stored:
        raise DeliveryError(
            f"{where}: {shape.file.uri}: its footer says {shape.rows} rows, {rows} were read and {stored} stored"
        )
    log.info("%s: copied %s: %s rows, %s bytes", where, shape.file.uri, rows, shape.file.size)
    return rows


@contextmanager
def _copy_errors(where: str, file: StoredFile) -> Iterator[None]:
    """Turn what PostgreSQL says of a value, such as a NUL in a text, into an error about the file."""
    try:
        yield
    except psycopg.DataError as error:
        raise DeliveryError(f"{where}: {file.uri}: {' '.join(str(error).split())}") from None


def _encoder(arrow_schema: Any, columns: list[Column]) -> pgpq.ArrowToPostgresBinaryEncoder:
    builders: dict[str, Any] = {}
    for field, column in zip(arrow_schema, columns, strict=True):
        if column.type == "jsonb":
            builders[field.name] = encoders.StringEncoderBuilder.new_with_output(field, schema.Jsonb())
        else:
            builders[field.name] = pgpq.ArrowToPostgresBinaryEncoder.infer_encoder(field)
    return pgpq.ArrowToPostgresBinaryEncoder.new_with_encoders(arrow_schema, builders)


def _literal(path: str) -> str:
    """Return the path as a DuckDB glob that matches it alone: AWS report names may hold `*`."""
    return re.sub(r"([*?\[])", r"[\1]", path)


@contextmanager
def open_reader(storage: Storage) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB connection that reads from the storage, and downloads no extension."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": 1,
            "memory_limit": "1GB",
            "preserve_insertion_order": False,
            # Every byte is read once: a cache would only grow with the file.
            "enable_external_file_cache": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    try:
        storage.prepare(connection)
        yield connection
    finally:
        connection.close()


@contextmanager
def read_errors(where: str, file: StoredFile) -> Iterator[None]:
    """Turn DuckDB's errors about one file into ours, with the source, the month and the file."""
    try:
        yield
    except (duckdb.Error, OSError, ValueError, RuntimeError) as error:
        words = " ".join(str(error).split("\n\nLINE")[0].split())
        message = f"{where}: {file.uri}: {words}"
        if isinstance(error, duckdb.HTTPException):
            if any(f"HTTP {status}" in words for status in (301, 400, 401, 403)):
                raise StorageDenied(message) from None
            raise StorageUnavailable(message) from None
        if isinstance(error, duckdb.IOException) and "http" in words.lower():
            raise StorageUnavailable(message) from None
        if isinstance(error, duckdb.OutOfMemoryException):
            raise DeliveryError(message) from None
        raise DeliveryError(f"{message} (the file is damaged, or not Parquet)") from None
