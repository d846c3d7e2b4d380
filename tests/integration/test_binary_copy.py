"""Arrow arrays to PostgreSQL and back: every value is what it was, whatever its neighbours are."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud_costs.loading import binary_copy
from cloud_costs.loading.arrow_json import json_text
from cloud_costs.loading.parquet_files import postgres_type

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
VALUES: dict[pa.DataType, Any] = {
    pa.bool_(): st.booleans(),
    pa.int8(): st.integers(-(2**7), 2**7 - 1),
    pa.uint16(): st.integers(0, 2**16 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint64(): st.integers(0, 2**64 - 1).map(Decimal),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.float64(): st.floats(allow_nan=False),
    pa.decimal128(38, 18): st.decimals(-(10**20) + 1, 10**20 - 1, places=18, allow_nan=False),
    pa.decimal128(7, 0): st.integers(-(10**7) + 1, 10**7 - 1).map(Decimal),
    pa.decimal128(5, 5): st.decimals(Decimal("-0.99999"), Decimal("0.99999"), places=5, allow_nan=False),
    pa.decimal256(60, 30): st.decimals(-(10**20), 10**20, places=30, allow_nan=False),
    pa.date32(): st.dates(),
    pa.time64("us"): st.times(),
    pa.timestamp("ms"): st.datetimes().map(lambda found: found.replace(microsecond=found.microsecond // 1000 * 1000)),
    pa.timestamp("us"): st.datetimes(),
    pa.string(): TEXT,
    pa.large_string(): TEXT,
    pa.dictionary(pa.int32(), pa.string()): st.sampled_from(["", "one", "zwei", "三"]),
    pa.binary(): st.binary(max_size=20),
    pa.binary(3): st.binary(min_size=3, max_size=3),
    pa.map_(pa.string(), pa.string()): st.dictionaries(TEXT, st.none() | TEXT, max_size=3).map(
        lambda d: list(d.items())
    ),
    pa.list_(pa.int64()): st.lists(st.none() | st.integers(-(2**53), 2**53), max_size=3),
    pa.struct([("a b", pa.bool_()), ("c", pa.string())]): st.fixed_dictionaries({"a b": st.booleans(), "c": TEXT}),
}


@st.composite
def tables(draw: Any) -> tuple[list[pa.Array], list[list[Any]]]:
    """Columns of any types in any order, some of them constant, some with NULLs; and their values."""
    rows = draw(st.integers(1, 12))
    arrays, values = [], []
    for kind in draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=8)):
        one = VALUES[kind]
        found = draw(
            st.lists(st.none() | one, min_size=rows, max_size=rows)
            | st.lists(one, min_size=rows, max_size=rows)
            | one.map(lambda value: [value] * rows)
            | st.just([None] * rows)
        )
        # As a slice, whose buffers begin before it and end after it.
        arrays.append(pa.array([None, *found, None], kind).slice(1, rows))
        values.append(found)
    return arrays, values


@pytest.fixture(scope="module")
def connection(postgres: Any) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.uri(), autocommit=True, prepare_threshold=None) as found:
        yield found


def stored(connection: psycopg.Connection[Any], arrays: list[pa.Array]) -> list[tuple[Any, ...]]:
    types = [postgres_type(array.type) for array in arrays]
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(types))
    connection.execute("drop table if exists pg_temp.stored")
    connection.execute(f"create temp table stored (row_number serial, {columns})")
    names = ", ".join(f"c{number}" for number in range(len(types)))
    with connection.cursor() as cursor, cursor.copy(f"copy stored ({names}) from stdin (format binary)") as copy:
        copy.write(binary_copy.HEADER)
        for _, buffer in binary_copy.encode(arrays, types):
            copy.write(buffer)
        copy.write(binary_copy.TRAILER)
    # As a text, PostgreSQL's real is the shortest that is read as the same four bytes.
    selected = ", ".join(f"c{at}::double precision" if kind == "real" else f"c{at}" for at, kind in enumerate(types))
    return connection.execute(f"select {selected} from stored order by row_number").fetchall()


def expected(value: Any, kind: pa.DataType) -> Any:
    return dict(value) if value is not None and pa.types.is_map(kind) else value


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables())
def test_what_is_stored_is_what_was_given(connection, table):
    arrays, values = table
    wanted = [[expected(value, array.type) for value in column] for array, column in zip(arrays, values, strict=True)]
    assert stored(connection, arrays) == list(zip(*wanted, strict=True))


def test_numeric_keeps_every_digit_and_its_scale(connection):
    texts = ["0", "-0.000000000000000001", "99999999999999999999.999999999999999999", "1E+4", "-12345678.9", "10000"]
    array = pa.array([Decimal(text) for text in texts], pa.decimal128(38, 18))
    assert [value for (value,) in stored(connection, [array])] == [Decimal(text) for text in texts]
    assert {value.as_tuple().exponent for (value,) in stored(connection, [array])} == {-18}


def test_floats_keep_their_bits(connection):
    floats = [0.1, -0.0, 1e308, 5e-324, float("inf"), float("-inf")]
    assert [repr(value) for (value,) in stored(connection, [pa.array(floats)])] == [repr(value) for value in floats]


def test_nanoseconds_are_cut_to_microseconds(connection):
    array = pa.array([1_735_689_600_123_456_789], pa.timestamp("ns"))
    assert stored(connection, [array]) == [(datetime(2025, 1, 1, 0, 0, 0, 123456),)]


@pytest.mark.parametrize(
    "array", [pa.array([2**62], pa.timestamp("s")), pa.array([-(2**31)], pa.int32()).cast(pa.date32())]
)
def test_time_that_no_type_holds_is_an_error(array):
    with pytest.raises(pa.ArrowException):
        list(binary_copy.encode([array], [postgres_type(array.type)]))


def test_wider_type_of_another_file_is_taken(connection):
    for array, kind, value in (
        (pa.array([7], pa.int8()), "bigint", 7),
        (pa.array([7], pa.int32()), "double precision", 7.0),
        (pa.array([7], pa.int64()), "numeric", Decimal(7)),
        (pa.array([date(2025, 1, 2)]), "timestamp without time zone", datetime(2025, 1, 2)),
    ):
        [(_, cell)] = binary_copy.encode([array], [kind])
        with connection.cursor() as cursor:
            cursor.execute(f"create temp table wider (c {kind})")
            with cursor.copy("copy wider from stdin (format binary)") as copy:
                copy.write(binary_copy.HEADER + bytes(cell) + binary_copy.TRAILER)
            assert cursor.execute("table wider").fetchall() == [(value,)]
            cursor.execute("drop table wider")


def test_json_of_nested_values_is_theirs():
    kind = pa.list_(pa.struct([("when", pa.date32()), ("costs", pa.map_(pa.string(), pa.decimal128(20, 10)))]))
    value = [{"when": date(2025, 1, 2), "costs": [('a"b\n', Decimal("1E-10")), ("c", None)]}, None, {"when": None}]
    texts = json_text(pa.array([value, None, []], kind)).to_pylist()
    assert json.loads(texts[0], parse_float=Decimal) == [
        {"when": "2025-01-02", "costs": {'a"b\n': Decimal("1E-10"), "c": None}},
        None,
        {"when": None, "costs": None},
    ]
    assert texts[1:] == [None, "[]"]


WITHOUT_PANDAS = """
import sys

