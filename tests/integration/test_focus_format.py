"""`focus`: FOCUS files of any provider, in every spelling, version, file type and folder, come to the same costs."""

import gzip
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deliveries import write_month
from pipeline import JANUARY, cost_totals, load_month, truth_totals

from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import AuditFailed, DeliveryError
from cloud_costs.months import MonthRange
from cloud_costs.publishing.diagnosis import diagnose_source
from cloud_costs.storage.local import LocalStorage

BILL = Bill(lines=300, files=2, format="aws_focus")
FEBRUARY = JANUARY.replace(month=2)


def source_of(uri: Path, **settings: Any) -> Source:
    return Source(name="vendor", format="focus", uri=f"file://{uri}/", **settings)


# --- the sample bill of AWS, as anyone's FOCUS files


@pytest.mark.parametrize("layout", ["overwrite", "create-new"])
@pytest.mark.parametrize(
    ("file_type", "compression", "timestamps"),
    [("parquet", "gzip", "ms"), ("parquet", "gzip", "int96"), ("csv", "gzip", "ms"), ("csv", "zip", "ms")],
)
def test_sample_bill_gives_its_truth_and_all_that_aws_focus_gives(
    database, query, bucket, layout, file_type, compression, timestamps
):
    bill = replace(BILL, layout=layout, file_type=file_type, compression=compression, timestamps=timestamps)
    write_month(bill, JANUARY, bucket)
    truth = write_month(bill, JANUARY, bucket, version=2)
    export = bucket / bill.prefix / bill.report
    for path in (export / "data").rglob("*"):
        # What an overwriting delivery with fewer files leaves behind, only a manifest can tell.
        if layout == "overwrite" and path.name.startswith(f"{bill.report}-00002."):
            path.unlink()
    tags = ("team", "environment")
    aws = Source(name="aws", format="aws_focus", uri=f"file://{export}/", tags=tags)
    load_month(database, aws, JANUARY)
    load_month(database, source_of(export / "data", tags=tags), JANUARY)
    expected = {key: values[:3] for key, values in truth_totals(truth).items()}
    assert {key: values[:3] for key, values in cost_totals(query, "vendor", JANUARY).items()} == expected
    columns = """date, billing_period, billing_account_id, account_id, account_name, service, region, charge_category,
        cost, effective_cost, list_cost, currency, invoice_id, tags, line_items, cloud_provider"""
    statement = f"select {columns} from costs where source = %s order by 1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14"
    rows = [query(statement, name) for name in ("aws", "vendor")]
    assert len(rows[0]) > 100
    assert rows[0] == rows[1]
    assert query("select count(*) > 100 from costs where tags <> '{}'") == [(True,)]
    assert query("select check_name from audit_results where not passed") == []


# --- files as providers write them

CHARGE: dict[str, Any] = {
    "BilledCost": "1.10",
    "BillingAccountId": "007",
    "BillingCurrency": "EUR",
    "BillingPeriodEnd": "2025-02-01T00:00:00Z",
    "BillingPeriodStart": "2025-01-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargePeriodEnd": "2025-01-03T00:00:00Z",
    "ChargePeriodStart": "2025-01-02T00:00:00Z",
    "ContractedCost": "1.30",
    "EffectiveCost": "1.20",
    "ListCost": "1.40",
    "ProviderName": "Acme Observability",
    "ServiceName": "Metrics",
    "SubAccountId": "0042",
    "Tags": '{"team": "shop"}',
}
# Columns of each version that the one before does not have.
NEWER = {
    "1.0": {},
    "1.1": {"SkuMeter": "host"},
    "1.2": {"InvoiceId": "INV-1"},
    "1.3": {"ServiceProviderName": "Acme", "HostProviderName": "AWS", "AllocatedTags": '{"pod": "a"}'},
    "1.4": {"InvoiceDetailId": "INV-1/7"},
}
# Oracle writes the names of the 1.0 preview, ends that are inclusive, and minutes.
ORACLE = {
    "BilledCost": "0.5",
    "BillingAccountId": "1234567",
    "BillingCurrency": "USD",
    "BillingPeriodEnd": "2025-01-31T23:59:59.999Z",
    "BillingPeriodStart": "2025-01-01T00:00:00.000Z",
    "ChargeCategory": "Usage",
    "ChargePeriodEnd": "2025-01-16T01:00Z",
    "ChargePeriodStart": "2025-01-16T00:00Z",
    "EffectiveCost": "0.25",
    "InvoiceIssuer": "Oracle",
    "ListCost": "0.75",
    "Provider": "Oracle",
    "Publisher": "Oracle",
    "Region": "eu-frankfurt-1",
    "ServiceName": "COMPUTE",
    "SubAccountId": "ocid1.compartment.oc1..aaaa",
    "Tags": '{"team": "data"}',
    "UsageQuantity": "3",
    "UsageUnit": "OCPU Hours",
    "oci_ReferenceNumber": "v1/abc=",
}


