"""Streaming: every type arrives as it was, and a stream that fails stops the others."""

import gc
import threading
import time
from datetime import UTC, date, datetime
from datetime import time as clock
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pipeline import JANUARY, crafted_source, line, load_month, staged_tables, write_delivery

from cloud_costs.errors import DeliveryError
from cloud_costs.loading import parquet_files, staging
from cloud_costs.publishing.load import load_raw
from cloud_costs.storage.local import LocalStorage

VALUES = {
    "a_bool": (pa.array([True, None]), "boolean", True),
    "an_int8": (pa.array([-1, None], pa.int8()), "smallint", -1),
    "a_uint16": (pa.array([2**16 - 1, None], pa.uint16()), "integer", 2**16 - 1),
    "a_uint32": (pa.array([2**32 - 1, None], pa.uint32()), "bigint", 2**32 - 1),
    "a_uint64": (pa.array([2**64 - 1, None], pa.uint64()), "numeric", Decimal(2**64 - 1)),
    "a_float": (pa.array([0.5, None], pa.float32()), "real", 0.5),
    "a_double": (pa.array([0.1, None]), "double precision", 0.1),
    "a_decimal": (
        pa.array([Decimal("1234.000000001234567891"), None], pa.decimal128(38, 18)),
        "numeric",
        Decimal("1234.000000001234567891"),
    ),
    "a_negative": (pa.array([Decimal("-0.0000000001"), None], pa.decimal128(20, 10)), "numeric", Decimal("-1E-10")),
    "a_string": (pa.array(["é“💶\t\\N\n", None]), "text", "é“💶\t\\N\n"),
    "an_empty_string": (pa.array(["", None]), "text", ""),
    "bytes": (pa.array([b"\x00\xff", None], pa.binary()), "bytea", b"\x00\xff"),
    "a_date": (pa.array([date(1999, 2, 28), None]), "date", date(1999, 2, 28)),
    "a_time": (pa.array([clock(1, 2, 3), None], pa.time64("us")), "time without time zone", clock(1, 2, 3)),
    "millis": (
        pa.array([datetime(2025, 1, 1, 1), None], pa.timestamp("ms")),
        "timestamp without time zone",
        datetime(2025, 1, 1, 1),
    ),
    "nanos": (
        pa.array([datetime(1969, 12, 31, 23, 59, 59, 123456), None], pa.timestamp("ns")),
        "timestamp without time zone",
        datetime(1969, 12, 31, 23, 59, 59, 123456),
    ),
    "zoned": (
        pa.array([datetime(2025, 1, 1, 1, tzinfo=UTC), None], pa.timestamp("us", "Asia/Tokyo")),
        "timestamp without time zone",
        datetime(2025, 1, 1, 1),
    ),
    "a_map": (pa.array([[("k", "v")], None], pa.map_(pa.string(), pa.string())), "jsonb", {"k": "v"}),
    "a_struct": (pa.array([{"a": 1}, None]), "jsonb", {"a": 1}),
    "a_list": (pa.array([["x", None], None]), "jsonb", ["x", None]),
    "decimals": (pa.array([[Decimal("1.50")], None]), "jsonb", [1.5]),
}


def test_every_type_arrives_as_it_was(database, bucket, query):
    source = crafted_source(bucket)
    table = pa.Table.from_pylist([line(), line()])
    for name, (values, _, _) in VALUES.items():
        table = table.append_column(name, values)
    write_delivery(bucket, table)
    load_month(database, source, JANUARY)
    types = dict(query("select column_name, type from raw_columns"))
    for name, (_, kind, value) in VALUES.items():
        assert (name, types[name]) == (name, kind)
        assert query(f"select {name} from raw_crafted order by {name} is null") == [(value,), (None,)], name


def test_session_settings_of_the_role_do_not_matter(database, cup, query, postgres):
    """Partition bounds are found, and text is UTF-8, whatever the role says."""
    truth = cup.deliver()
    connect = database.connect

    def odd():
        connection = connect()
        connection.execute("set datestyle to 'German'; set client_encoding to 'LATIN1'; set timezone to 'Asia/Tokyo'")
        connection.commit()
        return connection

    other = type(database)(odd, database.schema, database.name)
    for _ in range(2):
        load_month(other, cup.source, JANUARY)
    assert query("select sum(cost) from costs") == [(truth.billed_cost,)]
    assert query("select count(*) > 0 from raw_cup where product_product_name like '%%Größen%%'") == [(True,)]


