"""The sample bill's truth, recomputed from the files alone, and the shape in which AWS would deliver it."""

import hashlib
import itertools
import json
import tracemalloc
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cloud_costs.demo.sample_bill import (
    Bill,
    Event,
    Truth,
    parquet_files,
    plan_lines,
    read_truth,
    write_export,
    write_month,
    write_truth,
)
from cloud_costs.demo.sample_bill import delivery as delivery_module
from cloud_costs.demo.sample_bill.__main__ import main
from cloud_costs.demo.sample_bill.columns import column_names, column_type
from cloud_costs.demo.sample_bill.discounts import DISCOUNTS
from cloud_costs.demo.sample_bill.resources import COLLIDING_TAG
from cloud_costs.demo.sample_bill.usage import event_cost

JANUARY, FEBRUARY, MARCH = date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1)
BILL = Bill(lines=1500)
REPORT = "CUP-Cost-Usage-Report"
COST_COLUMNS = [name for name in column_names(FEBRUARY) if column_type(name) == "double"]

Row = dict[str, Any]
Group = tuple[str, str, str, str]


@pytest.fixture(scope="module")
def january(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    bucket = tmp_path_factory.mktemp("bucket")
    return bucket, write_month(BILL, JANUARY, bucket)


@pytest.fixture(scope="module")
def rows(january: tuple[Path, Truth]) -> list[Row]:
    return delivered_rows(january[0], BILL, "20250101-20250201")


def manifest_of(bucket: Path, bill: Bill, month_range: str) -> dict[str, Any]:
    folder = bucket / bill.prefix / bill.report / month_range
    document: dict[str, Any] = json.loads((folder / f"{bill.report}-Manifest.json").read_text())
    return document


def delivered_rows(bucket: Path, bill: Bill, month_range: str) -> list[Row]:
    keys = manifest_of(bucket, bill, month_range)["reportKeys"]
    found = [row for key in keys for row in pq.read_table(bucket / key.lstrip("/")).to_pylist()]
    assert found
    return [{k: as_sent(v) if isinstance(v, float) else v for k, v in row.items()} for row in found]


def as_sent(value: float) -> Decimal:
    """Return what PostgreSQL's float8-to-numeric cast makes of a double."""
    return Decimal(format(value, ".15g"))


def is_split(row: Row) -> bool:
    return row["line_item_operation"] in ("EKSPod-EC2", "ECSTask-EC2")


def service_of(row: Row) -> str:
    return str(row["product_product_name"])


def charges_of(row: Row) -> Iterator[tuple[str, Decimal, Decimal, Decimal, int]]:
    """Yield (category, billed, effective, list cost, lines) by the table of line types."""
    kind, cost = row["line_item_line_item_type"], row["line_item_unblended_cost"]
    list_cost, zero = row["pricing_public_on_demand_cost"] or cost, Decimal(0)
    if kind == "SavingsPlanNegation":
        return
    if kind == "SavingsPlanCoveredUsage":
        yield "Usage", zero, row["savings_plan_savings_plan_effective_cost"], list_cost, 1
    elif kind == "SavingsPlanRecurringFee":
        unused = row["savings_plan_total_commitment_to_date"] - row["savings_plan_used_commitment"]
        yield "Purchase", cost, zero, list_cost, 1
        yield "Usage", zero, unused, zero, 0
    elif kind == "RIFee":
        unused = (
            row["reservation_unused_amortized_upfront_fee_for_billing_period"] + row["reservation_unused_recurring_fee"]
        )
        yield "Purchase", cost, zero, list_cost, 1
        yield "Usage", zero, unused, zero, 0
    elif kind == "DiscountedUsage":
        yield "Usage", cost, row["reservation_effective_cost"], list_cost, 1
    elif is_upfront(row):
        yield "Purchase", cost, zero, list_cost, 1
    else:
        yield CATEGORIES.get(kind, "Purchase" if is_refunded_fee(row) else "Usage"), cost, cost, list_cost, 1


CATEGORIES = {"Fee": "Purchase", "FlatRateSubscription": "Purchase", "Credit": "Credit", "Tax": "Tax"}


def is_upfront(row: Row) -> bool:
    kind = row["line_item_line_item_type"]
    return bool(
        kind == "SavingsPlanUpfrontFee"
        or (kind == "Fee" and row["reservation_reservation_a_r_n"] != "")
        or (kind == "Refund" and row["reservation_reservation_a_r_n"] != "")
        or (is_refunded_fee(row) and row["savings_plan_payment_option"] != "No Upfront")
    )


def is_refunded_fee(row: Row) -> bool:
    """Return whether the line gives back a fee of a Savings Plan."""
    return row["line_item_line_item_type"] == "Refund" and row["line_item_product_code"] == "ComputeSavingsPlans"


def recomputed(rows: list[Row]) -> dict[Group, list[Any]]:
    groups: dict[Group, list[Any]] = defaultdict(lambda: [Decimal(0), Decimal(0), Decimal(0), 0])
    for row in rows:
        if is_split(row):
            continue
        for category, *amounts in charges_of(row):
            group = (
                service_of(row), row["line_item_usage_account_id"], category, row["line_item_currency_code"]
            )  # fmt: skip
            groups[group] = [a + b for a, b in zip(groups[group], amounts, strict=True)]
    return dict(groups)


def as_groups(truth: Truth) -> dict[Group, list[Any]]:
    return {
        (row.service, row.account, row.charge_category, row.currency): [
            row.billed_cost,
            row.effective_cost,
            row.list_cost,
            row.lines,
        ]
        for row in truth.rows
    }


def contents(bucket: Path) -> dict[str, str]:
    return {
        str(path.relative_to(bucket)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(bucket.rglob("*"))
        if path.is_file()
    }


def of_type(rows: list[Row], kind: str) -> list[Row]:
    found = [row for row in rows if row["line_item_line_item_type"] == kind]
    assert found
    return found


def total(rows: list[Row], column: str) -> Decimal:
    return sum((row[column] for row in rows), Decimal(0))


# --- money


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("month", [JANUARY, FEBRUARY, MARCH])
def test_truth_is_what_the_files_say(tmp_path: Path, month: date, version: int) -> None:
    truth = write_month(BILL, month, tmp_path, version=version)
    (folder,) = (tmp_path / "cup" / REPORT).glob("2025*")
    rows = delivered_rows(tmp_path, BILL, folder.name)
    assert as_groups(truth) == recomputed(rows)
    assert truth.raw_lines == len(rows)


def test_raw_cost_is_the_billed_cost(january: tuple[Path, Truth], rows: list[Row]) -> None:
    truth = january[1]
    counted = [row for row in rows if not is_split(row)]
    assert truth.raw_cost == total(counted, "line_item_unblended_cost") == truth.billed_cost
    assert truth.billed_cost > truth.effective_cost > 0
    assert truth.list_cost > 0


def test_every_line_is_counted_once(january: tuple[Path, Truth]) -> None:
    truth = january[1]
    assert sum(row.lines for row in truth.rows) + truth.negation_lines + truth.split_lines == truth.raw_lines
    assert truth.negation_lines > 0


def test_invoices_add_up_to_the_bill(january: tuple[Path, Truth], rows: list[Row]) -> None:
    truth = january[1]
    invoiced: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if not is_split(row):
            for _, billed, *_ in charges_of(row):
                invoiced[row["bill_invoice_id"]] += billed
    assert truth.invoices == invoiced
    assert sum(truth.invoices.values()) == truth.billed_cost
    assert len(truth.invoices) == 3
    assert "" in truth.invoices


@pytest.mark.parametrize("version", [1, 2])
def test_amounts_survive_a_double(version: int) -> None:
    for line in plan_lines(BILL, JANUARY, version):
        for name, value in line.values.items():
            if column_type(name) == "double":
                assert isinstance(value, Decimal)
                assert as_sent(float(value)) == value, name
                assert as_tuple_exponent(value) >= -12, name


def as_tuple_exponent(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent


def test_the_fees_of_a_huge_bill_survive_a_double() -> None:
    huge = Bill(lines=10_000_000)
    from cloud_costs.demo.sample_bill.commitments import plan_commitments
    from cloud_costs.demo.sample_bill.lines import Month

    month = Month(huge, JANUARY, 1)
    for commitment in plan_commitments(month):
        daily = list(commitment.day_lines(0, month.share(0, commitment.percent), month.hours(0)))
        for line in (daily[-1], *commitment.month_lines()):
            for name, value in line.values.items():
                if isinstance(value, Decimal):
                    assert as_sent(float(value)) == value, name


def test_negations_cancel_the_covered_usage(rows: list[Row]) -> None:
    covered, negations = of_type(rows, "SavingsPlanCoveredUsage"), of_type(rows, "SavingsPlanNegation")
    cost = "line_item_unblended_cost"
    plans = {row["savings_plan_savings_plan_a_r_n"] for row in covered}
    assert len(plans) == 3
    for arn in plans:
        both = [row for row in covered + negations if row["savings_plan_savings_plan_a_r_n"] == arn]
        assert total(both, cost) == 0
    assert total(covered, cost) > 0


def test_commitments_leave_something_unused(rows: list[Row]) -> None:
    for fee in of_type(rows, "SavingsPlanRecurringFee"):
        assert 0 < fee["savings_plan_used_commitment"] < fee["savings_plan_total_commitment_to_date"]
    for fee in of_type(rows, "RIFee"):
        assert 0 < fee["reservation_unused_quantity"] < fee["line_item_usage_amount"]


def test_used_commitment_is_the_effective_cost_of_the_usage(rows: list[Row]) -> None:
    used: dict[str, Decimal] = defaultdict(Decimal)
    effective: dict[str, Decimal] = defaultdict(Decimal)
    arn = "savings_plan_savings_plan_a_r_n"
    for fee in of_type(rows, "SavingsPlanRecurringFee"):
        used[fee[arn]] += fee["savings_plan_used_commitment"]
    for covered in of_type(rows, "SavingsPlanCoveredUsage"):
        effective[covered[arn]] += covered["savings_plan_savings_plan_effective_cost"]
    assert used == effective


def test_the_identity_of_a_closed_month_holds(rows: list[Row]) -> None:
    counted = [row for row in rows if not is_split(row)]
    amortized = sum((charge[2] for row in counted for charge in charges_of(row)), Decimal(0))
    true_up = -total(counted, "savings_plan_amortized_upfront_commitment_for_billing_period") - total(
        counted, "reservation_amortized_upfront_fee_for_billing_period"
    )
    upfront = total([row for row in counted if is_upfront(row)], "line_item_unblended_cost")
    assert true_up < 0
    assert upfront > 0
    assert total(counted, "line_item_unblended_cost") == amortized + true_up + upfront


def test_split_cost_would_inflate_the_total(january: tuple[Path, Truth], rows: list[Row]) -> None:
    split = [row for row in rows if is_split(row)]
    assert {row["line_item_operation"] for row in split} == {"EKSPod-EC2", "ECSTask-EC2"}
    assert total(split, "line_item_unblended_cost") == total(split, "pricing_public_on_demand_cost") == 0
    assert january[1].split_cost == total(split, "split_line_item_split_cost") > 0
    assert january[1].split_lines == len(split)


# --- lines


@pytest.mark.parametrize("lines", [0, 100, 1500])
def test_every_month_has_every_line_type(lines: int) -> None:
    types = {line.values["line_item_line_item_type"] for line in plan_lines(Bill(lines=lines), JANUARY)}
    assert types == {
        "Usage",
        "SavingsPlanCoveredUsage",
        "SavingsPlanNegation",
        "SavingsPlanRecurringFee",
        "SavingsPlanUpfrontFee",
        "DiscountedUsage",
        "RIFee",
        "Fee",
        "FlatRateSubscription",
        "Refund",
        "Credit",
        "Tax",
        "EdpDiscount",
        "PrivateRateDiscount",
        "BundledDiscount",
        "SppDiscount",
    }


def test_the_traps_of_a_real_bill_are_there(rows: list[Row]) -> None:
    costs = [row["line_item_unblended_cost"] for row in rows]
    assert min(cost for cost in costs if cost > 0) == Decimal("1e-10")
    assert max(costs, key=lambda cost: len(cost.as_tuple().digits)) == Decimal("482.123456789012")
    assert costs.count(Decimal(0)) > 50
    assert any(row["product_servicecode"] == "" and is_aws(row) for row in of_type(rows, "Usage"))
    assert any("Spot" in row["line_item_usage_type"] for row in rows)
    assert {
        (row["line_item_product_code"], row["product_product_name"], row["product_servicename"])
        for row in rows
        if row["product_servicecode"] == "AWSDataTransfer"
    } == {
        ("AmazonEC2", "Amazon Elastic Compute Cloud", "AWS Data Transfer"),
        ("AmazonS3", "Amazon Simple Storage Service", "AWS Data Transfer"),
    }
    assert any(not is_aws(row) and row["product_servicecode"] for row in rows)
    assert {row["line_item_usage_account_id"] for row in rows} == set(BILL.accounts)
    assert {row["bill_payer_account_id"] for row in rows} == {"011254002932"}
    assert {row["line_item_currency_code"] for row in rows} == {"USD"}
    tags = {value for row in rows for name, value in row.items() if name.startswith("resource_tags")}
    for character in ("ü", '"', "\\", "\t", "'", ","):
        assert any(character in tag for tag in tags), character


def is_aws(row: Row) -> bool:
    return bool(row["bill_billing_entity"] == "AWS")


def test_marketplace_lines_are_invoiced_by_themselves(rows: list[Row]) -> None:
    marketplace = {row["bill_invoice_id"] for row in rows if not is_aws(row)} - {""}
    ordinary = {row["bill_invoice_id"] for row in rows if is_aws(row)} - {""}
    assert len(marketplace) == len(ordinary) == 1
    assert marketplace.isdisjoint(ordinary)


def test_lines_without_an_invoice_are_the_newest(rows: list[Row]) -> None:
    still_open = [row for row in rows if row["bill_invoice_id"] == ""]
    assert {row["line_item_line_item_type"] for row in still_open} == {"Usage"}
    assert {row["line_item_usage_start_date"].day for row in still_open} == {31}


def test_line_id_and_interval_are_unique_and_ids_repeat(rows: list[Row]) -> None:
    pairs = [(row["identity_line_item_id"], row["identity_time_interval"]) for row in rows]
    assert len(set(pairs)) == len(pairs)
    assert len({line_id for line_id, _ in pairs}) < len(pairs)


def test_usage_is_hourly_and_fees_span_the_month(rows: list[Row]) -> None:
    covered = of_type(rows, "SavingsPlanCoveredUsage")
    assert {row["line_item_usage_start_date"].day for row in covered} == set(range(1, 32))
    for row in covered:
        assert (row["line_item_usage_end_date"] - row["line_item_usage_start_date"]).seconds == 3600
    for row in of_type(rows, "RIFee"):
        assert row["identity_time_interval"] == "2025-01-01T00:00:00Z/2025-01-31T23:59:59Z"
        assert row["line_item_usage_end_date"] == datetime(2025, 1, 31, 23, 59, 59, tzinfo=UTC)
    assert {row["bill_billing_period_end_date"] for row in rows} == {datetime(2025, 2, 1, tzinfo=UTC)}


@pytest.mark.parametrize("lines", [3000, 6000, 20_000])
def test_a_bill_has_about_as_many_lines_as_asked_for(lines: int) -> None:
    made = sum(1 for _ in plan_lines(Bill(lines=lines), JANUARY))
    assert lines <= made < lines + 400


# --- columns


def test_columns_appear_and_vanish() -> None:
    january, february, march = (set(column_names(month)) for month in (JANUARY, FEBRUARY, MARCH))
    assert february - january == {"resource_tags_user_project"}
    assert january <= february
    assert february - march == {"product_ecu"}
    assert march <= february
    assert 150 <= len(january) <= 165


def test_files_have_the_columns_of_the_manifest(january: tuple[Path, Truth]) -> None:
    bucket, _ = january
    manifest = manifest_of(bucket, BILL, "20250101-20250201")
    for key in manifest["reportKeys"]:
        schema = pq.read_schema(bucket / key)
        assert schema.names == [column["name"] for column in manifest["columns"]] == column_names(JANUARY)
        assert {str(schema.field(name).type) for name in schema.names} == {
            "string",
            "double",
            "timestamp[ms, tz=UTC]",
        }


def test_types_follow_the_rule_of_real_exports() -> None:
    endings = ("_cost", "_factor", "_quantity", "_fee", "_amount", "_discount", "_usage", "_usage_ratio")
    exceptions = {
        "reservation_amortized_upfront_cost_for_usage",
        "reservation_amortized_upfront_fee_for_billing_period",
        "reservation_net_amortized_upfront_cost_for_usage",
        "reservation_net_amortized_upfront_fee_for_billing_period",
        "reservation_net_recurring_fee_for_usage",
        "reservation_net_unused_amortized_upfront_fee_for_billing_period",
        "reservation_net_upfront_value",
        "reservation_recurring_fee_for_usage",
        "reservation_unused_amortized_upfront_fee_for_billing_period",
        "reservation_upfront_value",
        "savings_plan_amortized_upfront_commitment_for_billing_period",
        "savings_plan_net_amortized_upfront_commitment_for_billing_period",
        "savings_plan_net_recurring_commitment_for_billing_period",
        "savings_plan_recurring_commitment_for_billing_period",
        "savings_plan_savings_plan_rate",
        "savings_plan_total_commitment_to_date",
        "savings_plan_used_commitment",
    }
    for name in column_names(FEBRUARY, net=True):
        if name.endswith("_date") and not name.endswith("_to_date"):
            expected = "timestamp"
        elif name.startswith(("product_", "resource_tags_")):
            expected = "string"
        else:
            expected = "double" if name.endswith(endings) or name in exceptions else "string"
        assert column_type(name) == expected, name


def test_nothing_is_null(january: tuple[Path, Truth]) -> None:
    for path in january[0].rglob("*.snappy.parquet"):
        table = pq.read_table(path)
        assert {name: table[name].null_count for name in table.column_names if table[name].null_count} == {}
        assert set(table["line_item_tax_type"].to_pylist()) >= {""}


def test_every_planned_column_is_a_known_column() -> None:
    known = set(column_names(FEBRUARY, net=True)) | {COLLIDING_TAG} | {discount.column for discount in DISCOUNTS}
    unknown = {name for line in plan_lines(BILL, JANUARY) for name in line.values} - known
    assert unknown == set()


# --- delivery


def test_overwrite_layout_with_its_litter(tmp_path: Path) -> None:
    write_export(Bill(lines=300), [JANUARY], tmp_path)
    assert list(contents(tmp_path)) == [
        "aws-programmatic-access-test-object",
        f"cup/{REPORT}/20250101-20250201/{REPORT}-Manifest.json",
        f"cup/{REPORT}/20250101-20250201/{REPORT}-create-table.sql",
        f"cup/{REPORT}/{REPORT}/cost_and_usage_data_status/cost_and_usage_data_status.parquet",
        f"cup/{REPORT}/{REPORT}/crawler-cfn.yml",
        f"cup/{REPORT}/{REPORT}/year=2025/month=1/{REPORT}-00001.snappy.parquet",
        f"cup/{REPORT}/{REPORT}/year=2025/month=1/{REPORT}-00002.snappy.parquet",
    ]
    status = tmp_path / f"cup/{REPORT}/{REPORT}/cost_and_usage_data_status/cost_and_usage_data_status.parquet"
    assert pq.read_schema(status).names == ["status"]


def test_manifest_has_the_fields_of_aws(january: tuple[Path, Truth]) -> None:
    manifest = manifest_of(january[0], BILL, "20250101-20250201")
    columns = manifest.pop("columns")
    assert columns[0] == {"category": "identity", "name": "identity_line_item_id", "type": "STRING"}
    assert len(manifest.pop("reportId")) == 32
    folder = f"cup/{REPORT}/{REPORT}/year=2025/month=1"
    assert manifest == {
        "assemblyId": "20250203T120125Z",
        "account": "011254002932",
        "charset": "UTF-8",
        "compression": "Parquet",
        "contentType": "Parquet",
        "reportName": REPORT,
        "billingPeriod": {"start": "20250101T000000.000Z", "end": "20250201T000000.000Z"},
        "bucket": "acme-billing",
        "reportKeys": [f"{folder}/{REPORT}-{number:05d}.snappy.parquet" for number in (1, 2)],
        "additionalArtifactKeys": [],
    }


def test_december_ends_in_the_next_year(tmp_path: Path) -> None:
    write_month(Bill(lines=100), date(2024, 12, 1), tmp_path)
    assert manifest_of(tmp_path, Bill(), "20241201-20250101")["assemblyId"] == "20250103T120125Z"


def test_create_new_layout_keeps_the_older_assembly(tmp_path: Path) -> None:
    bill = Bill(lines=600, layout="create-new")
    first, second = write_export(bill, [JANUARY, FEBRUARY], tmp_path)
    folder = tmp_path / "cup" / REPORT / "20250101-20250201"
    assert {path.name for path in folder.iterdir()} == {
        "20250203T120125Z",
        "20250204T120125Z",
        f"{REPORT}-Manifest.json",
    }
    latest = manifest_of(tmp_path, bill, "20250101-20250201")
    assert latest["assemblyId"] == first.assembly_id == "20250204T120125Z"
    assert json.loads((folder / "20250204T120125Z" / f"{REPORT}-Manifest.json").read_text()) == latest
    older = json.loads((folder / "20250203T120125Z" / f"{REPORT}-Manifest.json").read_text())
    assert all((tmp_path / key).exists() for key in older["reportKeys"])
    assert as_groups(first) == recomputed(delivered_rows(tmp_path, bill, "20250101-20250201"))
    assert (first.version, second.version) == (2, 1)


@pytest.mark.parametrize("layout", ["overwrite", "create-new"])
def test_keys_of_an_empty_prefix_begin_with_a_slash(tmp_path: Path, layout: Any) -> None:
    bill = Bill(lines=100, prefix="", layout=layout)
    write_month(bill, JANUARY, tmp_path)
    keys = manifest_of(tmp_path, bill, "20250101-20250201")["reportKeys"]
    assert all(key.startswith(f"/{REPORT}/") for key in keys)
    assert all((tmp_path / key[1:]).exists() for key in keys)


def test_a_failing_delivery_leaves_the_manifest_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bill = Bill(lines=300)
    write_month(bill, JANUARY, tmp_path)
    before = contents(tmp_path)

    def fail(*_: object) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(parquet_files, "_array", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        write_month(bill, JANUARY, tmp_path, version=2)
    assert contents(tmp_path) == before


# --- restatement


def test_a_restated_month_is_the_same_month_but_for_the_restatement(
    tmp_path: Path, january: tuple[Path, Truth], rows: list[Row]
) -> None:
    bill, first = BILL, january[1]
    second = write_month(bill, JANUARY, tmp_path, version=2)
    restated = delivered_rows(tmp_path, bill, "20250101-20250201")
    assert second.assembly_id == "20250204T120125Z" != first.assembly_id
    assert second.raw_cost != first.raw_cost
    assert len(restated) == second.raw_lines

    def key(row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in ("identity_time_interval", "line_item_resource_id", *COST_COLUMNS))

    old, new = {key(row) for row in rows}, {key(row) for row in restated}
    assert 0 < len(old - new) < len(old) // 10
    assert 0 < len(new - old) < len(new) // 10
    assert {row["identity_line_item_id"] for row in rows}.isdisjoint(row["identity_line_item_id"] for row in restated)


@pytest.mark.parametrize("version", [1, 2])
def test_event_is_on_its_days_alone_and_changes_nothing_else(version: int) -> None:
    account = BILL.accounts[3]
    event = Event(
        account, "AmazonEC2", "BoxUsage:g5.12xlarge", date(2025, 1, 30), date(2025, 2, 2), Decimal("0.5")
    )  # fmt: skip
    costs = {}
    for month, days in ((JANUARY, 2), (FEBRUARY, 2), (MARCH, 0)):
        plain = plan_lines(BILL, month, version)
        with_event = plan_lines(replace(BILL, events=(event,)), month, version)
        usage = [one for one in plain if one.values["line_item_line_item_type"] == "Usage"]
        more = [one for one in with_event if one.values["line_item_line_item_type"] == "Usage"]
        added = [one for one in more if one.values["identity_line_item_id"] not in {
            line.values["identity_line_item_id"] for line in usage
        }]  # fmt: skip
        assert [line for line in more if line not in added] == usage
        assert len(added) == 24 * days
        assert {(line.account, line.service) for line in added} <= {(account, "Amazon Elastic Compute Cloud")}
        assert len({line.values["line_item_resource_id"] for line in added}) == min(days, 1)
        costs |= {(month, number): line.charges[0].effective for number, line in enumerate(added)}
    assert sum(costs.values()) == event_cost(event) == 4 * 24 * Decimal("2.836")


def test_fewer_files_leave_stale_ones_behind(tmp_path: Path) -> None:
    bill = Bill(lines=300)
    write_month(bill, JANUARY, tmp_path)
    second = write_month(bill, JANUARY, tmp_path, version=2)
    (key,) = manifest_of(tmp_path, bill, "20250101-20250201")["reportKeys"]
    on_disk = sorted((tmp_path / key).parent.iterdir())
    assert len(on_disk) == 2
    assert len(delivered_rows(tmp_path, bill, "20250101-20250201")) == second.raw_lines


@pytest.mark.parametrize(("files", "version", "expected"), [(1, 2, 2), (2, 2, 1), (2, 3, 3), (5, 1, 5)])
def test_the_number_of_files_changes_between_versions(tmp_path: Path, files: int, version: int, expected: int) -> None:
    bill = Bill(lines=300, files=files)
    write_month(bill, JANUARY, tmp_path, version=version)
    assert len(manifest_of(tmp_path, bill, "20250101-20250201")["reportKeys"]) == expected


# --- determinism, streaming, truth file, command


def test_the_same_bill_is_the_same_bytes(tmp_path: Path) -> None:
    first = write_export(BILL, [JANUARY, FEBRUARY], tmp_path / "a")
    again = write_export(BILL, [JANUARY, FEBRUARY], tmp_path / "b")
    assert first == again
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(contents(tmp_path / "a")) > 8


def test_another_seed_is_another_bill(tmp_path: Path, january: tuple[Path, Truth]) -> None:
    assert write_month(Bill(lines=1500, seed=2), JANUARY, tmp_path).raw_cost != january[1].raw_cost


def test_a_month_of_any_size_streams() -> None:
    huge = Bill(lines=500_000_000)
    tracemalloc.start()
    head = list(itertools.islice(plan_lines(huge, JANUARY), 1000))
    taken = sum(1 for _ in itertools.islice(plan_lines(huge, JANUARY), 5000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(head) == 1000
    assert taken == 5000
    assert peak < 50_000_000


def test_batches_bound_rows_held_and_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "BATCH_LINES", 100)
    truth = write_month(Bill(lines=1000), JANUARY, tmp_path)
    groups = [
        metadata.row_group(number).num_rows
        for path in tmp_path.rglob("*.snappy.parquet")
        for metadata in [pq.ParquetFile(path).metadata]
        for number in range(metadata.num_row_groups)
    ]
    assert max(groups) == 100
    assert sum(groups) == truth.raw_lines


def test_truth_survives_its_file(tmp_path: Path) -> None:
    truths = write_export(Bill(lines=200), [JANUARY, FEBRUARY], tmp_path / "bucket")
    write_truth(tmp_path / "truth.json", truths)
    assert read_truth(tmp_path / "truth.json") == truths
    document = json.loads((tmp_path / "truth.json").read_text())
    assert isinstance(document[0]["rows"][0]["billed_cost"], str)


def test_the_command_writes_an_export_and_its_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(tmp_path), "--months", "2025-01", "2025-02", "--lines", "200", "--layout", "create-new"])
    truths = read_truth(tmp_path / "truth.json")
    assert [truth.billing_month for truth in truths] == [JANUARY, FEBRUARY]
    printed = capsys.readouterr().out
    assert f"2025-01 {truths[0].assembly_id}: {truths[0].raw_lines:,} lines" in printed


@pytest.mark.parametrize("wrong", [{"accounts": ()}, {"lines": -1}, {"files": 0}])
def test_a_bill_that_cannot_be_made_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least one account"):
        Bill(**wrong)