def csv_text(*charges: dict[str, Any], end: str = "\n") -> str:
    names = list(dict.fromkeys(name for charge in charges for name in charge))

    def cell(value: Any) -> str:
        text = "" if value is None else str(value)
        return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n') else text

    rows = [names, *([charge.get(name) for name in names] for charge in charges)]
    return "".join(",".join(map(cell, row)) + end for row in rows)


def deliver(path: Path, *charges: dict[str, Any], end: str = "\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = csv_text(*charges, end=end).encode()
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(text))
    elif path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("charges.csv", text)
    else:
        path.write_bytes(text)


def february(charge: dict[str, Any]) -> dict[str, Any]:
    months = {"2025-02-01": "2025-03-01", "2025-01": "2025-02"}
    return {
        name: value.replace("2025-02-01", months["2025-02-01"]).replace("2025-01", months["2025-01"])
        if "Period" in name
        else value
        for name, value in charge.items()
    }


def snake(name: str) -> str:
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in name).strip("_").lower()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as in FOCUS": str,
    "lower": str.lower,
    "snake": snake,
    "upper": str.upper,
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("name", ["charges.csv", "charges.csv.gz", "charges.zip", "charges.parquet"])
@pytest.mark.parametrize("raw", ["all", "mapped"])
def test_every_spelling_and_file_type_is_read(database, query, read, bucket, spelling, name, raw):
    charges = [
        {spelling(column): value for column, value in charge.items()}
        for charge in ({**CHARGE, "acme_Extra": "not a number"}, {**CHARGE, "BilledCost": "-0.000000000000000001"})
    ]
    path = bucket / "2025-01" / name
    if name.endswith(".parquet"):
        path.parent.mkdir(parents=True)
        pq.write_table(
            pa.Table.from_pylist([{column: one.get(column) for column in charges[0]} for one in charges]), path
        )
    else:
        deliver(path, *charges)
    load_month(database, source_of(bucket, raw=raw, tags=("team",)), JANUARY)
    assert read(
        "select date::text, account_id, service, cloud_provider, cost, effective_cost, list_cost, tags from costs"
    ) == [
        (
            *("2025-01-02", "0042", "Metrics", "Acme Observability"),
            *(Decimal("1.099999999999999999"), Decimal("2.40"), Decimal("2.80"), {"team": "shop"}),
        )
    ]
    assert read(
        "select distinct BillingAccountId, BillingPeriodEnd::text, ChargeCategory, Tags ->> 'team' from focus_costs"
    ) == [("007", "2025-02-01 00:00:00", "Usage", "shop")]
    assert query("select check_name from audit_results where not passed") == []
    assert query("select count(*) > 10 from file_facts") == [(True,)]
    extra = query("select count(*) from raw_columns where column_name like 'acme%%'")
    assert extra == [(1 if raw == "all" else 0,)]


@pytest.mark.parametrize("version", NEWER)
def test_every_version_is_recognized_by_its_columns(database, read, bucket, version):
    charge = dict(CHARGE)
    for name, columns in NEWER.items():
        charge |= columns if name <= version else {}
    if version == "1.4":
        del charge["ProviderName"]
    deliver(bucket / "2025-01" / "charges.csv", charge)
    source = source_of(bucket)
    [fact] = diagnose_source(source, lambda source: LocalStorage()).facts
    assert f"columns, of FOCUS {version}: ok" in fact
    load_month(database, source, JANUARY)
    provider = "Acme" if version == "1.4" else "Acme Observability"
    assert read("select ProviderName, BilledCost from focus_costs") == [(provider, Decimal("1.10"))]
    assert read("select cloud_provider from costs") == [(provider,)]


def test_named_version_counts_and_a_newer_one_is_told(database, query, bucket):
    deliver(bucket / "2025-01" / "charges.csv", CHARGE | NEWER["1.2"])
    told = diagnose_source(source_of(bucket, focus_version="1.0"), lambda source: LocalStorage())
    assert told.problems == ("vendor: its columns are those of FOCUS 1.2; correct focus_version, which is 1.0",)
    [fact] = diagnose_source(source_of(bucket, focus_version="1.3"), lambda source: LocalStorage()).facts
    assert "of FOCUS 1.3: ok" in fact
    load_month(database, source_of(bucket, focus_version="1.0"), JANUARY)
    assert query("select note like '%%those of FOCUS 1.2; correct focus_version%%' from load_history") == [(True,)]


