"""Rows in the binary format of PostgreSQL's COPY, made from Arrow arrays (docs/adr/0008-arrow-encoder.md).

PostgreSQL's manual describes the format on its page COPY, "Binary Format". A row is the number of its fields in 16
bits. Then comes each field: the length of its value in 32 bits, and the bytes that the type's receive function reads.
The length -1 means NULL. All numbers are big-endian.

    00 03 | 00 00 00 02  'E' 'U' | ff ff ff ff | 00 00 00 08  3f f8 00 00 00 00 00 00
    3 fields        text 'EU'         NULL              double precision 1.5

No value passes through Python. A *cell* is the length and the bytes of one field, or of several neighbouring ones. All
different cells of all columns become one Arrow array. `places` says for each row which cells it is made of, and one
`take` of Arrow copies them in the order of the rows. The bytes that `take` returns are the rows.

There are few different cells, because most columns of a bill are constant, or repeat a few texts. Neighbouring columns
that are constant or have a fixed width share a cell.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloud_costs.loading.arrow_buffers import (
    Numbers,
    array_of,
    binary,
    binary_of_offsets,
    booleans_of,
    numbers_of,
)
from cloud_costs.loading.arrow_json import json_text

# The signature, which a transfer that converts line ends or characters would break, and two numbers of 32 bits: no
# flags, and no extension of the header.
HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
# -1 in the place of the number of fields marks the end.
TRAILER = b"\xff\xff"
# The length -1, without any bytes.
NULL = b"\xff\xff\xff\xff"

DAYS_TO_2000 = 10_957
MICROSECONDS_TO_2000 = DAYS_TO_2000 * 86_400_000_000

# For each PostgreSQL type of a fixed width: the Arrow type to cast to, the integer or float whose bytes hold the value,
# numpy's name of that, and what to subtract. Dates count from 2000-01-01 in PostgreSQL, and from 1970-01-01 in Arrow.
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

# Bytes of encoded rows in a slice, about 1,000 lines of a bill. A slice of this size is still in the processor's cache
# when it is sent.
SLICE_BYTES = 2 << 20
# Bytes that a slice may have where some rows are far larger than others.
MOST_SLICE_BYTES = 64 << 20
# Bytes of the arrays that `encode` takes at once. Arrow's offsets have 32 bits, and encoded rows are larger.
MOST_BYTES = 256 << 20
# Below this number of texts, a loop of Python is faster than calls of Arrow.
FEW = 64


class _Cells(NamedTuple):
    """Different cells, and for each row the place of its cell among them.

    Without `places`, each row has a cell of its own.
    """

    cells: pa.Array
    places: Numbers | None = None


# A part of every row: the same bytes in each row, an array of numbers whose bytes are the part, or cells.
Piece: TypeAlias = bytes | Numbers | _Cells


def encode(columns: Sequence[pa.Array], types: Sequence[str], size: int = SLICE_BYTES) -> Iterator[tuple[int, Any]]:
    """Yield the rows in slices of about `size` bytes, without header and trailer.

    Each item is the number of rows, and a buffer with their bytes. `types` are PostgreSQL's, one for each array. All
    arrays have one length. Raises `pa.ArrowException` for a value that its type cannot hold.
    """
    rows = len(columns[0])
    columns = [_few_texts(array) for array in columns]
    # `_slices` addresses the cells of all columns by 32 bits. Halves of the rows have about half the bytes.
    if rows > 1 and sum(array.nbytes for array in columns) > MOST_BYTES:
        for half in (slice(rows // 2), slice(rows // 2, rows)):
            yield from encode([array[half] for array in columns], types, size)
        return
    pieces: list[Piece] = [len(columns).to_bytes(2, "big")]
    for array, kind in zip(columns, types, strict=True):
        pieces += _pieces(array, kind)
    yield from _slices(list(_gathered(pieces, rows)), rows, size)


def _gathered(pieces: Iterable[Piece], rows: int) -> Iterator[_Cells]:
    """Yield the pieces as cells, neighbours of a fixed width as one."""
    fixed: list[bytes | Numbers] = []
    for piece in pieces:
        if isinstance(piece, _Cells):
            yield from _fixed(fixed, rows)
            fixed = []
            yield piece
        else:
            fixed.append(piece)
    yield from _fixed(fixed, rows)


def _fixed(run: Sequence[bytes | Numbers], rows: int) -> Iterator[_Cells]:
    """Yield a run of neighbouring pieces as one cell: one for all rows where they are constant, else one for each."""
    constants = [piece for piece in run if isinstance(piece, bytes)]
    if len(constants) < len(run):
        yield _Cells(_matrix(run, rows))
    elif constants:
        yield _Cells(binary([b"".join(constants)]), np.zeros(rows, np.int32))


def _matrix(run: Sequence[bytes | Numbers], rows: int) -> pa.Array:
    """Return a binary array with one cell for each row, all of one width: the pieces of the run side by side.

    The constant pieces are filled in once, as a template that numpy repeats. Each array of numbers is written into its
    place of every row by one strided assignment.
    """
    template = b"".join(piece if isinstance(piece, bytes) else bytes(piece.itemsize) for piece in run)
    width, at = len(template), 0
    data = np.empty((rows, width), np.uint8)
    data[:] = np.frombuffer(template, np.uint8)
    for piece in run:
        if isinstance(piece, bytes):
            at += len(piece)
        else:
            # A view on `data` that steps from row to row: the values at the place `at`, `width` bytes apart.
            np.ndarray(rows, piece.dtype, data.data, at, (width,))[:] = piece
            at += piece.itemsize
    return binary_of_offsets(np.arange(rows + 1, dtype=np.int32) * np.int32(width), data)


def _slices(columns: Sequence[_Cells], rows: int, size: int) -> Iterator[tuple[int, Any]]:
    """Yield the rows in slices of about `size` bytes.

    The cells of all columns become one array. A matrix with a line for each column holds the places in it. Its
    transpose, row by row, is the order in which the cells are taken.
    """
    cells = pa.concat_arrays([column.cells for column in columns])
    # A column's own places count from its first cell. `firsts` is where that cell is among all of them.
    places = np.empty((len(columns), rows), np.int32)
    firsts = np.cumsum([0] + [len(column.cells) for column in columns[:-1]], dtype=np.int32)
    for number, column in enumerate(columns):
        own = np.arange(rows, dtype=np.int32) if column.places is None else column.places
        np.add(own, firsts[number], out=places[number])
    # No row can be wider than the widest cell of every column together. So no slice exceeds MOST_SLICE_BYTES, unless a
    # single row does.
    widest = int(np.maximum.reduceat(numbers_of(pc.binary_length(cells), np.int32), firsts).sum())
    at, step = 0, 256
    while at < rows:
        step = max(1, min(step, MOST_SLICE_BYTES // widest))
        wanted = np.ascontiguousarray(places[:, at : at + step].T)
        # Buffer 2 of a binary array holds the bytes of all its values, one after the other: these are the rows. The
        # places are ours, and all lie within the cells.
        taken = pc.take(cells, array_of(wanted, pa.int32()), boundscheck=False).buffers()[2]
        yield len(wanted), taken
        at += len(wanted)
        # The rows of the last slice say how many of the next ones have `size` bytes.
        step = size * len(wanted) // len(taken) + 1


def _pieces(array: pa.Array, kind: str) -> list[Piece]:
    """Return the pieces of one column, in the order in which they stand in a row."""
    if array.null_count == len(array):
        return [NULL]
    if kind in FIXED:
        return _optional(_fixed_width(array, kind), array)
    if kind == "numeric":
        return _optional(_numeric(array), array)
    if kind == "jsonb":
        # PostgreSQL receives jsonb as a JSON text, after a byte that says the version of that format: 1.
        return [*_text(pc.binary_join_element_wise(binary([b"\x01"])[0], json_text(array).cast(pa.binary()), EMPTY))]
    if pa.types.is_dictionary(array.type):
        return _repeated(array)
    return [*_text(array.cast(pa.string() if kind == "text" else pa.binary()))]


def _fixed_width(array: pa.Array, kind: str) -> Numbers:
    """Return the value of every row, and any value where the array is NULL."""
    logical, physical, numpy_type, zero = FIXED[kind]
    if array.type != logical:
        # PostgreSQL has microseconds, so nanoseconds are cut off. Any other cast that loses something raises.
        cut = pa.types.is_temporal(array.type) and getattr(array.type, "unit", "") == "ns"
        array = array.cast(logical, safe=not cut)
    values = array.cast(physical)
    native = np.dtype(numpy_type).newbyteorder("=")
    # Arrow's subtraction raises where numpy's would wrap around, near the smallest date or time of the type.
    if zero:
        values = pc.subtract_checked(values, array_of(np.array([zero], native), physical)[0])
    return numbers_of(values, native).astype(numpy_type)


def _numeric(array: pa.Array) -> Numbers:
    """Return the values in the format of PostgreSQL's `numeric_recv`, with exactly the digits of the decimals.

    That is four numbers of 16 bits, and then digits to the base of 10,000, 16 bits each: how many such digits there
    are, the weight of the first one (a power of 10,000), the sign (0 or 0x4000), and how many decimal places are shown.
    1234.5 is `2, 0, 0, 1` and `1234, 5000`. The decimal point lies between two digits of the base, so the decimal
    places are filled up with zeros on the right, and the places before the point with zeros on the left.

    All rows get as many digits as the type can have, so that they have one width. PostgreSQL leaves out the zeros at
    both ends when it stores the value (`make_result` in its numeric.c).
    """
    # The largest integer of 64 bits without a sign has 20 digits.
    if not pa.types.is_decimal(array.type):
        array = array.cast(pa.decimal128(20, 0))
    rows, scale = len(array), array.type.scale
    # Decimals of 32 and 64 bits, which few of Arrow's functions know.
    array = array.cast(pa.decimal128(array.type.precision, scale)) if array.type.bit_width < 128 else array
    whole_type = pa.decimal256(76, 0) if array.type.bit_width == 256 else pa.decimal128(38, 0)
    # The same integers without their scale. Arrow would write a decimal of a small value with an exponent.
    unscaled = pa.Array.from_buffers(whole_type, rows, array.buffers(), offset=array.offset)
    text = unscaled.cast(pa.string()).fill_null(binary([b"0"]).cast(pa.string())[0])
    negative = booleans_of(pc.starts_with(text, "-"))
    # Four decimal digits make one digit to the base of 10,000; both divisions round up.
    groups_before = -(-max(array.type.precision - scale, 0) // 4)
    groups_after = -(-scale // 4)
    width = 4 * groups_before + scale
    padded = pc.utf8_lpad(pc.utf8_ltrim(text, "-"), width, "0")
    # Below each other, the digits are a matrix with a row for each value. The zeros behind `width` fill up the last
    # digit of the base.
    digits = np.zeros((rows, 4 * (groups_before + groups_after)), np.uint8)
    digits[:, :width] = _digits(padded, width)
    found = np.empty((rows, 4 + groups_before + groups_after), ">i2")
    found[:, :4] = (groups_before + groups_after, groups_before - 1, 0, scale)
    found[:, 2] = np.where(negative, 0x4000, 0)
    found[:, 4:] = digits.reshape(rows, -1, 4) @ np.array([1000, 100, 10, 1], np.int16)
    # One element for each row, whose bytes are the value: what `_matrix` puts into place.
    return found.view(f"V{found.itemsize * found.shape[1]}").ravel()


def _digits(texts: pa.Array, width: int) -> Numbers:
    """Return the digits of texts that all have `width` characters, as a matrix with a row for each text."""
    # Binary values of a fixed width lie one after the other in buffer 1, without offsets.
    fixed = texts.cast(pa.binary()).cast(pa.binary(width))
    found = np.frombuffer(fixed.buffers()[1], np.uint8, len(texts) * width, fixed.offset * width)
    return found.reshape(-1, width) - ord("0")


def _optional(values: Numbers, array: pa.Array) -> list[Piece]:
    """Return length and value of every row, with NULL where the array has it.

    A NULL is shorter than a value. So an array with NULLs becomes cells, and its NULL rows share one more cell.
    """
    length = values.itemsize.to_bytes(4, "big")
    if not array.null_count:
        return [length, values]
    rows = len(array)
    cells = pa.concat_arrays([_matrix([length, values], rows), binary([NULL])])
    return [_Cells(cells, np.where(booleans_of(array.is_valid()), np.arange(rows, dtype=np.int32), np.int32(rows)))]


def _few_texts(array: pa.Array) -> pa.Array:
    """Return the texts without their dictionary if it has more texts than there are rows.

    A slice of an array keeps the whole dictionary. Encoding it for a few rows would cost more than it saves.
    """
    if pa.types.is_dictionary(array.type) and len(array.dictionary) > len(array):
        return array.dictionary_decode()
    return array


def _repeated(array: pa.DictionaryArray) -> list[Piece]:
    """Return the rows of texts that are repeated: each text is encoded once."""
    texts, places = array.dictionary.cast(pa.binary()), array.indices
    numbers = numbers_of(places.cast(pa.int32()), np.int32)
    # NULL rows get the place behind the last text, where the cell of NULL is added below.
    if array.null_count:
        numbers = np.where(booleans_of(places.is_valid()), numbers, np.int32(len(texts)))
    if (len(texts) == 1 and not array.null_count) or (numbers == numbers[0]).all():
        return [_cell(texts[int(numbers[0])].as_py())]
    if len(texts) < FEW:
        cells = binary([_cell(text) for text in texts.to_pylist()])
    else:
        lengths, values = _text(texts)
        cells = pc.binary_join_element_wise(_matrix([lengths], len(texts)), values.cells, EMPTY)
    if array.null_count:
        cells = pa.concat_arrays([cells, binary([NULL])])
    return [_Cells(cells, numbers)]


def _cell(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


def _text(array: pa.Array) -> tuple[Numbers, _Cells]:
    """Return length and bytes of every row. The lengths are numbers, and so join a run of a fixed width before them."""
    values = array.cast(pa.binary())
    lengths = numbers_of(pc.binary_length(values), np.int32)
    if array.null_count:
        lengths = np.where(booleans_of(array.is_valid()), lengths, np.int32(-1))
        values = values.fill_null(EMPTY)
    return lengths.astype(">i4"), _Cells(values)


EMPTY = binary([b""])[0]
