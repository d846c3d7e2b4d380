"""`raw: mapped` keeps the columns that the costs come from, and changes no cost."""

import csv
import zipfile
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest
from deliveries import write_month
from pipeline import JANUARY, cost_totals, crafted_source, line, load_month, truth_totals, write_delivery

from cloud_costs.charges.columns import focus_columns
from cloud_costs.charges.focus import OF_ALL_SOURCES
from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import DeliveryError
from cloud_costs.formats import FORMATS
from cloud_costs.formats.mapping import is_read

FEBRUARY, MARCH = JANUARY.replace(month=2), JANUARY.replace(month=3)
BILL = Bill(lines=300, files=2)
BILLS = {
    "cur parquet": BILL,
    "cur csv.gz": replace(BILL, file_type="csv"),
    "cur csv.zip": replace(BILL, file_type="csv", compression="zip"),
    "cur net": replace(BILL, net=True),
    "cur2 parquet": replace(BILL, format="aws_cur2"),
    "cur2 csv.gz": replace(BILL, format="aws_cur2", file_type="csv"),
    "focus parquet": replace(BILL, format="aws_focus"),
    "focus csv.gz": replace(BILL, format="aws_focus", file_type="csv"),
}
CHECKS = "select check_name, severity, violations, sample from audit_results where source = %s order by 1"


def source_of(bill, bucket, name="cup", **options):
    return Source(
        name=name,
        format=bill.format,
        uri=f"file://{bucket}/{bill.prefix}/{bill.report}/",
        tags=("user:team", "user:environment"),
        **options,
    )


def raw_names(query, source):
    return {name for (name,) in query("select column_name from raw_columns where source = %s", source)}


@pytest.mark.parametrize("bill", BILLS.values(), ids=BILLS)
def test_mapped_columns_give_every_charge_of_all_columns(database, query, bucket, bill):
    truth = write_month(bill, JANUARY, bucket)
    load_month(database, source_of(bill, bucket), JANUARY)
    load_month(database, source_of(bill, bucket, "lean", raw="mapped"), JANUARY)
    everything = raw_names(query, "cup")
    assert raw_names(query, "lean") == {name for name in everything if is_read(FORMATS[bill.format], name)}
    # All but `x_rawline`: the same line has another place in another raw table.
    columns = ", ".join(column.name.lower() for column in focus_columns() if column.name != OF_ALL_SOURCES)
    assert query(f"select {columns} from cup_focus except all select {columns} from lean_focus") == []
    assert query(f"select {columns} from lean_focus except all select {columns} from cup_focus") == []
    assert query("select count(*), sum(BilledCost), sum(EffectiveCost) from lean_focus") == [
        (*query("select count(*) from cup_focus")[0], truth.billed_cost, truth.effective_cost)
    ]
    totals = cost_totals(query, "lean", JANUARY)
    assert totals == cost_totals(query, "cup", JANUARY)
    assert {key: values[:3] for key, values in totals.items()} == {
        key: values[:3] for key, values in truth_totals(truth).items()
    }
    assert query(CHECKS, "lean") == query(CHECKS, "cup")
    assert query("select rows from load_history where source = 'lean'") == [(truth.raw_lines,)]
    assert query("select count(*) from raw_lean") == [(truth.raw_lines,)]


@pytest.mark.parametrize("file_type", ["parquet", "csv"])
def test_mapped_columns_are_fewer(database, query, bucket, file_type):
    bill = replace(BILL, file_type=file_type)
    write_month(bill, JANUARY, bucket)
    load_month(database, source_of(bill, bucket, raw="mapped"), JANUARY)
    names = raw_names(query, "cup")
    assert {"line_item_unblended_cost", "product_sku", "resource_tags_user_team"} <= names
    assert names.isdisjoint({"product_ecu", "line_item_blended_cost", "bill_bill_type", "product_usagetype"})


@pytest.mark.parametrize("order", [("all", "mapped", "all"), ("mapped", "all", "mapped")])
@pytest.mark.parametrize("file_type", ["parquet", "csv"])
def test_source_may_change_its_mind_between_months(database, query, bucket, order, file_type):
    """The net columns of February are of February alone: the other months are on the gross basis."""
    truths = []
    for month, raw in zip((JANUARY, FEBRUARY, MARCH), order, strict=True):
        bill = replace(BILL, file_type=file_type, net=month == FEBRUARY)
        truths.append(write_month(bill, month, bucket))
        load_month(database, source_of(bill, bucket, raw=raw), month)
    for truth in truths:
        assert cost_totals(query, "cup", truth.billing_month) == truth_totals(truth)
        assert query(
            "select sum(BilledCost), sum(EffectiveCost) from focus_costs where billing_period = %s", truth.billing_month
        ) == [(truth.billed_cost, truth.effective_cost)]
    assert query("select check_name from audit_results where not passed") == []
    kept = [(month, raw == "all") for month, raw in zip((JANUARY, FEBRUARY, MARCH), order, strict=True)]
    assert query("select billing_period, 'bill_bill_type' = any(columns) from raw_months order by 1") == kept
    assert query("select billing_period, count(bill_bill_type) > 0 from raw_cup group by 1 order by 1") == kept
    assert query("select billing_period from raw_months where 'line_item_net_unblended_cost' = any(columns)") == [
        (FEBRUARY,)
    ]
    with_all = [month for month, is_kept in kept if is_kept]
    assert query("select first_month, last_month from raw_columns where column_name = 'bill_bill_type'") == [
        (with_all[0], with_all[-1])
    ]


