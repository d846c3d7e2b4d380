"""The second opinion: what DuckDB reads of the files is what is stored, and what breaks the encoder is caught."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deliveries import write_month
from pipeline import JANUARY, crafted_source, line, load_month, write_delivery

from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import AuditFailed, StorageUnavailable
from cloud_costs.loading import binary_copy, parquet_files, second_engine
from cloud_costs.publishing.audit import audit
from cloud_costs.publishing.load import load_raw
from cloud_costs.publishing.normalize import normalize
from cloud_costs.storage.local import LocalStorage

PAYER, MEMBER = "011254002932", "004512887103"
TAXED = Decimal("0.0000000123")
Break = Callable[[pa.Array, str], pa.Array]


def lines() -> list[list[dict[str, Any]]]:
    """Return two files of lines in which each column can be told by its values, and every third amount is absent."""
    files = []
    for file in range(2):
        found = []
        for number in range(30):
            start = datetime(2025, 1, 1 + number, 23)
            found.append(
                line(
                    bill_payer_account_id=PAYER,
                    line_item_usage_account_id=MEMBER,
                    line_item_usage_start_date=start,
                    line_item_usage_end_date=start + timedelta(hours=1),
                    line_item_product_code=f"Product{number % 7}",
                    line_item_unblended_cost=12.1 + number,
                    pricing_public_on_demand_cost=None if number % 3 == 0 else Decimal(100 + number) + TAXED,
                    bill_invoice_id=None if number % 2 else f"INVOICE-{file}",
                )
            )
        files.append(found)
    return files


READ = """
import sys
from datetime import date
from cloud_costs.config.sources import Source
from cloud_costs.loading.second_engine import read_facts
from cloud_costs.loading.staging import read_shape
from cloud_costs.publishing.load import find_manifest
from cloud_costs.storage.local import LocalStorage

