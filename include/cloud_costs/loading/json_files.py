"""JSON lines: one object on each line, as BigQuery writes its exports.

No number becomes a float on the way. The bytes go from storage to COPY as they are, and each line becomes a jsonb value
of a temporary table. The numbers of jsonb are exact. PostgreSQL then takes the columns from these values.

A file is read twice. It has no header, and an object leaves out the keys that it has no value for, so the columns are
known only after the last line. Both passes read the file in pieces, so memory does not depend on its size.
"""

import io
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from gzip import GzipFile
from typing import IO, Any

import psycopg
from psycopg import sql

from cloud_costs.database.postgres import Connection
from cloud_costs.errors import DeliveryError
from cloud_costs.formats.delivery import Format
from cloud_costs.loading.columns import MAX_COLUMNS, Column
from cloud_costs.loading.csv_files import BOM, CHUNK_BYTES, file_errors, holds_end_mark, value_errors
from cloud_costs.loading.shape import Copied, Copy, FileShape
from cloud_costs.storage.files import Storage, StoredFile
from cloud_costs.storage.ranges import PIECE_BYTES

LINES = sql.Identifier("pg_temp", "json_lines")
# A line of a bill has some kilobytes. This is DuckDB's own limit for an object, so both engines read the same files.
LINE_BYTES = 16 << 20
# COPY's text format would interpret the backslashes of JSON. CSV does not, and JSON text holds no raw control
# characters, so with these two as delimiter and quote each line is one value.
OPTIONS = sql.SQL(r"format csv, delimiter e'\x01', quote e'\x02', encoding 'utf8'")


def is_json(file: StoredFile) -> bool:
    """Tell whether the file is JSON lines, plain or in gzip."""
    return re.search(r"\.(json|jsonl|ndjson)(\.gz)?$", file.name) is not None


def read_shape(storage: Storage, where: str, file: StoredFile, form: Format) -> FileShape:
    """Read the keys of all lines. A key with objects or lists is jsonb; the format's rule types every other key.

    Raises `DeliveryError`, which names the line, for a line that is no JSON object.
    """
    # For each key, whether any line has an object or a list under it. The dictionary keeps the order of appearance.
    nested: dict[str, bool] = {}
    with file_errors(storage, where, file), _opened(storage, file) as stored:
        for number, line in _lines(stored, where, file):
            for key, value in _parsed(line, f"{where}: {file.uri}: line {number}").items():
                if not nested.get(key):
                    nested[key] = isinstance(value, dict | list)
    if len(nested) > MAX_COLUMNS:
        raise DeliveryError(f"{where}: {file.uri}: {len(nested)} columns; PostgreSQL takes {MAX_COLUMNS} at most")
    types = {key: "jsonb" if inner else form.csv_type(form.raw_name(key)) for key, inner in nested.items()}
    return FileShape(file, types)


def copy_file(copy: Copy) -> Copied:
    """Copy one file in one transaction, and return how many lines PostgreSQL stored.

    Raises `DeliveryError`, which names the file, the line and the key, for a value that the column's type cannot hold.
    """
    where, file = copy.where, copy.shape.file
    with (
        copy.transaction() as transaction,
        file_errors(copy.storage, where, file),
        _opened(copy.storage, file) as stored,
        value_errors(where, file.uri),
    ):
        connection = transaction.connection
        connection.execute(
            sql.SQL("create temp table {} (number bigint generated always as identity, line jsonb)").format(
                sql.Identifier("json_lines")
            )
        )
        _send(connection, copy, stored)
        rows = _move(connection, copy) if copy.columns else 0
    return Copied(rows, transaction.number)


def _send(connection: Connection, copy: Copy, stored: IO[bytes]) -> None:
    """Send the lines to the temporary table; an empty one is stored as NULL."""
    statement = sql.SQL("copy {} (line) from stdin ({})").format(LINES, OPTIONS)
    before = b""
    with connection.cursor() as cursor, cursor.copy(statement) as writer:
        while chunk := stored.read(CHUNK_BYTES):
            copy.report(chunk.count(b"\n"))
            if connection.info.server_version < 180_000 and holds_end_mark(before, chunk):
                raise DeliveryError(f"{copy.where}: {copy.shape.file.uri}: a line is \\. alone, which is no JSON")
            writer.write(chunk)
            before = chunk


