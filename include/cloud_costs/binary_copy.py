"""Rows in the binary format of PostgreSQL's COPY, from Arrow arrays.

The format is that of PostgreSQL's manual, page COPY, "Binary Format"; each type's bytes are what its receive function
reads. No value passes through Python: a column becomes pieces of bytes, one for each row, and Arrow joins the pieces of
all columns row by row. A piece that is the same in every row is joined as one scalar, with its neighbours: most columns
of a bill are constant, or a few texts repeated (docs/adr/0008-arrow-encoder.md).
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloud_costs.arrow_json import json_text

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"

DAYS_TO_2000 = 10_957
MICROSECONDS_TO_2000 = DAYS_TO_2000 * 86_400_000_000

# PostgreSQL's type: the Arrow type to cast to, the integer or float that holds its value, and where its zero is.
FIXED: dict[str, tuple[pa.DataType, Any, str, int]] = {
    "boolean": (pa.bool_(), pa.uint8(), ">u1", 0),
    "smallint": (pa.int16(), pa.int16(), ">i2", 0),
    "integer": (pa.int32(), pa.int32(), ">i4", 0),
    "bigint": (pa.int64(), pa.int64(), ">i8", 0),
    "real": (pa.float32(), pa.float32(), ">f4", 0),
    "double precision": (pa.float64(), pa.float64(), ">f8", 0),
    "date": (pa.date32(), pa.int32(), ">i4", DAYS_TO_2000),
    "time without time zone": (pa.time64("us"), pa.int64(), ">i8", 0),
    "timestamp without time zone": (pa.timestamp("us"), pa.int64(), ">i8", MICROSECONDS_TO_2000),
}

Matrix: TypeAlias = np.ndarray[Any, Any]
# How many different texts neighbouring columns may have together to be encoded as one, and of how many combinations.
MAX_TOGETHER = 1_024
MAX_COMBINATIONS = 1 << 16
# Texts that Python encodes sooner than it calls Arrow.
FEW = 64


@dataclass(frozen=True)
class _Repeated:
    """Cells of which each row has one: `places` says which."""

    cells: pa.Array
    places: np.ndarray[Any, np.dtype[np.int32]]


# The bytes of every row: `bytes` where they are the same in each, a `Matrix` of one row for each, cells that are
# repeated, or a binary array of any lengths.
Piece: TypeAlias = Any


def encode(columns: Sequence[pa.Array], types: Sequence[str]) -> list[Any]:
    """Return the rows as buffers of COPY's tuples, without header and trailer.

    `types` are PostgreSQL's, one for each array; all arrays are of one length. Raises `pa.ArrowException` for a value
    that the type does not hold, and for rows of more than two gigabytes in all.
    """
    rows = len(columns[0])
    pieces: list[Piece] = [len(columns).to_bytes(2, "big")]
    for array, kind in zip(columns, types, strict=True):
        pieces += _pieces(array, kind)
    parts: list[Piece] = []
    for kind_of_piece, run in groupby(pieces, type):
        parts += _neighbours(kind_of_piece, list(run))
    if all(isinstance(part, bytes) for part in parts):
        return [b"".join(parts) * rows]
    whole = pc.binary_join_element_wise(*(pa.scalar(p, pa.binary()) if isinstance(p, bytes) else p for p in parts), b"")
    return [chunk.buffers()[2] for chunk in (whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole])]


def _neighbours(kind: type, run: list[Piece]) -> list[Piece]:
    """Return neighbouring pieces of one kind as few arrays, or as one constant."""
    if kind is bytes:
        return [b"".join(run)]
    if kind is np.ndarray:
        return [_array(np.concatenate(run, axis=1))]
    if kind is _Repeated:
        return [group.cells.take(pa.array(group.places)) for group in _together(run)]
    return run


def _together(columns: list[_Repeated]) -> Iterator[_Repeated]:
    """Yield neighbouring columns as one as long as few of the combinations of their cells occur.

    What a product or a price is takes dozens of columns, and there are few of them.
    """
    group, places, count = [columns[0]], columns[0].places, len(columns[0].cells)
    for column in columns[1:]:
        possible = count * len(column.cells)
        if possible <= MAX_COMBINATIONS:
            combined = places * len(column.cells) + column.places
            occurs = np.zeros(possible, bool)
            occurs[combined] = True
            found = int(np.count_nonzero(occurs))
            if found <= MAX_TOGETHER:
                group, places, count = [*group, column], (np.cumsum(occurs, dtype=np.int32) - 1)[combined], found
                continue
        yield _joined(group, places, count)
        group, places, count = [column], column.places, len(column.cells)
    yield _joined(group, places, count)


def _joined(group: list[_Repeated], places: np.ndarray[Any, Any], count: int) -> _Repeated:
    if len(group) == 1:
        return group[0]
    # A row of each combination.
    rows = np.zeros(count, np.int32)
    rows[places] = np.arange(len(places))
    cells = [column.cells.take(pa.array(column.places[rows])) for column in group]
    return _Repeated(pc.binary_join_element_wise(*cells, b""), places)


def _pieces(array: pa.Array, kind: str) -> list[Piece]:
    if array.null_count == len(array):
        return [NULL]
    if kind in FIXED:
        return [_optional(_fixed_width(array, kind), array)]
    if kind == "numeric":
        return [_optional(_numeric(array), array)]
    if kind == "jsonb":
        # The first byte is the version of the format.
        return _text(pc.binary_join_element_wise(b"\x01", json_text(array).cast(pa.binary()), b""))
    if pa.types.is_dictionary(array.type):
        return _repeated(array)
    return _text(array.cast(pa.string() if kind == "text" else pa.binary()))


def _fixed_width(array: pa.Array, kind: str) -> Matrix:
    """Return length and value of every row as a matrix of bytes; where the array is NULL, any value."""
    logical, physical, numpy_type, zero = FIXED[kind]
    if array.type != logical:
        # Nanoseconds are cut: PostgreSQL has microseconds.
        cut = pa.types.is_temporal(array.type) and getattr(array.type, "unit", "") == "ns"
        array = array.cast(logical, safe=not cut)
    values = array.cast(physical)
    if zero:
        values = pc.subtract_checked(values, pa.scalar(zero, physical))
    filled = values.fill_null(0).to_numpy(zero_copy_only=False).astype(numpy_type)
    return _with_length(filled.view(np.uint8).reshape(len(array), -1))


def _with_length(values: Matrix) -> Matrix:
    rows, width = values.shape
    length = np.frombuffer(width.to_bytes(4, "big"), np.uint8)
    return np.concatenate([np.broadcast_to(length, (rows, 4)), values], axis=1)


def _numeric(array: pa.Array) -> Matrix:
    """Return the rows in the format of `numeric_recv`: digits to the base of 10,000, exactly those of the decimals."""
    if not pa.types.is_decimal(array.type):
        array = array.cast(pa.decimal128(20, 0))
    rows, scale = len(array), array.type.scale
    array = array.cast(pa.decimal128(array.type.precision, scale)) if array.type.bit_width < 128 else array
    whole_type = pa.decimal256(76, 0) if array.type.bit_width == 256 else pa.decimal128(38, 0)
    # The same integers without their scale: as a text, a decimal of a small value has an exponent.
    unscaled = pa.Array.from_buffers(whole_type, rows, array.buffers(), offset=array.offset)
    text = unscaled.cast(pa.string()).fill_null("0")
    negative = pc.starts_with(text, "-").to_numpy(zero_copy_only=False)
    groups_before = -(-max(array.type.precision - scale, 0) // 4)
    groups_after = -(-scale // 4)
    width = 4 * groups_before + scale
    padded = pc.utf8_lpad(pc.utf8_ltrim(text, "-"), width, "0")
    digits = np.zeros((rows, 4 * (groups_before + groups_after)), np.uint8)
    digits[:, :width] = _matrix(padded, width) - ord("0")
    head = np.empty((rows, 4), ">i2")
    head[:] = (groups_before + groups_after, groups_before - 1, 0, scale)
    head[:, 2] = np.where(negative, 0x4000, 0)
    groups = digits.reshape(rows, -1, 4) @ np.array([1000, 100, 10, 1], np.int16)
    return _with_length(np.concatenate([head.view(np.uint8), groups.astype(">i2").view(np.uint8)], axis=1))


def _optional(matrix: Matrix, array: pa.Array) -> Piece:
    """Return the rows, with NULL where the array has it."""
    if not array.null_count:
        return matrix
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    rows, width = matrix.shape
    matrix[~valid, :4] = 0xFF
    kept = np.ones((rows, width), bool)
    kept[~valid, 4:] = False
    return _binary(np.where(valid, width, 4), matrix[kept])


def _repeated(array: pa.DictionaryArray) -> list[Piece]:
    """Return the rows of texts that are repeated: each text is encoded once."""
    texts, places = array.dictionary.cast(pa.binary()), array.indices
    if len(texts) > len(array):
        return _text(array.dictionary_decode())
    if array.null_count:
        places = places.fill_null(len(texts))
    numbers = places.to_numpy().astype(np.int32, copy=False)
    if (numbers == numbers[0]).all():
        return [_cell(texts[int(numbers[0])].as_py())]
    if len(texts) < FEW:
        cells = pa.array([_cell(text) for text in texts.to_pylist()], pa.binary())
    else:
        lengths, values = _text(texts)
        cells = pc.binary_join_element_wise(_array(lengths), values, b"")
    if array.null_count:
        cells = pa.concat_arrays([cells, pa.array([NULL], pa.binary())])
    return [_Repeated(cells, numbers)]


def _cell(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


def _text(array: pa.Array) -> list[Piece]:
    """Return length and bytes of every row."""
    lengths = pc.binary_length(array).fill_null(-1).to_numpy(zero_copy_only=False).astype(">i4")
    values = array.fill_null("" if pa.types.is_string(array.type) else b"").cast(pa.binary())
    return [lengths.view(np.uint8).reshape(len(array), 4), values]


def _array(matrix: Matrix) -> pa.Array:
    rows, width = matrix.shape
    return _binary(np.full(rows, width), matrix)


def _binary(lengths: Matrix, data: Matrix) -> pa.Array:
    """Return a binary array of values that lie one after the other."""
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.Array.from_buffers(pa.binary(), len(lengths), buffers)


def _matrix(texts: pa.Array, width: int) -> Matrix:
    """Return texts of one length as a matrix of their bytes."""
    fixed = texts.cast(pa.binary()).cast(pa.binary(width))
    return np.frombuffer(fixed.buffers()[1], np.uint8, len(texts) * width, fixed.offset * width).reshape(-1, width)


def slices(batches: Iterable[pa.RecordBatch], size: int) -> Generator[pa.RecordBatch, int, None]:
    """Yield the batches in slices that are of about `size` bytes when encoded, whatever a row holds.

    The caller tells with `send` how many bytes the last slice had.
    """
    rows = 256
    for batch in batches:
        at = 0
        while at < batch.num_rows:
            part = batch.slice(at, rows)
            at += part.num_rows
            encoded = yield part
            rows = max(1, min(2 * rows, int(size * part.num_rows / max(encoded, 1))))
