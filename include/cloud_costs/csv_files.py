"""CSV files: the bytes go from storage to COPY as they are, and PostgreSQL parses and types them.

No parser of ours stands between the bill and the table: money is read by PostgreSQL's own numeric, exactly, and a
value that is none rejects the file with its line and column. Plain files, gzip and zip are read in pieces; memory
does not depend on their size.
"""

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

import psycopg
from psycopg import sql

from cloud_costs.columns import MAX_COLUMNS
from cloud_costs.delivery import Format
from cloud_costs.errors import DeliveryError
from cloud_costs.shape import Copy, FileShape
from cloud_costs.storage import Storage, StoredFile

CHUNK_BYTES = 1 << 20
HEADER_BYTES = 1 << 20
BOM = b"\xef\xbb\xbf"


def is_csv(file: StoredFile) -> bool:
    """Tell whether the file is CSV, whatever it is packed in."""
    return re.search(r"\.(csv|csv\.gz|zip)$", file.name) is not None


def read_shape(storage: Storage, where: str, file: StoredFile, form: Format) -> FileShape:
    """Read the header of a file; the format's type rule types its columns.

    Raises `DeliveryError` for a file that cannot be read, or members of a zip with different headers.
    """
    with file_errors(where, file), _members(storage, file) as members:
        headers = [_read_header(where, file, member) for member in members]
    if not headers:
        raise DeliveryError(f"{where}: {file.uri}: the zip file holds no CSV file")
    if any(header != headers[0] for header in headers):
        raise DeliveryError(f"{where}: {file.uri}: the CSV files in the zip file have different columns")
    return FileShape(file, {name: form.csv_type(form.raw_name(name)) for name in headers[0]})


def copy_file(copy: Copy) -> int:
    """Copy one file and return the number of its rows, as PostgreSQL counted them."""
    nulls = sql.SQL(", ").join(sql.Identifier(column.name) for column in copy.columns)
    # An absent value is NULL, quoted or not.
    options = sql.SQL("format csv, encoding 'utf8', null '', force_null ({})").format(nulls)
    where, file = copy.where, copy.shape.file
    rows = 0
    with copy.database.session() as connection, file_errors(where, file), _members(copy.storage, file) as members:
        for member in members:
            _read_header(where, file, member)
            with connection.cursor() as cursor:
                with cursor.copy(copy.statement(options)) as writer:
                    while chunk := member.read(CHUNK_BYTES):
                        copy.report(chunk.count(b"\n"))
                        writer.write(chunk)
                rows += cursor.rowcount
    return rows


@contextmanager
def _members(storage: Storage, file: StoredFile) -> Iterator[Iterator[IO[bytes]]]:
    """Open the CSV files that a file is or holds, one after the other."""
    with ExitStack() as stack:
        stored = stack.enter_context(storage.open(file))
        yield _unpacked(stack, stored, file)


def _unpacked(stack: ExitStack, stored: IO[bytes], file: StoredFile) -> Iterator[IO[bytes]]:
    if file.name.endswith(".zip"):
        archive = stack.enter_context(zipfile.ZipFile(stored))
        for name in sorted(name for name in archive.namelist() if name.endswith(".csv")):
            with archive.open(name) as member:
                yield member
    elif file.name.endswith(".gz"):
        yield stack.enter_context(io.BufferedReader(gzip.GzipFile(fileobj=stored)))
    else:
        yield stored


def _read_header(where: str, file: StoredFile, member: IO[bytes]) -> list[str]:
    """Read the first line, and leave the member at the second."""
    line = member.readline(HEADER_BYTES)
    if not line.strip():
        raise DeliveryError(f"{where}: {file.uri}: the file is empty; not even a header is there")
    try:
        header = next(csv.reader(io.StringIO(line.removeprefix(BOM).decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DeliveryError(f"{where}: {file.uri}: the header is not CSV: {error}") from None
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise DeliveryError(f"{where}: {file.uri}: the header names {repeated[0]!r} twice")
    if len(header) > MAX_COLUMNS:
        raise DeliveryError(f"{where}: {file.uri}: {len(header)} columns; PostgreSQL takes {MAX_COLUMNS} at most")
    return header


@contextmanager
def file_errors(where: str, file: StoredFile) -> Iterator[None]:
    """Turn what the unpacking and PostgreSQL say of a file into an error that names it, and line and column."""
    try:
        yield
    except psycopg.DataError as error:
        raise DeliveryError(f"{where}: {file.uri}: {_place(error)}{error.diag.message_primary}") from None
    except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise DeliveryError(f"{where}: {file.uri}: {error} (the file is damaged)") from None


def _place(error: psycopg.DataError) -> str:
    """Return the line of the file, its header counted, and the column that PostgreSQL names."""
    context = error.diag.context or ""
    line = re.search(r"line ([0-9]+)", context)
    column = re.search(r"column (.+?)(?:: |$)", context)
    place = f"line {int(line[1]) + 1}" if line else ""
    return f"{place}, column {column[1]}: " if line and column else f"{place}: " if line else ""
