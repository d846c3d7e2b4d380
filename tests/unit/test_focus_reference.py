"""
The reference data of the FOCUS mapping, and the use-case queries that the FOCUS columns must be able to answer.

The pairs in focus_service_subcategories.csv are the allowed values of FOCUS 1.2's ServiceSubcategory.
"""

import csv
import json
import re
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest

from cloud_costs.demo.embedded_postgres import Server
from cloud_costs.demo.sample_bill import Bill, plan_lines

ROOT = Path(__file__).resolve().parents[2]
MONTH = ROOT.parent / "shared/data/aws-workshop-2018/workshop/WorkshopCUR/WorkshopCUR/year=2018/month=10"
MARKETPLACE = "AWS Marketplace"
QUERIES = sorted((ROOT / "tests/sql/focus_queries").glob("*.sql"))
HEADER = re.compile(r"-- use case: (.+)\n-- FOCUS: [\d., ]*1\.2\n-- parameters: ({.+})\n\n")

FOCUS_COLUMNS = {
    "numeric": """
        BilledCost CommitmentDiscountQuantity ConsumedQuantity ContractedCost ContractedUnitPrice EffectiveCost
        ListCost ListUnitPrice PricingCurrencyContractedUnitPrice PricingCurrencyEffectiveCost
        PricingCurrencyListUnitPrice PricingQuantity
    """,
    "timestamptz": "BillingPeriodEnd BillingPeriodStart ChargePeriodEnd ChargePeriodStart",
    "jsonb": "SkuPriceDetails Tags",
    "text": """
        AvailabilityZone BillingAccountId BillingAccountName BillingAccountType BillingCurrency CapacityReservationId
        CapacityReservationStatus ChargeCategory ChargeClass ChargeDescription ChargeFrequency
        CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName CommitmentDiscountStatus
        CommitmentDiscountType CommitmentDiscountUnit ConsumedUnit InvoiceId InvoiceIssuerName PricingCategory
        PricingCurrency PricingUnit ProviderName PublisherName RegionId RegionName ResourceId ResourceName ResourceType
        ServiceCategory ServiceName ServiceSubcategory SkuId SkuMeter SkuPriceId SubAccountId SubAccountName
        SubAccountType
    """,
}
PERIODS = {
    "BillingPeriodStart": "2025-01-01",
    "BillingPeriodEnd": "2025-02-01",
    "ChargePeriodStart": "2025-01-09",
    "ChargePeriodEnd": "2025-01-10",
    "BillingCurrency": "USD",
    "ProviderName": "AWS",
}
COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
CHARGES = (
    PERIODS
    | dict.fromkeys(COSTS, "1.5")
    | {
        "ChargeCategory": "Usage",
        "ConsumedQuantity": "3",
        "ConsumedUnit": "GB",
        "PricingQuantity": "3",
        "ServiceCategory": "Compute",
        "ServiceName": "AmazonEC2",
        "SkuPriceDetails": '{"CoreCount": 2, "InstanceSeries": "m5"}',
        "SubAccountId": "011254002932",
        "Tags": '{"user:team": "checkout"}',
    },
    PERIODS | dict.fromkeys(COSTS, "0") | {"ChargeCategory": "Usage", "ConsumedQuantity": "0", "ConsumedUnit": "GB"},
    PERIODS | dict.fromkeys(COSTS, "0.25") | {"ChargeCategory": "Tax"},
)


