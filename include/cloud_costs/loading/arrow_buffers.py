"""Arrow arrays made from numpy's arrays and from bytes, and back, through their buffers; and the memory of these.

Arrow's own functions (`pa.array`, `to_numpy`) import pandas where it is installed. That takes a second of processor
time and 60 MB in every task that loads a month.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

Numbers: TypeAlias = np.ndarray[Any, Any]
# Not every build of Arrow has it. It gives freed pages back after so many milliseconds. With 0, it gives them back at
# once, and asking for them again takes a fifth more of the client's processor time.
ALLOCATOR, DECAY = "jemalloc", 20


@contextmanager
def spare_memory() -> Iterator[None]:
    """Let Arrow take little memory for what is decoded within, and give it back to the system afterwards.

    Arrow's default allocator keeps pages that were freed: measured with two streams of Parquet, more than are in use.
    It still holds most of them when the streams have ended, and DuckDB would take its own beside them.
    """
    before = pool = pa.default_memory_pool()
    if ALLOCATOR in pa.supported_memory_backends():
        pool = pa.jemalloc_memory_pool()
        pa.jemalloc_set_decay_ms(DECAY)
    pa.set_memory_pool(pool)
    try:
        yield
    finally:
        pa.set_memory_pool(before)
        pool.release_unused()


def numbers_of(array: pa.Array, kind: Any) -> Numbers:
    """Return an Arrow array as a numpy array of the type `kind`, of the same width; nothing is copied.

    Where the array is NULL, the buffer holds any bytes, and so does the result.
    """
    # Buffer 0 is the bitmap of NULLs, buffer 1 the values. A slice of an array shares its buffers, from an offset on.
    return np.frombuffer(array.buffers()[1], kind, len(array), array.offset * np.dtype(kind).itemsize)


def array_of(numbers: Numbers, kind: pa.DataType) -> pa.Array:
    """Return numbers as an Arrow array of a type of the same width, without NULLs; nothing is copied."""
    return pa.Array.from_buffers(kind, numbers.size, [None, pa.py_buffer(numbers)])


def booleans_of(array: pa.Array) -> Numbers:
    """Return a boolean Arrow array without NULLs as a numpy array. Arrow stores a bit for each value, numpy a byte."""
    return numbers_of(array.cast(pa.uint8()), np.bool_)


def binary(values: Sequence[bytes]) -> pa.Array:
    """Return bytes as a binary array. All together have less than 2 GiB, because Arrow's offsets have 32 bits."""
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(value) for value in values], out=offsets[1:])
    return binary_of_offsets(offsets, b"".join(values))


def binary_of_offsets(offsets: Numbers, data: bytes | Numbers) -> pa.Array:
    """Return the binary array whose value number i is `data[offsets[i]:offsets[i + 1]]`; nothing is copied.

    `offsets` are integers of 32 bits, one more than there are values.
    """
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def text(value: str) -> pa.Scalar:
    """Return a text as an Arrow scalar."""
    return binary([value.encode()]).cast(pa.string())[0]
