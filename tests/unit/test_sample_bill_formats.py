"""Every rendering of the sample bill means the same: its truth, recomputed here from the written files alone."""

import csv
import functools
import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloud_costs.demo.sample_bill import Bill, Truth, account_name, write_month

JANUARY = date(2025, 1, 1)
ZERO = Decimal(0)
RENDERINGS = [
    (name, file_type) for name in ("aws_cur", "aws_cur2", "aws_focus") for file_type in ("parquet", "csv")
]  # fmt: skip
MAPS = ("cost_category", "discount", "product", "resource_tags", "SkuPriceDetails", "Tags", "x_Discounts")

Row = dict[str, Any]
Groups = dict[tuple[str, ...], list[Any]]
Written = tuple[Truth, list[Row]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give a function that writes a bill once and returns its truth and its rows."""
    made: dict[Any, Written] = {}

    def write(name: str, file_type: str, net: bool = False, version: int = 1) -> Written:
        key = (name, file_type, net, version)
        if key not in made:
            bucket = tmp_path_factory.mktemp("bucket")
            bill = Bill(lines=1200, format=name, file_type=file_type, net=net)  # type: ignore[arg-type]
            truth = write_month(bill, JANUARY, bucket, version=version)
            made[key] = truth, list(delivered_rows(bucket, bill))
        return made[key]

    return write


def delivered_rows(bucket: Path, bill: Bill) -> Iterator[Row]:
    """Yield the rows of the files that the manifest lists, numbers as Decimal, absent values as None."""
    (path,) = bucket.rglob("*-Manifest.json")
    manifest = json.loads(path.read_text())
    keys = manifest.get("reportKeys") or [uri.removeprefix("s3://acme-billing/") for uri in manifest["dataFiles"]]
    for key in keys:
        if bill.file_type == "parquet":
            for row in pq.read_table(bucket / key).to_pylist():
                yield {name: from_parquet(value) for name, value in row.items()}
        else:
            with gzip.open(bucket / key, "rt", encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file, strict=True):
                    yield {athena(name): from_csv(athena(name), text) for name, text in row.items()}


def from_parquet(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(format(value, ".15g"))
    if isinstance(value, list):
        return {key: from_parquet(item) for key, item in value}
    return None if value == "" else value


def from_csv(name: str, text: str) -> Any:
    if text == "":
        return None
    if name in MAPS:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal)
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text) and not name.endswith("_time"):
        return datetime.fromisoformat(text)
    amount = re.search("(_cost|_amount|_discount|_commitment|_to_date|_fee|_period|_usage|Cost|Quantity|Price)$", name)
    return Decimal(text) if amount and "product_" not in name and "tags" not in name else text


@functools.cache
def athena(name: str) -> str:
    """Return the name that AWS gives a legacy CSV column in Parquet; `user:name` keeps its own here."""
    if "/" not in name or name == "resourceTags/user:name":
        return name
    spaced = re.sub("([A-Z])", r"_\1", name.replace("Arn", "ARN")).lower()
    return re.sub("_+", "_", re.sub("[^a-z0-9]", "_", spaced)).strip("_")


def attribute(row: Row, name: str) -> Any:
    return row[f"product_{name}"] if f"product_{name}" in row else (row["product"] or {}).get(name)


def is_split(row: Row) -> bool:
    return row["line_item_operation"] in ("EKSPod-EC2", "ECSTask-EC2")


def cur_charges(row: Row, net: bool) -> Iterator[tuple[str, Decimal, Decimal, int]]:
    """Yield (category, billed, effective, lines) by the table of line types, on one basis."""

    def amount(name: str) -> Decimal:
        return row[name] or ZERO

    prefix = "net_" if net else ""
    kind, cost = row["line_item_line_item_type"], amount(f"line_item_{prefix}unblended_cost")
    if kind == "SavingsPlanNegation":
        return
    if kind == "SavingsPlanCoveredUsage":
        yield "Usage", ZERO, amount(f"savings_plan_{prefix}savings_plan_effective_cost"), 1
    elif kind == "SavingsPlanRecurringFee":
        yield "Purchase", cost, ZERO, 1
        unused = amount("savings_plan_total_commitment_to_date") - amount("savings_plan_used_commitment")
        yield "Usage", ZERO, unused * (plan_cost(row, prefix) / plan_cost(row, "")), 0
    elif kind == "RIFee":
        yield "Purchase", cost, ZERO, 1
        upfront = amount(f"reservation_{prefix}unused_amortized_upfront_fee_for_billing_period")
        yield "Usage", ZERO, upfront + amount(f"reservation_{prefix}unused_recurring_fee"), 0
    elif kind == "DiscountedUsage":
        yield "Usage", cost, amount(f"reservation_{prefix}effective_cost"), 1
    elif is_upfront(row):
        yield "Purchase", cost, ZERO, 1
    else:
        yield CATEGORIES.get(kind, "Purchase" if is_refunded_fee(row) else "Usage"), cost, cost, 1


CATEGORIES = {"Fee": "Purchase", "FlatRateSubscription": "Purchase", "Credit": "Credit", "Tax": "Tax"}


def plan_cost(row: Row, prefix: str) -> Decimal:
    """Return what a Savings Plan's fee and the share of its upfront fee come to on a basis."""
    names = ("recurring_commitment_for_billing_period", "amortized_upfront_commitment_for_billing_period")
    return sum((row[f"savings_plan_{prefix}{name}"] or ZERO for name in names), ZERO)


def is_upfront(row: Row) -> bool:
    kind = row["line_item_line_item_type"]
    return bool(
        kind == "SavingsPlanUpfrontFee"
        or (kind in ("Fee", "Refund") and row["reservation_reservation_a_r_n"])
        or (is_refunded_fee(row) and row["savings_plan_payment_option"] != "No Upfront")
    )


def is_refunded_fee(row: Row) -> bool:
    """Return whether the line gives back a fee of a Savings Plan."""
    return row["line_item_line_item_type"] == "Refund" and row["line_item_product_code"] == "ComputeSavingsPlans"


def recomputed(rows: Iterable[Row], net: bool) -> Groups:
    groups: Groups = defaultdict(lambda: [ZERO, ZERO, ZERO, 0])
    for row in rows:
        if "ServiceName" in row:
            key = (row["ServiceName"], row["SubAccountId"], row["ChargeCategory"], row["BillingCurrency"])
            add(groups[key], row["BilledCost"], row["EffectiveCost"], row["ListCost"], 1)
        elif not is_split(row):
            service = attribute(row, "product_name")
            for category, billed, effective, lines in cur_charges(row, net):
                key = (service, row["line_item_usage_account_id"], category, row["line_item_currency_code"])
                list_cost = (row["pricing_public_on_demand_cost"] or billed) if lines else ZERO
                add(groups[key], billed, effective, list_cost, lines)
    return dict(groups)


def add(sums: list[Any], *amounts: Any) -> None:
    sums[:] = [one + other for one, other in zip(sums, amounts, strict=True)]


def as_groups(truth: Truth) -> Groups:
    return {
        (row.service, row.account, row.charge_category, row.currency): [
            *(row.billed_cost, row.effective_cost, row.list_cost, row.lines)
        ]
        for row in truth.rows
    }


def total(rows: Iterable[Row], name: str) -> Decimal:
    return sum((row[name] or ZERO for row in rows), ZERO)


def of_type(rows: list[Row], *kinds: str) -> list[Row]:
    found = [row for row in rows if row["line_item_line_item_type"] in kinds]
    assert found
    return found


# --- one truth


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("net", [False, True])
@pytest.mark.parametrize(("name", "file_type"), RENDERINGS)
def test_truth_is_what_the_files_say(written: Any, name: str, file_type: str, net: bool, version: int) -> None:
    truth, rows = written(name, file_type, net, version)
    assert as_groups(truth) == recomputed(rows, net)
    assert truth.raw_lines == len(rows)
    assert truth.raw_cost == truth.billed_cost == sum(truth.invoices.values())
    assert sum(row.lines for row in truth.rows) + truth.negation_lines + truth.split_lines == truth.raw_lines


@pytest.mark.parametrize("net", [False, True])
def test_all_formats_mean_the_same(written: Any, net: bool) -> None:
    truths = [written(name, file_type, net)[0] for name, file_type in RENDERINGS]
    assert len({str({key: sums[:3] for key, sums in as_groups(truth).items()}) for truth in truths}) == 1
    assert len({str(truth.invoices) for truth in truths}) == 1
    assert len({truth.raw_lines for truth in truths[:4]}) == 1


@pytest.mark.parametrize("name", ["aws_cur", "aws_cur2", "aws_focus"])
def test_csv_says_what_parquet_says(written: Any, name: str) -> None:
    columns = written(name, "parquet")[1][0].keys()
    pairs = zip(written(name, "parquet")[1], written(name, "csv")[1], strict=True)
    for parquet, text in pairs:
        for column in columns:
            assert (parquet[column] or None) == (as_number(parquet[column], text[column]) or None), column


def as_number(pattern: Any, value: Any) -> Any:
    return Decimal(value) if isinstance(pattern, Decimal) and value is not None else value


# --- the net basis


@pytest.mark.parametrize("name", ["aws_cur", "aws_cur2", "aws_focus"])
def test_net_and_gross_are_the_same_invoices(written: Any, name: str) -> None:
    gross, net = written(name, "parquet")[0], written(name, "parquet", True)[0]
    assert net.invoices == gross.invoices
    assert net.billed_cost == gross.billed_cost
    assert as_groups(net) != as_groups(gross)


@pytest.mark.parametrize("name", ["aws_cur", "aws_cur2"])
def test_discounts_are_inside_net_costs(written: Any, name: str) -> None:
    rows = [row for row in written(name, "parquet", True)[1] if not is_split(row)]
    discounts = of_type(rows, "EdpDiscount", "PrivateRateDiscount", "BundledDiscount", "SppDiscount")
    others = [row for row in rows if row not in discounts]
    assert all(row["line_item_unblended_cost"] < 0 for row in discounts)
    assert total(discounts, "line_item_net_unblended_cost") == 0
    inside = total(others, "line_item_unblended_cost") - total(others, "line_item_net_unblended_cost")
    assert inside == -total(discounts, "line_item_unblended_cost") > 0
    assert total(rows, "line_item_unblended_cost") == total(rows, "line_item_net_unblended_cost")
    covered = of_type(rows, "SavingsPlanCoveredUsage", "SavingsPlanNegation")
    assert total(covered, "line_item_net_unblended_cost") == 0
    assert total(covered, "savings_plan_net_savings_plan_effective_cost") < total(
        covered, "savings_plan_savings_plan_effective_cost"
    )


@pytest.mark.parametrize("net", [False, True])
def test_the_identity_of_a_closed_month_holds(written: Any, net: bool) -> None:
    rows = [row for row in written("aws_cur", "csv", True)[1] if not is_split(row)]
    prefix = "net_" if net else ""
    billed = total(rows, f"line_item_{prefix}unblended_cost")
    amortized = sum((charge[2] for row in rows for charge in cur_charges(row, net)), ZERO)
    upfront = total([row for row in rows if is_upfront(row)], f"line_item_{prefix}unblended_cost")
    plans = total(rows, f"savings_plan_{prefix}amortized_upfront_commitment_for_billing_period")
    reservations = total(rows, f"reservation_{prefix}amortized_upfront_fee_for_billing_period")
    assert plans > 0 < reservations
    assert billed == amortized - plans - reservations + upfront


def test_only_a_net_bill_has_net_columns(written: Any) -> None:
    for name in ("aws_cur", "aws_cur2"):
        gross, net = (set(written(name, "parquet", is_net)[1][0]) for is_net in (False, True))
        assert not {column for column in gross if "_net_" in column}
        assert gross < net
        assert {"line_item_net_unblended_rate", "reservation_net_effective_cost"} <= net - gross


# --- columns of each format


def test_legacy_csv_keeps_tags_that_parquet_merges(written: Any, tmp_path: Path) -> None:
    bill = Bill(lines=100, file_type="csv", compression="none")
    write_month(bill, JANUARY, tmp_path)
    (first, _) = sorted(tmp_path.rglob("*.csv"))
    header = first.read_text(encoding="utf-8").split("\n", 1)[0].split(",")
    assert len(set(header)) == len(header)
    for name in ("identity/LineItemId", "lineItem/UnblendedCost", "product/ProductName", "product/vcpu"):
        assert name in header
    for name in (
        "pricing/publicOnDemandCost",
        "pricing/term",
        "savingsPlan/SavingsPlanArn",
        "costCategory/ProductLine",
    ):
        assert name in header
    for name in ("resourceTags/user:Name", "resourceTags/user:name", "resourceTags/aws:createdBy"):
        assert name in header
    rows = written("aws_cur", "csv")[1]
    tagged = [row for row in rows if row["resource_tags_user_name"]]
    assert all(row["resourceTags/user:name"] not in (None, row["resource_tags_user_name"]) for row in tagged)
    assert "resourceTags/user:name" not in written("aws_cur", "parquet")[1][0]


@pytest.mark.parametrize(("name", "file_type"), RENDERINGS)
def test_awkward_values_survive(written: Any, name: str, file_type: str) -> None:
    rows = written(name, file_type)[1]
    places = [row.get("resource_tags") or row.get("Tags") or row for row in rows]
    values = {str(value) for place in places for value in place.values()}
    for wanted in ('first line\nsecond line, "quoted"', "carriage\r\nreturn", " leading and trailing ", "NULL", "\\N"):
        assert wanted in values, wanted
    accounts = {row.get("line_item_usage_account_id") or row.get("SubAccountId") for row in rows}
    assert "011254002932" in accounts


def test_cur2_keeps_tags_products_and_discounts_in_maps(tmp_path: Path) -> None:
    write_month(Bill(lines=300, format="aws_cur2"), JANUARY, tmp_path)
    schema = pq.read_schema(sorted(tmp_path.rglob("*.parquet"))[0])
    for name in ("cost_category", "product", "resource_tags"):
        assert schema.field(name).type == pa.map_(pa.string(), pa.string())
    assert schema.field("discount").type == pa.map_(pa.string(), pa.float64())
    flat = {name for name in schema.names if name.startswith("product_")}
    assert {"product_servicecode", "product_region_code", "product_sku"} < flat
    assert "product_product_name" not in flat
    assert "product_region" not in flat
    assert not [name for name in schema.names if name.startswith(("resource_tags_", "cost_category_"))]
    assert "savings_plan_savings_plan_a_r_n" in schema.names


@pytest.mark.parametrize("file_type", ["parquet", "csv"])
def test_cur2_maps_hold_only_what_applies(written: Any, file_type: str) -> None:
    rows = written("aws_cur2", file_type)[1]
    (host,) = [row for row in rows if row["line_item_usage_type"] == "HostUsage:u-24tb1"]
    assert host["resource_tags"] == {}
    assert host["discount"] == {"edp_discount": Decimal("-28.927407"), "spp_discount": Decimal("-7.231852")}
    assert host["discount_total_discount"] == Decimal("-36.159259")
    assert host["product"]["product_name"] == "Amazon Elastic Compute Cloud"
    tags = {key for row in rows for key in row["resource_tags"]}
    assert {"user_team", "user_cost_center", "aws_created_by"} < tags
    assert "user_project" not in tags
    assert {key for row in rows for key in row["cost_category"]} == {"product_line"}
    assert all(value for row in rows for value in row["resource_tags"].values())


@pytest.mark.parametrize("name", ["aws_cur2", "aws_focus"])
def test_an_account_is_renamed_during_the_month(written: Any, name: str) -> None:
    bill, names = Bill(), defaultdict(set)
    for row in written(name, "parquet")[1]:
        account = row.get("line_item_usage_account_id") or row["SubAccountId"]
        start = row.get("line_item_usage_start_date") or row["ChargePeriodStart"]
        found = row.get("line_item_usage_account_name") or row["SubAccountName"]
        assert found == account_name(bill, account, start)
        assert (row.get("bill_payer_account_name") or row.get("BillingAccountName")) == "Acme Management"
        names[account].add((found, start.day >= 15))
    assert {account for account, found in names.items() if len({name for name, _ in found}) > 1} == {"004512887103"}
    assert names["004512887103"] == {("Acme Shop", False), ("Acme Store", True)}


def test_focus_has_the_columns_of_the_aws_export(written: Any) -> None:
    rows = written("aws_focus", "parquet")[1]
    columns = list(rows[0])
    assert len(columns) == 60
    assert {"x_Discounts", "x_Operation", "x_ServiceCode"} < set(columns)
    unknown = {name for name in columns if all(row[name] is None for row in rows)}
    assert unknown == {
        "CapacityReservationId",
        "CapacityReservationStatus",
        "ChargeClass",
        "CommitmentDiscountName",
        "ContractedUnitPrice",
        "PricingCurrencyContractedUnitPrice",
        "ResourceName",
        "ResourceType",
    }


def test_focus_splits_fees_and_drops_negations(written: Any) -> None:
    rows = written("aws_focus", "csv")[1]
    unused = [row for row in rows if row["CommitmentDiscountStatus"] == "Unused"]
    assert unused
    assert all(row["BilledCost"] == 0 and row["ConsumedQuantity"] is None for row in unused)
    assert not [row for row in rows if row["x_Operation"] in ("EKSPod-EC2", "ECSTask-EC2")]
    assert not [row for row in rows if "Negation" in (row["ChargeDescription"] or "")]
    assert {row["PricingCategory"] for row in rows} == {"Standard", "Committed", "Dynamic", None}
    assert {row["InvoiceId"] for row in rows} > {None}
    tags = {key for row in rows for key in row["Tags"] or ()}
    assert {"Name", "name", "team", "aws:createdBy"} < tags


# --- a company's bill


def test_the_default_bill_looks_like_a_companys(tmp_path: Path) -> None:
    truth = write_month(Bill(), JANUARY, tmp_path)
    services: dict[str, Decimal] = defaultdict(Decimal)
    usage: dict[str, Decimal] = defaultdict(Decimal)
    for row in truth.rows:
        services[row.service] += row.billed_cost
        usage[row.service] += row.effective_cost if row.charge_category == "Usage" else 0
    billed = sum(services.values())
    assert 8_000 < billed < 20_000
    assert sum(usage.values()) > billed / 2
    assert max(services, key=lambda name: services[name]) == "Amazon Elastic Compute Cloud"
    assert services["AWS Professional Services"] < billed / 10
    assert billed / 50 < services["AWS Support (Business)"] < billed / 10
    assert min(services.values()) >= 0


@pytest.mark.parametrize("lines", [0, 80, 300, 4000])
def test_no_service_has_a_negative_month(tmp_path: Path, lines: int) -> None:
    services: dict[str, Decimal] = defaultdict(Decimal)
    for row in write_month(Bill(lines=lines), JANUARY, tmp_path).rows:
        services[row.service] += row.billed_cost
    assert min(services.values()) >= 0


def test_commitments_cover_a_visible_share_of_ec2(tmp_path: Path) -> None:
    bill = Bill()
    write_month(bill, JANUARY, tmp_path)
    rows = [row for row in delivered_rows(tmp_path, bill) if row["line_item_product_code"] == "AmazonEC2"]
    covered = total(of_type(rows, "SavingsPlanCoveredUsage", "DiscountedUsage"), "pricing_public_on_demand_cost")
    plain = total(of_type(rows, "Usage"), "pricing_public_on_demand_cost")
    assert Decimal("0.2") < covered / (covered + plain) < Decimal("0.6")