@pytest.mark.alone
def test_failing_stream_stops_the_others_and_its_error_is_raised(database, bucket, query, monkeypatch):
    source = crafted_source(bucket)
    monkeypatch.setattr(parquet_files, "BATCH_ROWS", 10)
    broken = [line()] * 50 + [line(line_item_line_item_description="a\x00b")]
    paths = write_delivery(bucket, [line(line_item_line_item_description="")] * 2000, broken, [line()] * 100)
    copied = []

    def slow(rows):
        copied.append(rows)
        time.sleep(0.02)

    began = time.monotonic()
    with pytest.raises(DeliveryError, match=paths[1].name):
        load_raw(database, LocalStorage(), source, JANUARY, progress=slow)
    assert time.monotonic() - began < 3
    assert sum(copied) < 1000
    assert staged_tables(database) == []


def test_footers_are_let_go_when_they_were_read(database, bucket):
    """A footer takes megabytes, and a month may have thousands of files."""
    source = crafted_source(bucket)
    write_delivery(bucket, [line()] * 3, [line()] * 3)
    gc.collect()
    gc.disable()
    others = footers()
    try:
        load_raw(database, LocalStorage(), source, JANUARY)
        assert [one for one in footers() if all(one is not other for other in others)] == []
    finally:
        gc.enable()


def footers() -> list[pq.FileMetaData]:
    """Those of all tests of this process: one that failed on purpose may keep its own alive by a traceback."""
    return [one for one in gc.get_objects() if type(one) is pq.FileMetaData]


@pytest.mark.parametrize("streams", [1, 3])
def test_source_says_how_many_streams_there_are_at_once(database, bucket, query, streams):
    source = crafted_source(bucket).model_copy(update={"streams": streams})
    write_delivery(bucket, *[[line()] * 100] * 6)
    together = threading.Barrier(streams)
    names = set()

    def meet(rows):
        names.add(threading.current_thread().name)
        together.wait(timeout=20)

    load_raw(database, LocalStorage(), source, JANUARY, progress=meet)
    assert len(names) == streams
    assert query("select rows from load_history") == [(600,)]


def test_streams_end_before_load_raw_does(database, bucket, monkeypatch):
    source = crafted_source(bucket)
    monkeypatch.setattr(parquet_files, "BATCH_ROWS", 10)
    write_delivery(bucket, [line()] * 100, [line(line_item_line_item_description="a\x00b")])
    with pytest.raises(DeliveryError):
        load_raw(database, LocalStorage(), source, JANUARY, progress=lambda rows: time.sleep(0.01))
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("copy")] == []


def test_rows_lost_on_the_way_are_noticed(database, bucket, query):
    """A trigger swallows a line: what is stored is not what was read."""
    source = crafted_source(bucket)
    paths = write_delivery(bucket, [line()] * 3)
    create = staging.create_raw_table

    def swallowing(connection, table, columns, month):
        create(connection, table, columns, month)
        name = table.as_string(connection)
        connection.execute(
            f'create function "{database.schema}".swallow() returns trigger language plpgsql as $$ begin '
            f"if (select count(*) from {name}) = 1 then return null; end if; return new; end $$"
        )
        connection.execute(
            f"create trigger swallow before insert on {name} "
            f'for each row execute function "{database.schema}".swallow()'
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cloud_costs.publishing.load.create_raw_table", swallowing)
        with pytest.raises(DeliveryError, match=r"its footer says 3 rows, 3 were read and \d stored") as raised:
            load_raw(database, LocalStorage(), source, JANUARY)
    assert paths[0].name in str(raised.value)


def test_progress_counts_every_row(database, cup):
    truth = cup.deliver()
    seen = []
    load_raw(database, LocalStorage(), cup.source, JANUARY, progress=seen.append)
    assert sum(seen) == truth.raw_lines


def test_file_names_with_glob_characters_are_files(database, bucket, query):
    source = crafted_source(bucket)
    path = write_delivery(bucket, [line()])[0]
    odd = path.with_name("crafted-[0]*?.snappy.parquet")
    path.rename(odd)
    path.with_name("crafted-0xx.snappy.parquet").write_bytes(odd.read_bytes())
    manifest = next(bucket.glob("crafted/*/crafted-Manifest.json"))
    manifest.write_text(manifest.read_text().replace(path.name, odd.name))
    load_month(database, source, JANUARY)
    assert query("select count(*) from raw_crafted") == [(1,)]
