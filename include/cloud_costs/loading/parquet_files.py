"""Parquet files: decoded by Arrow, encoded as PostgreSQL's binary rows, sent with COPY.

Each stream holds one row group's pages and a few slices of its rows (docs/adr/0008-arrow-encoder.md).
"""

import errno
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from cloud_costs.errors import DeliveryError, StorageUnavailable
from cloud_costs.loading import binary_copy
from cloud_costs.loading.columns import MAX_COLUMNS
from cloud_costs.loading.shape import Copied, Copy, FileShape
from cloud_costs.storage.files import Storage, StoredFile, changed_files

# Rows that are decoded at a time, and wait in memory to be encoded.
BATCH_ROWS = 12_288
# libpq moves the bytes that the socket did not take to the front of its buffer. Measured, pieces of 8 MiB take twice
# the time.
WRITE_BYTES = 256 << 10

# PostgreSQL's type for each of Arrow's; the first that fits counts. PostgreSQL has no numbers without a sign, so these
# take the next wider type. Times with a zone are stored as UTC.
TYPES: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_boolean, "boolean"),
    (lambda kind: kind in (pa.int8(), pa.uint8(), pa.int16()), "smallint"),
    (lambda kind: kind in (pa.uint16(), pa.int32()), "integer"),
    (lambda kind: kind in (pa.uint32(), pa.int64()), "bigint"),
    (lambda kind: pa.types.is_decimal(kind) or kind == pa.uint64(), "numeric"),
    (lambda kind: kind in (pa.float16(), pa.float32()), "real"),
    (pa.types.is_float64, "double precision"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time without time zone"),
    (pa.types.is_timestamp, "timestamp without time zone"),
    (lambda kind: pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind), "bytea"),
    (pa.types.is_nested, "jsonb"),
)


def read_shape(storage: Storage, where: str, file: StoredFile) -> FileShape:
    """Read the footer of a file: its columns, and the rows of each row group.

    Raises `DeliveryError` for a file that is damaged or not Parquet, or has more columns than a table can.
    """
    with read_errors(storage, where, file), _opened(storage, file) as parquet:
        fields = parquet.schema_arrow
        types = {name: postgres_type(field.type) for name, field in zip(_names(fields), fields, strict=True)}
        groups = parquet.metadata.num_row_groups
        row_groups = tuple(parquet.metadata.row_group(number).num_rows for number in range(groups))
        footer = _packed(parquet.metadata)
    if len(types) > MAX_COLUMNS:
        raise DeliveryError(f"{where}: {file.uri}: {len(types)} columns; PostgreSQL takes {MAX_COLUMNS} at most")
    return FileShape(file, types, row_groups, footer)


