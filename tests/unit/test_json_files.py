"""JSON lines of any content: every number is kept as it is written, or an error names the file and the line."""

import gzip
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from fuzzing import bounded
from hypothesis import given
from hypothesis import strategies as st

from cloud_costs.errors import CloudCostsError, DeliveryError
from cloud_costs.formats import FORMATS
from cloud_costs.loading import json_files
from cloud_costs.storage.local import LocalStorage

GOOGLE = FORMATS["gcp_billing"]
LOCAL = LocalStorage()
EXAMPLES = 100

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from(("cost", "credits", "labels", "service", "new", "")) | st.text(), values)


def text_of(value: object) -> str:
    """Return a value as JSON, its decimals as numbers with all their digits."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {text_of(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def shape_of(folder: Path, data: bytes, name: str = "lines.json") -> dict[str, str]:
    path = folder / name
    path.write_bytes(data)
    file = LOCAL.stat(f"file://{path}")
    assert file
    return dict(json_files.read_shape(LOCAL, "google 2025-01", file, GOOGLE).types)


@pytest.mark.tries(EXAMPLES)
@bounded(EXAMPLES)
@given(lines=st.lists(objects), packed=st.booleans(), end=st.sampled_from(("\n", "\r\n", "\n\n")), bom=st.booleans())
def test_columns_are_the_keys_of_all_lines(tmp_path_factory, lines, packed, end, bom):
    text = ("\ufeff" if bom else "") + "".join(text_of(line) + end for line in lines)
    data = text.encode("utf-8", "surrogatepass")
    name = "lines.json.gz" if packed else "lines.json"
    types = shape_of(tmp_path_factory.getbasetemp(), gzip.compress(data) if packed else data, name)
    assert set(types) == {key for line in lines for key in line}
    for key, kind in types.items():
        nested = any(isinstance(line.get(key), dict | list) for line in lines)
        assert kind == ("jsonb" if nested else GOOGLE.csv_type(GOOGLE.raw_name(key)))


@pytest.mark.tries(EXAMPLES)
@bounded(EXAMPLES)
@given(data=st.binary() | objects.map(lambda line: text_of(line).encode("utf-8", "surrogatepass")[:-1]))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    try:
        shape_of(tmp_path_factory.getbasetemp(), data)
    except CloudCostsError as error:
        refusal = str(error)
    else:
        refusal = ""
    assert re.match(r"google 2025-01: file://.*lines\.json: line [0-9]+|$", refusal)


def test_cut_gzip_names_the_file(tmp_path):
    data = gzip.compress(b'{"cost": 1}\n' * 1000)
    with pytest.raises(DeliveryError, match=r"lines\.json\.gz: .* \(the file is damaged\)"):
        shape_of(tmp_path, data[:-20], "lines.json.gz")


def test_line_without_end_is_refused_before_it_fills_the_memory(tmp_path):
    with pytest.raises(DeliveryError, match="line 1 is longer than 16777216 bytes"):
        shape_of(tmp_path, b'{"a": "' + b"x" * (20 << 20))


def test_numbers_never_become_floats(tmp_path, monkeypatch):
    """A float in Python would have lost the digits of the second number."""
    seen = []
    read = json.loads

    def loads(text, **options):
        seen.append(read(text, **options))
        return seen[-1]

    monkeypatch.setattr(json_files.json, "loads", loads)
    shape_of(tmp_path, b'{"cost": 0.1, "sum": 12345678901234567890.123456789012345678901}\n')
    assert seen == [{"cost": "0.1", "sum": "12345678901234567890.123456789012345678901"}]