@pytest.mark.parametrize("file_type", ["parquet", "csv"])
def test_mapped_month_comes_again_and_restated(database, query, bucket, file_type):
    bill = replace(BILL, file_type=file_type)
    source = source_of(bill, bucket, raw="mapped")
    for version in (1, 1, 2):
        truth = write_month(bill, JANUARY, bucket, version=version)
        load_month(database, source, JANUARY)
        assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)
        assert query("select count(*) from raw_cup") == [(truth.raw_lines,)]
    assert query("select sum(cost_change) <> 0 from restatements where load_id = 3") == [(True,)]


def test_column_that_is_left_out_may_have_any_type(database, query, bucket):
    """What is not read cannot hinder a load: with all columns, this one is refused by name."""
    source = crafted_source(bucket, raw="mapped")
    write_delivery(bucket, [line(n=7)], [line(n="seven")])
    load_month(database, source, JANUARY)
    assert query("select sum(cost), sum(line_items) from costs") == [(Decimal("3.0"), 2)]
    assert "n" not in raw_names(query, "crafted")


def test_left_out_columns_stand_anywhere_in_a_file(database, query, bucket):
    source = crafted_source(bucket, raw="mapped")
    values = {
        "Line_Item_Unblended_Cost": 7.0,
        "before": "x",
        **line(resource_tags_user_team="core"),
        "Name": 1,
        "name": 2,
    }
    write_delivery(bucket, pa.Table.from_pylist([values]), pa.Table.from_pylist([dict(reversed(line().items()))]))
    load_month(database, source, JANUARY)
    assert query("select BilledCost, Tags from focus_costs order by Tags ->> 'user_team'") == [
        (Decimal("1.5"), {"user_team": "core"}),
        (Decimal("1.5"), {}),
    ]
    assert raw_names(query, "crafted").isdisjoint({"before", "name"})


def test_file_without_a_mapped_column_is_refused(database, bucket):
    source = crafted_source(bucket, raw="mapped")
    [_, other] = write_delivery(bucket, [line()], [{"a": 1}])
    with pytest.raises(
        DeliveryError, match=rf"crafted 2025-01: file://.*{other.name}: the FOCUS mapping aws_cur reads"
    ):
        load_month(database, source, JANUARY)


def test_every_file_of_a_zip_is_moved_once(database, query, bucket):
    bill = replace(BILL, file_type="csv", compression="zip", files=1, lines=20)
    truth = write_month(bill, JANUARY, bucket)
    [path] = bucket.rglob("*.zip")
    with zipfile.ZipFile(path, "a") as archive:
        [name] = archive.namelist()
        archive.writestr("second.csv", archive.read(name))
    load_month(database, source_of(bill, bucket, raw="mapped"), JANUARY)
    assert query("select sum(cost), sum(effective_cost) from costs") == [
        (2 * truth.billed_cost, 2 * truth.effective_cost)
    ]
    assert query("select rows from load_history") == query("select count(*) from raw_cup") == [(2 * truth.raw_lines,)]


def test_bad_value_of_a_csv_file_is_found_among_columns_that_are_left_out(database, query, bucket):
    bill = replace(BILL, file_type="csv", compression="none", files=1, lines=20)
    write_month(bill, JANUARY, bucket)
    [path] = bucket.rglob("*.csv")
    rows = path.read_text().splitlines(keepends=True)
    at = next(csv.reader([rows[0]])).index("lineItem/UnblendedCost")
    values = next(csv.reader([rows[4]]))
    values[at] = "1,5"
    rows[4] = ",".join(f'"{value}"' for value in values) + "\n"
    path.write_text("".join(rows))
    with pytest.raises(DeliveryError, match=r"line 5, column line_item_unblended_cost: invalid input syntax"):
        load_month(database, source_of(bill, bucket, raw="mapped"), JANUARY)
    assert query("select status from load_history") == [("failed",)]