def test_oracles_daily_files_of_a_month_are_one_delivery(database, query, read, bucket):
    late = {**ORACLE, "ChargePeriodStart": "2025-01-31T23:00Z", "BilledCost": "0.07"}
    reports = bucket / "FOCUS Reports"
    deliver(reports / "2025/01/16/0001000001507847-00001.csv.gz", ORACLE, ORACLE, end="\r\n")
    deliver(reports / "2025/01/31/0001000001511187-00001.csv.gz", late, end="\r\n")
    source = source_of(reports)
    load_month(database, source, JANUARY)
    assert read(
        "select date::text, account_id, region, cloud_provider, cost, effective_cost from costs order by 1"
    ) == [
        ("2025-01-16", "ocid1.compartment.oc1..aaaa", "eu-frankfurt-1", "Oracle", Decimal("1.0"), Decimal("0.50")),
        ("2025-01-31", "ocid1.compartment.oc1..aaaa", "eu-frankfurt-1", "Oracle", Decimal("0.07"), Decimal("0.25")),
    ]
    assert read(
        "select distinct BillingPeriodEnd::text, ConsumedQuantity, ConsumedUnit, PublisherName from focus_costs"
    ) == [("2025-02-01 00:00:00", Decimal("3"), "OCPU Hours", "Oracle")]
    # The second engine reads times without seconds too.
    assert query("select note from load_history") == [(None,)]
    versions = query("select version from published_months")
    deliver(reports / "2025/01/17/0001000001512411-00001.csv.gz", ORACLE, end="\r\n")
    load_month(database, source, JANUARY)
    assert read("select sum(cost) from costs") == [(Decimal("1.57"),)]
    assert query("select version from published_months") != versions


def test_oracles_late_line_of_another_month_is_refused_with_what_to_do(database, query, bucket, caplog):
    deliver(bucket / "2025/02/01/late.csv.gz", ORACLE)
    with pytest.raises(AuditFailed, match="put each line into the folder of its BillingPeriodStart"):
        load_month(database, source_of(bucket), FEBRUARY)
    assert query("select count(*) from published_months") == [(0,)]