def read(path: str) -> list[dict[str, str]]:
    with (ROOT / path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def real_month(*columns: str) -> list[tuple[str, ...]]:
    """Return the distinct values of columns in the real month, or skip."""
    files = sorted(MONTH.glob("*.parquet"))
    if not files:
        pytest.skip(f"no real month in {MONTH}")
    table = pq.read_table(files, columns=list(columns))
    return [tuple(row.values()) for row in table.group_by(list(columns)).aggregate([]).to_pylist()]


def sample_bill(*columns: str) -> set[str]:
    """Return the values of columns on a sample bill's lines that AWS, not the Marketplace, bills."""
    lines = (line.values for line in plan_lines(Bill(lines=1000), date(2025, 1, 1)))
    sold = (values for values in lines if values["bill_billing_entity"] != MARKETPLACE)
    return {str(values[column]) for values in sold for column in columns if values.get(column)}


@pytest.fixture(scope="module")
def services() -> dict[str, tuple[str, str]]:
    rows = read("include/sql/focus/aws_services.csv")
    return {row["code"]: (row["service_category"], row["service_subcategory"]) for row in rows}


@pytest.fixture(scope="module")
def regions() -> dict[str, str]:
    return {row["region_id"]: row["region_name"] for row in read("include/sql/focus/aws_regions.csv")}


@pytest.fixture(scope="module")
def focus_data(postgres: Server) -> Iterator[psycopg.Connection]:
    """All FOCUS 1.2 columns in lower case, with a charge, a charge of 0, and one with as many nulls as allowed."""
    types = {name: kind for kind, names in FOCUS_COLUMNS.items() for name in names.split()}
    assert len(types) == 57
    schema = f"focus_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres.uri()) as connection:
        connection.execute(f"create schema {schema}")
        connection.execute(f"set search_path to {schema}")
        columns = ", ".join(f"{name.lower()} {kind}" for name, kind in types.items())
        connection.execute(f"create table focus_costs ({columns})")
        for charge in CHARGES:
            marks = ", ".join(["%s"] * len(charge))
            connection.execute(f"insert into focus_costs ({', '.join(charge)}) values ({marks})", list(charge.values()))
        yield connection
        connection.rollback()


@pytest.mark.parametrize("name", ["aws_services", "aws_regions", "aws_units"])
def test_reference_rows_are_sorted_unique_and_complete(name: str) -> None:
    rows = read(f"include/sql/focus/{name}.csv")
    keys = [next(iter(row.values())) for row in rows]
    assert keys == sorted(set(keys))
    assert all(value and value == value.strip() for row in rows for value in row.values())


def test_service_categories_are_those_of_the_specification(services: dict[str, tuple[str, str]]) -> None:
    pairs = read("tests/sql/focus_service_subcategories.csv")
    allowed = {(pair["service_category"], pair["service_subcategory"]) for pair in pairs}
    assert len(allowed) == len({subcategory for _, subcategory in allowed}) == 82
    assert {code: pair for code, pair in services.items() if pair not in allowed} == {}
    assert len(services) >= 200


def test_services_of_the_real_month_are_known(services: dict[str, tuple[str, str]]) -> None:
    sold = real_month("product_servicecode", "line_item_product_code", "bill_billing_entity")
    codes = {code for *both, entity in sold if entity != MARKETPLACE for code in both} - {""}
    assert codes
    assert codes - set(services) == set()


def test_services_of_the_sample_bill_are_known(services: dict[str, tuple[str, str]]) -> None:
    codes = sample_bill("line_item_product_code", "product_servicecode")
    # The sample bill made this one up: a service that no table knows.
    assert codes - set(services) == {"AWSProfessionalServices"}


def test_names_of_services_are_those_of_real_bills() -> None:
    """A name that a bill carries is the one that lines without a product name get, so that they are one service."""
    named = dict(real_month("line_item_product_code", "product_product_name"))
    known = {
        row["code"]: (row["service_name"], row["name_source"]) for row in read("include/sql/focus/aws_services.csv")
    }
    assert {code: known[code] for code in named} == {code: (name, "bill") for code, name in named.items()}


def test_every_name_of_a_service_says_where_it_is_from() -> None:
    rows = read("include/sql/focus/aws_services.csv")
    assert {row["name_source"] for row in rows} == {"bill", "documentation", "code"}


def test_units_of_the_real_month_are_as_focus_spells_them() -> None:
    spelled = {row["unit"]: row["focus_unit"] for row in read("include/sql/focus/aws_units.csv")}
    units = {unit for (unit,) in real_month("pricing_unit")} - {""}
    # Counts of things: FOCUS asks for nothing that they lack.
    counts = {"64K-Chunks", "ActiveConfigRules", "ConfigurationItemRecorded", "Events", "IOs", "Requests"}
    assert units - set(spelled) - {"GB"} == counts
    assert all(unit != focus for unit, focus in spelled.items())


def test_regions_of_the_real_month_are_known(regions: dict[str, str]) -> None:
    ids = {region for (region,) in real_month("product_region")} - {""}
    assert ids - set(regions) == {"global"}


def test_regions_of_the_sample_bill_are_known(regions: dict[str, str]) -> None:
    ids = sample_bill("product_region")
    assert ids
    assert ids - set(regions) == set()


def test_there_is_a_query_for_every_use_case() -> None:
    titles = [header.group(1) for header in map(HEADER.match, (path.read_text() for path in QUERIES)) if header]
    assert len(titles) == len(set(titles)) == len(QUERIES) == 53


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_query_runs_on_the_focus_columns(focus_data: psycopg.Connection, path: Path) -> None:
    header = HEADER.match(path.read_text())
    assert header
    statement = path.read_text()[header.end() :].replace("focus_data_table", "focus_costs")
    parameters = list(json.loads(header.group(2)).values())
    assert statement.count("?") == len(parameters)
    with focus_data.transaction():
        cursor = focus_data.execute(statement.replace("%", "%%").replace("?", "%s"), parameters)
        assert cursor.description
        cursor.fetchall()