class Finder:
    def find_spec(self, name, *rest):
        assert name != "pandas"

sys.meta_path.insert(0, Finder())
import pyarrow.ipc
sys.path.insert(0, sys.argv[1])
from cloud_costs.loading import binary_copy

batch = pyarrow.ipc.open_stream(sys.stdin.buffer).read_next_batch()
types = ["timestamp without time zone", "double precision", "numeric", "boolean", "text", "text", "text"]
types += ["jsonb"] * (len(batch.columns) - len(types))
print(sum(len(buffer) for _, buffer in binary_copy.encode(batch.columns, types)))
"""


def test_pandas_is_not_imported_where_it_is_installed():
    """Arrow does so when it is asked for numpy's arrays, or for arrays of Python's values: a second, and 60 MB."""
    texts = [str(number) for number in range(100)]
    arrays = [
        pa.array([datetime(2025, 1, 1), None] * 50),
        pa.array([0.5] * 100),
        pa.array([Decimal("1.5"), None] * 50),
        pa.array([True, False] * 50),
        pa.array([*texts[:99], None]),
        pa.array([*texts[:99], None]).dictionary_encode(),
        pa.array(["a", None] * 50).dictionary_encode(),
        pa.array([[("team", "a"), ("env", None)], None] * 50, pa.map_(pa.string(), pa.string())),
        pa.array([{"a": 1, "b": [1.5, None]}, None] * 50),
    ]
    batch = pa.record_batch({str(at): array for at, array in enumerate(arrays)})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PANDAS, str(Path(binary_copy.__file__).parents[2])],
        input=sink.getvalue(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert int(done.stdout) > 3000


def test_slices_are_small_where_rows_are_large(connection):
    """A hundred thousand bytes a row, after rows of ten; each slice is of about the size that was asked for."""
    texts = ["x" * 10] * 2500 + ["y" * 100_000] * 2500
    array = pa.array(texts).dictionary_encode()
    slices = [(rows, len(buffer)) for rows, buffer in binary_copy.encode([array], ["text"], 10_000)]
    assert sum(rows for rows, _ in slices) == 5000
    assert sum(size for _, size in slices) == sum(6 + len(text) for text in texts)
    assert max(rows for rows, _ in slices) == 626
    assert max(size for _, size in slices) < 626 * 100_006 < binary_copy.MOST_SLICE_BYTES
    assert slices[-1] == (1, 100_006)


def test_slices_never_hold_more_than_the_most(monkeypatch):
    monkeypatch.setattr(binary_copy, "MOST_SLICE_BYTES", 100_000)
    array = pa.array(["x"] * 1000 + ["y" * 50_000] * 10).dictionary_encode()
    slices = list(binary_copy.encode([array], ["text"]))
    assert {rows for rows, _ in slices} == {1}
    assert sum(len(buffer) for _, buffer in slices) == 1000 * 7 + 10 * 50_006


def test_columns_too_large_for_one_array_are_taken_in_halves(connection, monkeypatch):
    monkeypatch.setattr(binary_copy, "MOST_BYTES", 100)
    arrays = [pa.array(range(1000)), pa.array([str(number) for number in range(1000)])]
    assert stored(connection, arrays) == [(number, str(number)) for number in range(1000)]


def test_dictionary_that_is_too_large_is_no_reason_for_single_rows(monkeypatch):
    """Half of the rows still have all of the dictionary; they are taken without it."""
    monkeypatch.setattr(binary_copy, "MOST_BYTES", 10_000)
    array = pa.array([f"{number:0>100}" for number in range(1000)]).dictionary_encode()
    slices = [(rows, len(buffer)) for rows, buffer in binary_copy.encode([array], ["text"])]
    assert sum(rows for rows, _ in slices) == 1000
    assert sum(size for _, size in slices) == 1000 * 106
    assert len(slices) == 16


def test_microseconds_of_a_day_and_epoch_are_postgres_own(connection):
    array = pa.array([datetime(2000, 1, 1) - timedelta(microseconds=1)], pa.timestamp("us"))
    assert stored(connection, [array, pa.array([time(23, 59, 59, 999999)], pa.time64("us"))]) == [
        (datetime(1999, 12, 31, 23, 59, 59, 999999), time(23, 59, 59, 999999))
    ]