def test_googles_spellings_are_brought_to_the_specifications(database, read, bucket):
    """Its view writes categories in lower case, the month's last day as its end, and tags as keys and values."""
    path = bucket / "billing_period=2025-01-01" / "part-000000000000.parquet"
    path.parent.mkdir()
    costs = {name: float(CHARGE[name]) for name in ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")}
    tags = [{"key": "team", "value": "shop", "inherited": False}, {"key": "env", "value": "prod", "inherited": True}]
    charge = CHARGE | costs | {"ChargeCategory": "usage", "BillingPeriodEnd": "2025-01-31T00:00:00Z", "Tags": tags}
    pq.write_table(pa.Table.from_pylist([charge, charge | {"ChargeCategory": "tax", "Tags": []}]), path)
    empty = pq.read_schema(path).empty_table()
    pq.write_table(empty, path.with_name("part-000000000001.parquet"))
    load_month(database, source_of(bucket, tags=("team",)), JANUARY)
    assert read("select charge_category, cost, tags from costs order by 1") == [
        ("Tax", Decimal("1.1"), {}),
        ("Usage", Decimal("1.1"), {"team": "shop"}),
    ]
    assert read("select BillingPeriodEnd::text, Tags from focus_costs order by ChargeCategory desc limit 1") == [
        ("2025-02-01 00:00:00", {"team": "shop", "env": "prod"})
    ]


def test_unknown_category_is_kept_and_told(database, query, bucket):
    deliver(bucket / "2025-01" / "a.csv", CHARGE, CHARGE | {"ChargeCategory": "Savings"})
    load_month(database, source_of(bucket), JANUARY)
    assert query("select charge_category from costs order by 1") == [("Savings",), ("Usage",)]
    assert query("select check_name from audit_results where not passed") == [("line_item_types_are_known",)]


def test_cost_that_a_file_leaves_out_is_the_billed_one(database, read, bucket):
    charge = {
        name: value for name, value in CHARGE.items() if name not in ("EffectiveCost", "ListCost", "ContractedCost")
    }
    deliver(bucket / "2025-01" / "a.csv", charge, charge | {"BilledCost": "-0.30"})
    deliver(bucket / "2025-02" / "a.csv", february(CHARGE | {"ListCost": None, "EffectiveCost": "0"}))
    for month in (JANUARY, FEBRUARY):
        load_month(database, source_of(bucket), month)
    sums = "select sum(cost), sum(effective_cost), sum(list_cost) from costs group by billing_period"
    assert read(f"{sums} order by billing_period") == [
        (Decimal("0.80"), Decimal("0.80"), Decimal("0.80")),
        (Decimal("1.10"), Decimal("0"), Decimal("1.30")),
    ]


def test_provider_without_sub_accounts_has_its_billing_account(database, read, bucket):
    charge = {name: value for name, value in CHARGE.items() if name != "SubAccountId"}
    deliver(bucket / "2025-01" / "a.csv", charge, charge | {"ChargeCategory": "Tax"})
    deliver(bucket / "2025-02" / "a.csv", february(CHARGE), february(CHARGE | {"SubAccountId": None}))
    for month in (JANUARY, FEBRUARY):
        load_month(database, source_of(bucket), month)
    accounts = "select billing_period::text, account_id, sum(cost) from costs group by 1, 2 order by 1, 2"
    assert read(accounts) == [
        ("2025-01-01", "007", Decimal("2.20")),
        ("2025-02-01", "0042", Decimal("1.10")),
        ("2025-02-01", "007", Decimal("1.10")),
    ]


def test_source_may_change_spelling_and_file_type_between_months(database, read, bucket):
    deliver(bucket / "2025-01" / "a.csv", CHARGE)
    path = bucket / "2025-02" / "a.parquet"
    path.parent.mkdir()
    typed = february(CHARGE) | {"Tags": {"team": "shop"}, "BilledCost": 1.1, "EffectiveCost": Decimal("1.20")}
    typed |= {name: datetime.fromisoformat(value) for name, value in typed.items() if "Period" in name}
    pq.write_table(pa.Table.from_pylist([{snake(name): value for name, value in typed.items()}]), path)
    for month in (JANUARY, FEBRUARY):
        load_month(database, source_of(bucket, tags=("team",)), month)
    assert read("select billing_period::text, cost, tags from costs order by 1") == [
        ("2025-01-01", Decimal("1.10"), {"team": "shop"}),
        ("2025-02-01", Decimal("1.10"), {"team": "shop"}),
    ]
    assert read("select count(*), count(Tags ->> 'team'), sum(BilledCost) from focus_costs") == [
        (2, 2, Decimal("2.20"))
    ]


# --- where files lie

FOLDERS = [
    *("2025-01", "2025_01", "202501", "2025-01-01", "20250101-20250201", "20250101-20250131"),
    *("billing_period=2025-01-01", "BILLING_PERIOD=2025-01", "invoice_month=202501", "month=2025-01"),
    *("2025/01", "2025/1", "year=2025/month=1", "year=2025/month=01", "2025/2025-01"),
    *("2025-01/20250203T120000Z", "2025-01/2025-02-03T12:00:00.000Z-3f2504e0", "2025/01/day=15"),
    "202501/3f2504e0-4f89-11d3-9a0c-0305e82c3301",
]


@pytest.mark.parametrize("folder", FOLDERS)
def test_common_spellings_of_a_months_folder_are_found(bucket, folder):
    deliver(bucket / folder / "a.csv", CHARGE)
    deliver(bucket / folder / "b.csv", CHARGE)
    source = source_of(bucket)
    [manifest] = source.form.find_manifests("vendor", source.uri, LocalStorage(), MonthRange())
    assert manifest.billing_month == JANUARY
    delivery = source.form.read_delivery(manifest, LocalStorage())
    assert [file.name for file in delivery.files] == ["a.csv", "b.csv"]
    assert delivery.version == source.form.read_version(manifest, LocalStorage())
    assert source.form.find_manifests("vendor", source.uri, LocalStorage(), MonthRange(FEBRUARY)) == []


def test_newest_complete_delivery_of_a_month_counts_and_a_new_file_is_a_new_version(bucket):
    def newest() -> Any:
        [manifest] = source.form.find_manifests("vendor", source.uri, LocalStorage(), MonthRange())
        return source.form.read_delivery(manifest, LocalStorage())

    source = source_of(bucket)
    month = bucket / "2025-01"
    for run in ("20250202T010000Z", "20250203T010000Z"):
        deliver(month / run / "a.csv", CHARGE)
    deliver(month / "_temporary" / "a.csv", CHARGE)
    first = newest()
    assert [file.uri.split("/")[-2] for file in first.files] == ["20250203T010000Z"]
    (month / "20250202T010000Z" / "_SUCCESS").touch()
    assert [file.uri.split("/")[-2] for file in newest().files] == ["20250202T010000Z"]
    (month / "20250203T010000Z" / "_SUCCESS").touch()
    assert newest().version == first.version
    deliver(month / "20250203T010000Z" / "b.csv", CHARGE)
    assert newest().version != first.version


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["2025-01/a.csv", "202501/a.csv"], "both .* and .* are folders of this month; keep one"),
        (["2025-01/a.csv", "2025-01/15/a.csv"], "holds data files .* and folders with .*keep one of the two"),
        (["2025-01/region=eu/a.csv", "2025-01/region=us/a.csv"], "parts of one delivery, or several deliveries"),
        (["2025-01-15/a.csv"], "is the folder of a day, and a delivery is a month"),
        (["a.csv"], "no billing month below .*; expected folders such as 2025-01/.*; found a.csv"),
        ([], "; found nothing"),
    ],
)
def test_folders_that_could_be_read_in_two_ways_are_refused(bucket, paths, said):
    for path in paths:
        deliver(bucket / path, CHARGE)
    source = source_of(bucket)
    with pytest.raises(DeliveryError, match=said):
        source.form.find_manifests("vendor", source.uri, LocalStorage(), MonthRange())