def postgres_type(kind: pa.DataType) -> str:
    """Return the PostgreSQL type of an Arrow type; a type without an equivalent becomes text."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return next((name for is_kind, name in TYPES if is_kind(kind)), "text")


def copy_file(copy: Copy) -> Copied:
    """Copy some row groups of one file in one transaction, and return how many rows PostgreSQL stored.

    Raises `DeliveryError` for a file that cannot be read, and for one whose footer, reader and stored rows do not agree
    on how many there are.
    """
    where, shape = copy.where, copy.shape
    rows = 0
    # Types of a fixed width come first, because the encoder joins neighbours of a fixed width.
    copy = replace(copy, columns=tuple(sorted(copy.columns, key=lambda one: one.type not in binary_copy.FIXED)))
    with copy.transaction() as transaction, _copy_errors(where, shape.file), transaction.connection.cursor() as cursor:
        with cursor.copy(copy.statement(sql.SQL("format binary"))) as writer:
            writer.write(binary_copy.HEADER)
            for count, buffer in _encoded(copy):
                view = memoryview(buffer)
                for at in range(0, len(view), WRITE_BYTES):
                    writer.write(view[at : at + WRITE_BYTES])
                rows += count
                copy.report(count)
            writer.write(binary_copy.TRAILER)
        stored = cursor.rowcount
    expected = sum(shape.row_groups[number] for number in copy.row_groups)
    if not expected == rows == stored:
        raise DeliveryError(
            f"{where}: {shape.file.uri}: its footer says {expected} rows, {rows} were read and {stored} stored"
        )
    return Copied(rows, transaction.number)


def _encoded(copy: Copy) -> Iterator[tuple[int, Any]]:
    """Yield the rows in slices: how many, and their bytes."""
    shape = copy.shape
    with read_errors(copy.storage, copy.where, shape.file), _opened(copy.storage, shape.file, shape.footer) as parquet:
        kept = [shape.own_name(column.original) for column in copy.columns]
        # Arrow selects columns by name. A second column of one name is called `name (2)` here, which the file does not
        # know, so then all columns are read. `use_threads=False`: the streams themselves run side by side.
        wanted = kept if len(kept) < len(shape.types) and set(kept) <= set(parquet.schema_arrow.names) else None
        batches = parquet.iter_batches(BATCH_ROWS, list(copy.row_groups), columns=wanted, use_threads=False)
        types = [column.type for column in copy.columns]
        for batch in batches:
            _check(batch)
            columns = dict(zip(_names(batch.schema), batch.columns, strict=True))
            yield from binary_copy.encode([columns[name] for name in kept], types)
            # Else this batch would still be in memory while the next one is decoded.
            del batch, columns


def _check(batch: pa.RecordBatch) -> None:
    """Raise `ArrowInvalid` where a damaged page points outside its dictionary.

    Arrow does not check this while it reads. A negative place would give a text from the end of the dictionary.
    """
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            column.validate(full=True)


def _packed(footer: pq.FileMetaData) -> bytes:
    """Return the footer as a file of its own, compressed, for the streams that read the file later."""
    alone = pa.BufferOutputStream()
    footer.write_metadata_file(alone)
    return zlib.compress(alone.getvalue())


@contextmanager
def _opened(storage: Storage, file: StoredFile, packed: bytes | None = None) -> Iterator[pq.ParquetFile]:
    """Open a file; `packed` spares reading its footer again. Texts are read as dictionaries.

    The encoder writes each text of a dictionary once. INT96, the timestamp of older writers, has nanoseconds, which end
    in the year 2262; microseconds reach further.
    """
    with storage.open(file) as raw:
        stream = pa.PythonFile(raw, "r")
        footer = pq.read_metadata(pa.BufferReader(zlib.decompress(packed)) if packed else stream)
        # The footer's own `schema` would do, but it and the footer refer to each other. Python frees such a circle
        # late, and it holds megabytes.
        with pq.ParquetFile(stream, metadata=footer) as parquet:
            texts = [field.name for field in parquet.schema_arrow if pa.types.is_string(field.type)]
        with pq.ParquetFile(
            stream,
            metadata=footer,
            read_dictionary=texts,
            pre_buffer=True,
            coerce_int96_timestamp_unit="us",
            page_checksum_verification=True,
        ) as parquet:
            yield parquet


def _names(fields: pa.Schema) -> Iterator[str]:
    """Yield the names of a file's columns as the exporter wrote them; one that is given twice is numbered."""
    seen: Counter[str] = Counter()
    for name in fields.names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} ({seen[name]})"


@contextmanager
def _copy_errors(where: str, file: StoredFile) -> Iterator[None]:
    """Turn PostgreSQL's error about a value, such as a NUL in a text, into one about the file."""
    try:
        yield
    except psycopg.DataError as error:
        raise DeliveryError(f"{where}: {file.uri}: {' '.join(str(error).split())}") from None
    except psycopg.errors.ProgramLimitExceeded as error:
        raise DeliveryError(
            f"{where}: {file.uri}: PostgreSQL cannot hold a line: {error.diag.message_primary}"
        ) from None


@contextmanager
def read_errors(storage: Storage, where: str, file: StoredFile) -> Iterator[None]:
    """Turn Arrow's errors about one file into ours, with the source, the month and the file."""
    with changed_files(storage, where, file):
        try:
            yield
        except (pa.ArrowException, OSError, ValueError) as error:
            # Arrow's own OSError for a damaged file has no number, or EINVAL where the file seeks before its start. Any
            # other number comes from the machine or the network, and may pass.
            number = getattr(error, "errno", None)
            if number not in (None, errno.EINVAL):
                raise StorageUnavailable(f"{where}: {file.uri}: {os.strerror(number)}") from None
            words = " ".join(str(error).split())
            raise DeliveryError(f"{where}: {file.uri}: {words} (the file is damaged, or not Parquet)") from None