storage, source = LocalStorage(), Source.model_validate_json(sys.argv[1])
delivery = source.form.read_delivery(find_manifest(storage, source, date(2025, 1, 1)), storage)
shape = read_shape(storage, delivery, source.form, {}, {}, mapped=False)
facts = read_facts(storage, "crafted 2025-01", shape, source.form)
print(len(facts), "duckdb" in sys.modules, "pandas" in sys.modules)
"""


def test_second_opinion_imports_no_pandas(bucket: Path) -> None:
    """DuckDB imports it for the first parameter of a statement: a tenth of a second, and 45 MB, of each load."""
    write_delivery(bucket, *lines())
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "include")}
    command = [sys.executable, "-c", READ, crafted_source(bucket).model_dump_json()]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    count, *imported = shown.split()
    assert int(count) > 100
    assert imported == ["True", "False"]


def decoded(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def holds(array: pa.Array, value: Any) -> bool:
    return bool(pc.any(pc.equal(decoded(array), pa.scalar(value, decoded(array).type))).as_py())


def where(wanted: Callable[[pa.Array, str], bool], change: Callable[[pa.Array], pa.Array]) -> Break:
    """Return a break of the columns that are wanted; the columns have no names in the encoder."""
    return lambda array, kind: change(array) if wanted(array, kind) else array


def is_text(value: str) -> Callable[[pa.Array, str], bool]:
    return lambda array, kind: kind == "text" and any(holds(array, value + end) for end in ("", "0"))


def is_cost(array: pa.Array, kind: str) -> bool:
    return kind == "double precision"


def is_decimal(array: pa.Array, kind: str) -> bool:
    return kind == "numeric"


def is_start(array: pa.Array, kind: str) -> bool:
    return kind == "timestamp without time zone" and pc.max(pc.hour(array)).as_py() == 23


def one_line(change: Callable[[Any], Any]) -> Callable[[pa.Array], pa.Array]:
    """Return a change of the second line alone."""

    def changed(array: pa.Array) -> pa.Array:
        values = decoded(array).to_pylist()
        kind = decoded(array).type
        # Room for a digit more.
        kind = pa.decimal128(38, kind.scale) if pa.types.is_decimal(kind) else kind
        return pa.array([change(one) if at == 1 else one for at, one in enumerate(values)], kind)

    return changed


BREAKS = {
    "a sign": (where(is_cost, one_line(lambda cost: -cost)), "line_item_unblended_cost", "sum"),
    "a scale": (where(is_decimal, one_line(lambda cost: cost * 10)), "pricing_public_on_demand_cost", "sum"),
    "a digit": (
        where(is_cost, lambda array: array.cast(pa.float32(), safe=False).cast(pa.float64())),
        "line_item_unblended_cost",
        "sum",
    ),
    "the last digit": (
        where(is_decimal, one_line(lambda cost: cost + Decimal("0.0000000001"))),
        "pricing_public_on_demand_cost",
        "sum",
    ),
    "a null that is 0": (
        where(is_decimal, lambda array: array.fill_null(pa.scalar(Decimal(0), array.type))),
        "pricing_public_on_demand_cost",
        "filled",
    ),
    "a null that is a text": (
        where(is_text("INVOICE-"), lambda array: decoded(array).fill_null("x")),
        "bill_invoice_id",
        "lines",
    ),
    "a text that is null": (
        where(is_text("Product"), one_line(lambda text: None)),
        "line_item_product_code",
        "lines",
    ),
    "a truncated text": (
        where(is_text("Product"), one_line(lambda text: text[:-1])),
        "line_item_product_code",
        "lines",
    ),
    "an account id without its zero": (
        where(is_text(PAYER), lambda array: pc.utf8_ltrim(decoded(array), "0")),
        "bill_payer_account_id",
        "lines",
    ),
    "a date in another zone": (
        where(is_start, lambda array: pc.add(array, pa.scalar(timedelta(hours=1)))),
        "line_item_usage_start_date",
        "lines",
    ),
    "a shifted column": (
        where(is_text("Product"), lambda array: pa.array([PAYER] * len(array))),
        "line_item_product_code",
        "lines",
    ),
}


def stage(database: Any, source: Source) -> Any:
    return normalize(database, source, load_raw(database, LocalStorage(), source, JANUARY))


@pytest.mark.parametrize("name", BREAKS)
def test_broken_encoder_is_caught_and_file_and_column_are_named(database, bucket, query, monkeypatch, name):
    breaks, column, kind = BREAKS[name]
    source = crafted_source(bucket)
    paths = write_delivery(bucket, *lines())
    pieces = binary_copy._pieces
    monkeypatch.setattr(binary_copy, "_pieces", lambda array, kind: pieces(breaks(array, kind), kind))
    load = stage(database, source)
    with pytest.raises(AuditFailed, match="raw_equals_files"):
        audit(database, source, load)
    monkeypatch.undo()
    [(sample,)] = query("select sample from audit_results where check_name = 'raw_equals_files'")
    assert {(row["column_name"], row["kind"]) for row in sample} == {(column, kind)}
    assert {row["file"] for row in sample} <= {f"file://{path}" for path in paths}
    assert all(row["number_in_files"] != row["number_in_table"] for row in sample)
    load_month(database, source, JANUARY)
    assert query("select sum(cost) from costs") == [(sum(Decimal("12.1") + number for number in range(30)) * 2,)]


def test_rows_that_are_stored_twice_in_the_place_of_others_are_caught(database, bucket, query, monkeypatch):
    """As many rows as the footer says, and one slice of them twice."""
    source = crafted_source(bucket)
    paths = write_delivery(bucket, *lines())
    monkeypatch.setattr(parquet_files, "BATCH_ROWS", 10)
    encode, first = binary_copy.encode, []

    def doubled(columns, types, size=binary_copy.SLICE_BYTES):
        if any(pa.types.is_floating(array.type) and holds(array, 12.1) for array in columns):
            first[:] = columns
        yield from encode(first or columns, types, size)

    monkeypatch.setattr(binary_copy, "encode", doubled)
    source = source.model_copy(update={"streams": 1})
    load = stage(database, source)
    with pytest.raises(AuditFailed, match="raw_equals_files"):
        audit(database, source, load)
    [(sample,)] = query("select sample from audit_results where check_name = 'raw_equals_files'")
    assert {row["file"] for row in sample} <= {f"file://{path}" for path in paths}


def test_sums_are_those_of_postgresql_for_any_double(database, bucket, query):
    """Doubles of 17 digits, tiny and huge ones: numeric has the 15 digits that PostgreSQL gives them."""
    random = np.random.default_rng(7)
    costs = [
        *random.uniform(-1, 1, 2_000).tolist(),
        *(random.uniform(1, 10, 500) * 10.0 ** random.integers(-25, 12, 500)).tolist(),
        *(0.1 + 0.2, 1 / 3, 1e15, 123456789012345.6, 9.999999999999999e22, 5e-324, 0.0, -0.0, 999999999999999.9),
    ]
    write_delivery(bucket, [line(line_item_unblended_cost=cost) for cost in costs])
    load_month(database, crafted_source(bucket), JANUARY)
    [(stored,)] = query("select sum(line_item_unblended_cost::numeric) from raw_crafted")
    facts = query("select sum(number) from file_facts where column_name = 'line_item_unblended_cost' and kind = 'sum'")
    assert facts == [(stored,)]
    assert query("select note from load_history") == [(None,)]


@pytest.mark.parametrize("kind", [pa.float32(), pa.int32(), pa.decimal128(38, 20), pa.decimal128(9, 2)], ids=str)
def test_amounts_of_every_type_are_summed(database, bucket, query, kind):
    values = [Decimal(number) / 4 if pa.types.is_decimal(kind) else number for number in range(-5, 50)]
    table = pa.Table.from_pylist([line() for _ in values])
    at = table.column_names.index("line_item_unblended_cost")
    costs = pa.array(values, pa.decimal128(38, 2)).cast(kind) if pa.types.is_decimal(kind) else pa.array(values, kind)
    write_delivery(bucket, table.set_column(at, "line_item_unblended_cost", costs))
    load_month(database, crafted_source(bucket), JANUARY)
    facts = query("select sum(number) from file_facts where column_name = 'line_item_unblended_cost' and kind = 'sum'")
    assert facts == [(sum(Decimal(value) for value in values),)] == query("select sum(cost) from costs")


@pytest.mark.parametrize(
    "bill",
    [
        Bill(lines=200, files=2, file_type="csv"),
        Bill(lines=200, files=2, file_type="csv", compression="zip"),
        Bill(lines=200, files=2, format="aws_cur2"),
        Bill(lines=200, files=2, format="aws_cur2", file_type="csv"),
        Bill(lines=200, files=2, format="aws_focus"),
    ],
    ids=["csv.gz", "csv.zip", "cur2 parquet", "cur2 csv", "focus parquet"],
)
def test_every_file_of_every_format_has_facts_and_is_compared(database, bucket, query, bill):
    write_month(bill, JANUARY, bucket)
    source = Source(name="cup", format=bill.format, uri=f"file://{bucket}/{bill.root}/", tags=("user:team",))
    load_month(database, source, JANUARY)
    files = query("select uri, rows from load_files order by 1")
    assert len(files) == 2
    assert query("select uri, number from file_facts where kind = 'rows' order by 1") == files
    assert query("select passed, severity from audit_results where check_name = 'raw_equals_files'") == [
        (True, "error")
    ]
    kinds = query("select kind, count(*) > 2 from file_facts where column_name <> '' group by 1 order by 1")
    assert kinds == [("filled", True), ("lines", True), ("sum", True)]
    stored = query("select xmin::text::bigint, count(*) from raw_cup group by 1")
    by_file = query("select unnest(transactions), rows from load_files")
    assert {transaction for transaction, _ in stored} == {transaction for transaction, _ in by_file}


def test_csv_amount_that_decimals_do_not_hold_is_summed_exactly(database, bucket, query):
    import gzip

    costs = ["0.1", "-2.50", "1E-7", "5.0e-20", "0.1234567890123456789012345", "12345678901234567890.5", " 7 ", ""]
    header = (
        "bill/PayerAccountId,lineItem/UsageAccountId,lineItem/CurrencyCode,lineItem/UsageStartDate,"
        "bill/BillingPeriodStartDate,lineItem/LineItemType,lineItem/UnblendedCost"
    )
    rows = [f"011254002932,004512887103,USD,2025-01-02T00:00:00Z,2025-01-01T00:00:00Z,Usage,{cost}" for cost in costs]
    path = write_delivery(bucket, [line()])[0]
    manifest = bucket / "crafted/20250101-20250201/crafted-Manifest.json"
    manifest.write_text(manifest.read_text().replace(".snappy.parquet", ".csv.gz"))
    path.unlink()
    path.with_name("crafted-00001.csv.gz").write_bytes(gzip.compress("\n".join([header, *rows, ""]).encode()))
    load_month(database, crafted_source(bucket), JANUARY)
    with localcontext(prec=100):
        expected = sum((Decimal(cost.strip()) for cost in costs if cost), Decimal(0))
    facts = query("select sum(number) from file_facts where column_name = 'line_item_unblended_cost' and kind = 'sum'")
    assert facts == [(expected,)] == query("select sum(cost) from costs")


def test_source_can_do_without_and_the_history_says_so(database, cup, query):
    cup.deliver()
    source = cup.source.model_copy(update={"second_engine": False})
    load_month(database, source, JANUARY)
    assert query("select count(*) from file_facts") == [(0,)]
    assert query("select note from load_history") == [
        ("its lines were not compared with its files: second_engine is false",)
    ]
    assert query("select passed from audit_results where check_name = 'raw_equals_files'") == [(True,)]


def test_what_duckdb_cannot_read_is_told_and_refuses_no_bill(database, cup, query, monkeypatch):
    cup.deliver()
    monkeypatch.setattr(second_engine, "reader", lambda part, columns: "read_json($1, filename = true)")
    load_month(database, cup.source, JANUARY)
    [(note,)] = query("select note from load_history")
    assert note.startswith("its lines were not compared with its files, because DuckDB cannot read them: ")


def test_plain_csv_that_may_be_cut_is_noted(database, bucket, query):
    bill = Bill(lines=50, files=1, file_type="csv", compression="none")
    write_month(bill, JANUARY, bucket)
    load_month(database, Source(name="cup", format=bill.format, uri=f"file://{bucket}/{bill.root}/"), JANUARY)
    [(note,)] = query("select note from load_history")
    assert note.startswith("a plain CSV file that was cut at the end of a line would not be noticed")


def test_plain_csv_that_was_cut_at_the_end_of_a_line_loads_and_is_noted(database, bucket, query, read, caplog):
    """Nothing tells it from a shorter file: the log, the history and `published_months` say so."""
    bill = Bill(lines=50, files=1, file_type="csv", compression="none")
    truth = write_month(bill, JANUARY, bucket)
    [path] = bucket.rglob("*.csv")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-5]))
    load_month(database, Source(name="cup", format=bill.format, uri=f"file://{bucket}/{bill.root}/"), JANUARY)
    words = "a plain CSV file that was cut at the end of a line would not be noticed"
    [(rows, note)] = read("select rows, note from published_months")
    assert rows == truth.raw_lines - 5
    assert note.startswith(words)
    assert read("select note from load_history where status = 'published'") == [(note,)]
    assert [record.levelname for record in caplog.records if words in record.getMessage()] == ["WARNING"]


def test_compressed_csv_is_noted_of_nothing(database, bucket, query):
    bill = Bill(lines=50, files=1, file_type="csv")
    write_month(bill, JANUARY, bucket)
    load_month(database, Source(name="cup", format=bill.format, uri=f"file://{bucket}/{bill.root}/"), JANUARY)
    assert query("select note from load_history") == query("select note from published_months") == [(None,)]


def test_facts_of_a_load_that_is_over_go_and_its_files_stay(database, cup, query):
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    cup.deliver(version=2)
    load_month(database, cup.source, JANUARY)
    assert query("select distinct load_id from load_files order by 1") == [(1,), (2,)]
    cup.deliver(version=3)
    load_month(database, cup.source, JANUARY)
    assert query("select distinct load_id from file_facts order by 1") == [(2,), (3,)]


def test_published_month_is_audited_again(database, cup, query):
    cup.deliver()
    load = load_month(database, cup.source, JANUARY)
    assert all(result.passed for result in audit(database, cup.source, load) if result.severity == "error")


def test_key_of_too_many_values_is_not_counted(database, bucket, query, monkeypatch):
    monkeypatch.setattr(second_engine, "MOST_VALUES", 5)
    write_delivery(bucket, *lines())
    load_month(database, crafted_source(bucket), JANUARY)
    columns = {name for (name,) in query("select distinct column_name from file_facts where kind = 'lines'")}
    assert "line_item_product_code" not in columns
    assert "bill_payer_account_id" in columns


class Changing(LocalStorage):
    """A storage whose files change, or go, while DuckDB reads them."""

    def __init__(self, error: Exception) -> None:
        self.error, self.opened = error, 0

    def open(self, file: Any) -> Any:
        self.opened += 1
        if self.opened > 4:
            raise self.error
        return super().open(file)


def test_storage_that_fails_while_duckdb_reads_is_tried_again(database, cup, query):
    cup.deliver()
    storage = Changing(StorageUnavailable("the network went"))
    with pytest.raises(StorageUnavailable, match="the network went"):
        load_raw(database, storage, cup.source, JANUARY)
    assert query("select status from load_history") == [("failed",)]
