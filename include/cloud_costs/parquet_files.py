"""Parquet files: decoded by DuckDB, encoded by pgpq, sent as binary COPY.

Each stream holds one row group's pages and one batch of rows (docs/adr/0002-binary-copy.md).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pgpq
import psycopg
from pgpq import encoders, schema
from psycopg import sql

from cloud_costs.columns import MAX_COLUMNS, Column, duckdb_expression, postgres_type
from cloud_costs.errors import DeliveryError, StorageDenied, StorageUnavailable
from cloud_costs.shape import Copy, FileShape
from cloud_costs.storage import Storage, StoredFile

# Measured on 155 columns and two streams: 5,000 rows take a quarter more memory and no less time.
BATCH_ROWS = 2_000
READ = "read_parquet(?, hive_partitioning=false)"


def read_shape(reader: duckdb.DuckDBPyConnection, storage: Storage, where: str, file: StoredFile) -> FileShape:
    """Read the footer of a file."""
    with read_errors(where, file):
        path = _literal(storage.local_path(file.uri))
        found = reader.execute(f"select * from {READ} limit 0", [path]).description or []  # noqa: S608  a literal
        counted = reader.execute("select num_rows from parquet_file_metadata(?)", [path]).fetchone()
        elements = reader.execute("select name, num_children from parquet_schema(?)", [path]).fetchall()
        kinds = dict(zip(_column_names(elements), (str(column[1]) for column in found), strict=True))
    if len(kinds) > MAX_COLUMNS:
        raise DeliveryError(f"{where}: {file.uri}: {len(kinds)} columns; PostgreSQL takes {MAX_COLUMNS} at most")
    types = {name: postgres_type(kind) for name, kind in kinds.items()}
    return FileShape(file, types, kinds, counted[0] if counted else 0)


def copy_file(copy: Copy) -> int:
    """Copy one file and return the number of its rows.

    Raises `DeliveryError` for a file that cannot be read or that yields another number of rows than its footer
    says.
    """
    where, shape = copy.where, copy.shape
    # By position: DuckDB folds names that differ in case alone.
    aliases = {original: f"c{number}" for number, original in enumerate(shape.types)}
    select = ", ".join(
        f"{duckdb_expression(alias, shape.duckdb_types[column.original], column.type)} as {alias}"
        for column in copy.columns
        for alias in [aliases[column.original]]
    )
    lines = f"select {select} from {READ} as lines({', '.join(aliases.values())})"  # noqa: S608  our aliases
    rows = 0
    with open_reader(copy.storage) as reader, copy.database.session() as connection:
        with read_errors(where, shape.file):
            path = _literal(copy.storage.local_path(shape.file.uri))
            batches = reader.execute(lines, [path]).to_arrow_reader(BATCH_ROWS)
        encoder = _encoder(batches.schema, copy.columns)
        with _copy_errors(where, shape.file), connection.cursor() as cursor:
            with cursor.copy(copy.statement(sql.SQL("format binary"))) as writer:
                writer.write(encoder.write_header())
                while True:
                    copy.report(0)
                    with read_errors(where, shape.file):
                        batch = next(batches, None)
                    if batch is None:
                        break
                    writer.write(encoder.write_batch(batch))
                    rows += batch.num_rows
                    copy.report(batch.num_rows)
                writer.write(encoder.finish())
            stored = cursor.rowcount
    if not shape.rows == rows == stored:
        raise DeliveryError(
            f"{where}: {shape.file.uri}: its footer says {shape.rows} rows, {rows} were read and {stored} stored"
        )
    return rows


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


@contextmanager
def _copy_errors(where: str, file: StoredFile) -> Iterator[None]:
    """Turn what PostgreSQL says of a value, such as a NUL in a text, into an error about the file."""
    try:
        yield
    except psycopg.DataError as error:
        raise DeliveryError(f"{where}: {file.uri}: {' '.join(str(error).split())}") from None
    except psycopg.errors.ProgramLimitExceeded as error:
        raise DeliveryError(
            f"{where}: {file.uri}: PostgreSQL cannot hold a line: {error.diag.message_primary}"
        ) from None


def _encoder(arrow_schema: Any, columns: tuple[Column, ...]) -> pgpq.ArrowToPostgresBinaryEncoder:
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
