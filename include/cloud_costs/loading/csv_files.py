"""CSV files: the bytes go from storage to COPY as they are, and PostgreSQL parses and types them.

No parser of ours stands between the bill and the table. PostgreSQL's own numeric reads money exactly. A value of
another type rejects the file, and the message names its line and column. Lines are counted as an editor counts them:
the header is line 1, and a line break inside quotes begins a new line. Plain files, gzip and zip are read in pieces, so
memory does not depend on their size. COPY takes all columns of a file. If some are to be left out, the file goes whole
into a temporary table, and the other columns from there into the raw table.
"""

import csv
import errno
import gzip
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import IO

import psycopg
from psycopg import sql

from cloud_costs.database.postgres import Connection
from cloud_costs.errors import DeliveryError, StorageUnavailable
from cloud_costs.formats.delivery import Format
from cloud_costs.loading.columns import MAX_COLUMNS, Column
from cloud_costs.loading.shape import Copied, Copy, FileShape
from cloud_costs.storage.files import Storage, StoredFile, changed_files
from cloud_costs.storage.ranges import PIECE_BYTES

# Bytes that are unpacked and sent at a time.
CHUNK_BYTES = 1 << 20
# Bytes of the longest header. A file without line ends would be read into memory whole.
HEADER_BYTES = 1 << 20
BOM = b"\xef\xbb\xbf"
END_MARK = re.compile(rb"(?<=\n)\\\.\r?\n")
# What gzip and zipfile raise for a damaged file. The last two are for unknown ways of packing, and for a password.
BROKEN = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


def is_csv(file: StoredFile) -> bool:
    """Tell whether the file is CSV, plain, in gzip or in zip."""
    return re.search(r"\.(csv|csv\.gz|zip)$", file.name) is not None


def read_shape(storage: Storage, where: str, file: StoredFile, form: Format) -> FileShape:
    """Read the header of a file; the format's type rule types its columns.

    Raises `DeliveryError` for a file that cannot be read, or members of a zip with different headers.
    """
    with file_errors(storage, where, file), _members(storage, file) as members:
        headers = {name: _read_header(where, name, member).columns for name, member in members}
    if not headers:
        raise DeliveryError(f"{where}: {file.uri}: the zip file holds no CSV file")
    first, *others = headers
    for name in others:
        if headers[name] != headers[first]:
            raise DeliveryError(f"{where}: {name}: its columns are not those of {first}")
    return FileShape(file, {name: form.csv_type(form.raw_name(name)) for name in headers[first]})


def copy_file(copy: Copy) -> Copied:
    """Copy one file in one transaction, and return how many lines PostgreSQL stored.

    Raises `DeliveryError`, which names the file, the line and the column, for a value that the column's type cannot
    hold.
    """
    whole = _whole_file(copy)
    nulls = sql.SQL(", ").join(sql.Identifier(column.name) for column in whole.columns)
    # An absent value is NULL, quoted or not. The header goes along, because PostgreSQL learns from the first line how
    # lines end, and counts lines from there.
    options = sql.SQL("format csv, header, encoding 'utf8', null '', force_null ({})").format(nulls)
    where, file = copy.where, copy.shape.file
    rows = 0
    with (
        copy.transaction() as transaction,
        file_errors(copy.storage, where, file),
        _members(copy.storage, file) as members,
    ):
        connection = transaction.connection
        if whole is not copy:
            _create_temporary(connection, whole)
        for name, member in members:
            header = _read_header(where, name, member)
            with value_errors(where, name), connection.cursor() as cursor:
                with cursor.copy(whole.statement(options)) as writer:
                    writer.write(header.line)
                    before = header.line
                    while chunk := member.read(CHUNK_BYTES):
                        copy.report(chunk.count(b"\n"))
                        # Such a server would store the lines before the mark and report success.
                        if connection.info.server_version < 180_000 and holds_end_mark(before, chunk):
                            raise DeliveryError(
                                f"{where}: {name}: a line is \\. alone, which PostgreSQL takes for the end of the data "
                                "before its version 18"
                            )
                        writer.write(chunk)
                        before = chunk
                rows += cursor.rowcount
            if whole is not copy:
                _move_kept(connection, whole, copy)
    return Copied(rows, transaction.number)


def _whole_file(copy: Copy) -> Copy:
    """Return the copy of all columns of the file, into a temporary table where not all of them are kept.

    COPY cannot skip a column of the file.
    """
    if len(copy.columns) == len(copy.shape.types):
        return copy
    kept = {column.original: column for column in copy.columns}
    columns = tuple(
        # Kept columns are those of the mapping and of tags. None of them is called so.
        kept.get(original) or Column(f"left out {number}", original, "text")
        for number, original in enumerate(copy.shape.types)
    )
    return replace(copy, columns=columns, table=sql.Identifier("pg_temp", "whole_file"))


def _create_temporary(connection: Connection, whole: Copy) -> None:
    definitions = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type)) for column in whole.columns
    )
    connection.execute(sql.SQL("create temp table {} ({})").format(whole.table, definitions))


def _move_kept(connection: Connection, whole: Copy, copy: Copy) -> None:
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in copy.columns)
    connection.execute(
        sql.SQL("insert into {} ({names}) select {names} from {}").format(copy.table, whole.table, names=names)
    )
    connection.execute(sql.SQL("truncate {}").format(whole.table))


