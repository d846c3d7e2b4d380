"""JSON texts of Arrow's maps, structs and lists.

Arrow makes them for a whole array at a time. Only the different strings pass through Python, to be quoted.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloud_costs.loading.arrow_buffers import Numbers, array_of, binary, numbers_of, text

EMPTY, COMMA, COLON, NULL = text(""), text(","), text(":"), text("null")
MISSING = pa.nulls(1, pa.string())[0]
ZERO = array_of(np.zeros(1, np.int32), pa.int32())[0]


def json_text(array: pa.Array) -> pa.Array:
    """Return each value as a JSON text; NULL where the value is NULL.

    Numbers keep all their digits; dates and times become strings. A NULL inside a map, list or struct is JSON's null.
    """
    kind = array.type
    if pa.types.is_map(kind):
        return _joined(_entries(array), "{", _pairs, "}")
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _joined(array.cast(pa.list_(kind.value_type)), "[", _or_null, "]")
    if pa.types.is_struct(kind):
        return _objects(array)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return array.cast(pa.string())
    if pa.types.is_decimal(kind):
        return array.cast(pa.string())
    return _strings(array)


def _entries(array: pa.MapArray) -> pa.ListArray:
    """Return a map as the list of its entries, so that it is joined as a list is."""
    entries = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
    return pa.ListArray.from_arrays(_offsets(numbers_of(array.offsets, np.int32)), entries, mask=array.is_null())


def _offsets(numbers: Numbers) -> pa.Array:
    return array_of(numbers, pa.int32())


def _or_null(array: pa.Array) -> pa.Array:
    return json_text(array).fill_null(NULL)


def _strings(array: pa.Array) -> pa.Array:
    # The tags of a bill repeat a few keys and values in every line. Each different text is quoted once.
    found = array.cast(pa.string()).dictionary_encode()
    quoted = [json.dumps(text).encode() for text in found.dictionary.to_pylist()]
    return binary(quoted).cast(pa.string()).take(found.indices)


def _joined(array: pa.ListArray, opening: str, texts_of: Callable[[pa.Array], pa.Array], closing: str) -> pa.Array:
    """Return the elements of each list, written by `texts_of`, between the two brackets."""
    # `flatten` leaves out what stands under a NULL list, so the offsets are counted again without these elements.
    lengths = numbers_of(pc.list_value_length(array).fill_null(ZERO), np.int32)
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    inner = pa.ListArray.from_arrays(_offsets(offsets), texts_of(array.flatten()))
    joined = pc.binary_join_element_wise(text(opening), pc.binary_join(inner, COMMA), text(closing), EMPTY)
    return pc.if_else(array.is_valid(), joined, MISSING)


def _pairs(entries: pa.StructArray) -> pa.Array:
    keys, values = entries.flatten()
    return pc.binary_join_element_wise(_strings(keys), _or_null(values), COLON)


def _objects(array: pa.StructArray) -> pa.Array:
    # The names of the fields are the same in each row, so `{"name":` and `,"name":` are constants between the values.
    parts: list[Any] = []
    for field, values in zip(array.type, array.flatten(), strict=True):
        parts += [text(f"{',' if parts else '{'}{json.dumps(field.name)}:"), _or_null(values)]
    joined = pc.binary_join_element_wise(*parts, text("}"), EMPTY)
    return pc.if_else(array.is_valid(), joined, MISSING)
