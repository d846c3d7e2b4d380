"""JSON texts of Arrow's maps, structs and lists, made by Arrow, so that no value passes through Python one by one."""

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def json_text(array: pa.Array) -> pa.Array:
    """Return each value as a JSON text; NULL where the value is NULL.

    Numbers keep all their digits; dates and times become strings.
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
    """Return a map as the list of its entries."""
    entries = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
    return pa.ListArray.from_arrays(pa.array(array.offsets.to_numpy()), entries, mask=array.is_null())


def _or_null(array: pa.Array) -> pa.Array:
    return json_text(array).fill_null("null")


def _strings(array: pa.Array) -> pa.Array:
    found = array.cast(pa.string()).dictionary_encode()
    quoted = [json.dumps(text) for text in found.dictionary.to_pylist()]
    return pa.array(quoted, pa.string()).take(found.indices)


def _joined(array: pa.ListArray, opening: str, texts_of: Callable[[pa.Array], pa.Array], closing: str) -> pa.Array:
    lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
    offsets = pa.array([0, *lengths.cumsum()], pa.int32())
    inner = pa.ListArray.from_arrays(offsets, texts_of(array.flatten()))
    joined = pc.binary_join_element_wise(opening, pc.binary_join(inner, ","), closing, "")
    return pc.if_else(array.is_valid(), joined, pa.scalar(None, pa.string()))


def _pairs(entries: pa.StructArray) -> pa.Array:
    keys, values = entries.flatten()
    return pc.binary_join_element_wise(_strings(keys), _or_null(values), ":")


def _objects(array: pa.StructArray) -> pa.Array:
    parts: list[Any] = []
    for field, values in zip(array.type, array.flatten(), strict=True):
        parts += [f"{',' if parts else '{'}{json.dumps(field.name)}:", _or_null(values)]
    joined = pc.binary_join_element_wise(*parts, "}", "")
    return pc.if_else(array.is_valid(), joined, pa.scalar(None, pa.string()))