def holds_end_mark(before: bytes, chunk: bytes) -> bool:
    r"""Tell whether a line that ends in `chunk` is `\.` alone; `before` is what was sent before it.

    PostgreSQL 17 and older end the copy there, without an error, also in CSV (release notes of 18).
    """
    # A mark that is cut by the end of a chunk has up to four bytes before the cut: line feed, backslash, dot, return.
    return END_MARK.search(before[-4:] + chunk) is not None


def refuse_damaged(storage: Storage, where: str, file: StoredFile) -> None:
    """Unpack a gzip file to its end; raises `DeliveryError` where it is cut or fails its checksum.

    DuckDB takes a gzip file that is cut for a shorter one.
    """
    if not file.name.endswith(".gz"):
        return
    with file_errors(storage, where, file), _members(storage, file) as members:
        for _, member in members:
            while member.read(PIECE_BYTES):
                pass


@contextmanager
def _members(storage: Storage, file: StoredFile) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """Open the CSV files that a file is or holds, one after the other, each with what to call it in a message."""
    with ExitStack() as stack:
        stored = stack.enter_context(io.BufferedReader(storage.open(file), PIECE_BYTES))
        yield _unpacked(stack, stored, file)


def _unpacked(stack: ExitStack, stored: IO[bytes], file: StoredFile) -> Iterator[tuple[str, IO[bytes]]]:
    if file.name.endswith(".zip"):
        # A zip file has its directory at its end. `stored` can seek, so only the pieces that are needed are fetched.
        archive = stack.enter_context(zipfile.ZipFile(stored))
        for name in sorted(name for name in archive.namelist() if name.lower().endswith(".csv")):
            with archive.open(name) as member:
                yield f"{file.uri} ({name})", member
    elif file.name.endswith(".gz"):
        yield file.uri, stack.enter_context(io.BufferedReader(gzip.GzipFile(fileobj=stored)))
    else:
        yield file.uri, stored


@dataclass(frozen=True)
class _Header:
    """The first line of a file, without the byte order mark, and the columns that it names."""

    line: bytes
    columns: list[str]


def _read_header(where: str, name: str, member: IO[bytes]) -> _Header:
    """Read the first line, and leave the member at the second.

    Raises `DeliveryError` for a header that COPY would read differently, such as one with a line break in a name.
    """
    line = member.readline(HEADER_BYTES).removeprefix(BOM)
    if not line.strip():
        raise DeliveryError(f"{where}: {name}: the file is empty; not even a header is there")
    if len(line) >= HEADER_BYTES - len(BOM) and not line.endswith(b"\n"):
        raise DeliveryError(f"{where}: {name}: the header is not CSV: no line ends within {HEADER_BYTES} bytes")
    try:
        header, *others = csv.reader(io.StringIO(line.decode("utf-8"), newline=""), strict=True)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DeliveryError(f"{where}: {name}: the header is not CSV: {error}") from None
    # Python ends a line at a carriage return alone too, so the whole file came as the header.
    if others:
        raise DeliveryError(f"{where}: {name}: the lines end with a carriage return alone; expected a line feed")
    repeated = [column for column, count in Counter(header).items() if count > 1]
    if repeated:
        raise DeliveryError(f"{where}: {name}: the header names {repeated[0]!r} twice")
    if len(header) > MAX_COLUMNS:
        raise DeliveryError(f"{where}: {name}: {len(header)} columns; PostgreSQL takes {MAX_COLUMNS} at most")
    return _Header(line, header)


@contextmanager
def file_errors(storage: Storage, where: str, file: StoredFile) -> Iterator[None]:
    """Turn errors of unpacking and of the storage into one that names the source, the month and the file."""
    with changed_files(storage, where, file):
        try:
            yield
        except BROKEN as error:
            raise DeliveryError(f"{where}: {file.uri}: {error} (the file is damaged)") from None
        except OSError as error:
            # The directory of a damaged zip file may point before its beginning.
            if error.errno == errno.EINVAL:
                raise DeliveryError(f"{where}: {file.uri}: {error.strerror} (the file is damaged)") from None
            raise StorageUnavailable(f"{where}: {file.uri}: {error.strerror}") from None


@contextmanager
def value_errors(where: str, name: str) -> Iterator[None]:
    """Turn PostgreSQL's error about a value into one that names the file, the line and the column."""
    try:
        yield
    except psycopg.DataError as error:
        raise DeliveryError(f"{where}: {name}: {_place(error)}{error.diag.message_primary}") from None
    except psycopg.errors.ProgramLimitExceeded as error:
        # A row that is larger than a page of PostgreSQL. It stores lines by the thousand, and does not say which one.
        raise DeliveryError(f"{where}: {name}: PostgreSQL cannot hold a line: {error.diag.message_primary}") from None


def _place(error: psycopg.Error) -> str:
    """Return the line of the file and the column that PostgreSQL names."""
    # Other lines of the context are about the value itself, such as a JSON text's own lines.
    found = re.search(r"^COPY [^,]+, line ([0-9]+)(?:, column (.+?))?(?:: |$)", error.diag.context or "", re.MULTILINE)
    if not found:
        return ""
    return f"line {found[1]}, column {found[2]}: " if found[2] else f"line {found[1]}: "