def _move(connection: Connection, copy: Copy) -> int:
    """Take the columns from the lines; where a value does not fit its column, name the line."""
    statement = sql.SQL("insert into {} ({}) select {} from {} where line is not null").format(
        copy.table,
        sql.SQL(", ").join(sql.Identifier(column.name) for column in copy.columns),
        sql.SQL(", ").join(map(_value, copy.columns)),
        LINES,
    )
    try:
        with connection.transaction():
            return connection.execute(statement).rowcount
    except psycopg.DataError as error:
        number, column = _first_misfit(connection, copy.columns)
        raise DeliveryError(
            f"{copy.where}: {copy.shape.file.uri}: line {number}, column {column}: {error.diag.message_primary}"
        ) from None


def _value(column: Column) -> sql.Composable:
    """Return the SQL expression of a column's value. JSON's null is NULL, and so is the empty text for other types."""
    key = sql.Literal(column.original)
    if column.type == "jsonb":
        return sql.SQL("nullif(line -> {}, 'null')").format(key)
    if column.type == "text":
        return sql.SQL("line ->> {}").format(key)
    return sql.SQL("nullif(line ->> {}, '')::{}").format(key, sql.SQL(column.type))


def _first_misfit(connection: Connection, columns: tuple[Column, ...]) -> tuple[int, str]:
    """Return the first line with a value that does not fit, and its column.

    PostgreSQL's error names neither. Halving the lines finds them: a million lines take twenty queries.
    """
    row = connection.execute(sql.SQL("select max(number) from {}").format(LINES)).fetchone()
    first, last = 1, int(row[0]) if row else 1
    while first < last:
        middle = (first + last) // 2
        if _fit(connection, columns, first, middle):
            first = middle + 1
        else:
            last = middle
    return first, next((one.original for one in columns if not _fit(connection, (one,), first, first)), "")


def _fit(connection: Connection, columns: tuple[Column, ...], first: int, last: int) -> bool:
    """Tell whether all values of these lines fit their columns."""
    # `count` makes PostgreSQL compute, and so cast, every value. The savepoint keeps the transaction usable.
    counts = sql.SQL(", ").join(sql.SQL("count({})").format(_value(column)) for column in columns)
    try:
        with connection.transaction():
            connection.execute(
                sql.SQL("select {} from {} where number between {} and {}").format(counts, LINES, first, last)
            )
    except psycopg.DataError:
        return False
    return True


@contextmanager
def _opened(storage: Storage, file: StoredFile) -> Iterator[IO[bytes]]:
    """Open the lines of a file, without the byte order mark."""
    with ExitStack() as stack:
        stored: Any = stack.enter_context(io.BufferedReader(storage.open(file), PIECE_BYTES))
        if file.name.endswith(".gz"):
            stored = stack.enter_context(io.BufferedReader(GzipFile(fileobj=stored), CHUNK_BYTES))
        if stored.peek(len(BOM)).startswith(BOM):
            stored.read(len(BOM))
        yield stored


def _lines(stored: IO[bytes], where: str, file: StoredFile) -> Iterator[tuple[int, bytes]]:
    """Yield every line that is not empty, and its number."""
    number = 0
    while line := stored.readline(LINE_BYTES + 1):
        number += 1
        if len(line) > LINE_BYTES:
            raise DeliveryError(f"{where}: {file.uri}: line {number} is longer than {LINE_BYTES} bytes")
        if line.strip(b"\r\n"):
            yield number, line


def _parsed(line: bytes, place: str) -> dict[str, Any]:
    """Return the object of a line, with its numbers as texts: only its keys and their kinds are used."""
    try:
        value = json.loads(line.decode("utf-8"), parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise DeliveryError(f"{place}: no JSON: {error}") from None
    if not isinstance(value, dict):
        raise DeliveryError(f"{place}: a JSON object is expected, one on each line")
    return value