def test_restated_month_replaces_the_old_one_and_an_unchanged_one_keeps_its_version(database, query, bucket):
    source = source_of(bucket)
    deliver(bucket / "2025-01" / "a.csv", CHARGE)
    for _ in range(2):
        load_month(database, source, JANUARY)
        assert query("select sum(cost) from costs") == [(Decimal("1.10"),)]
    assert query("select count(distinct version) from load_history") == [(1,)]
    deliver(bucket / "2025-01" / "a.csv", CHARGE | {"BilledCost": "1.07"})
    load_month(database, source, JANUARY)
    assert query("select sum(cost), count(distinct version) from costs cross join load_history") == [
        (Decimal("3.21"), 2)
    ]
    assert query("select cost_change from restatements") == [(Decimal("-0.03"),)]


# --- what cannot be right

HOSTILE = {
    "another currency in the costs": ({"BilledCost": "1,10"}, DeliveryError, "invalid input syntax for type numeric"),
    "not a time": ({"ChargePeriodStart": "yesterday-ish"}, DeliveryError, "line 2, column"),
    "tags without braces": ({"Tags": '"team": "shop"'}, DeliveryError, "line 2, column"),
    "no currency": ({"BillingCurrency": None}, AuditFailed, "dimensions_are_filled"),
    "no category": ({"ChargeCategory": None}, AuditFailed, "dimensions_are_filled"),
    "no billing period": ({"BillingPeriodStart": None}, AuditFailed, "billing_period_is_the_months"),
    "a billing period from the 15th": (
        {"BillingPeriodStart": "2025-01-15T00:00:00Z"},
        AuditFailed,
        "billing_period_is_the_months",
    ),
    "times in another zone": ({"ChargePeriodStart": "2025-01-02T00:00:00+02:00"}, AuditFailed, "raw_equals_files"),
    "not a number": ({"BilledCost": "NaN"}, AuditFailed, "costs_are_finite"),
}


@pytest.mark.parametrize(("values", "error", "said"), HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_right_is_refused_and_nothing_is_published(database, query, bucket, values, error, said):
    deliver(bucket / "2025-01" / "a.csv", CHARGE | values)
    with pytest.raises(error, match=said):
        load_month(database, source_of(bucket), JANUARY)
    assert query("select count(*) from published_months") == [(0,)]


def test_file_without_what_is_billed_is_refused(database, bucket):
    deliver(bucket / "2025-01" / "a.csv", {name: value for name, value in CHARGE.items() if name != "BilledCost"})
    with pytest.raises(DeliveryError, match="it has no column 'billedcost', which says what is billed"):
        load_month(database, source_of(bucket), JANUARY)


def test_hostile_names_and_values_stay_text(database, read, bucket):
    nasty = "'; drop table costs; -- {x} %s \\ \N{SNOWMAN}"
    deliver(
        bucket / "2025-01" / "a.csv", CHARGE | {"ServiceName": nasty, nasty: "1", "Tags": json.dumps({nasty: nasty})}
    )
    load_month(database, source_of(bucket, tags=(nasty,)), JANUARY)
    assert read("select service, tags from costs") == [(nasty, {nasty: nasty})]
