"""A month of Azure through every step: again, restated, wrong, odd, and what its charges mean."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from azure_tenant import azure_source, crafted_azure, usage, write_csv
from hostile import HOSTILE
from pipeline import JANUARY, cost_totals, load_month, truth_totals

from cloud_costs.demo.sample_bill.azure import AzureBill, write_export, write_month
from cloud_costs.errors import AuditFailed, DeliveryError, DeliveryNotReady
from cloud_costs.loading.query import ask
from cloud_costs.months import MonthRange
from cloud_costs.publishing.diagnosis import diagnose_source
from cloud_costs.publishing.load import find_manifest, load_raw
from cloud_costs.publishing.plan import list_manifests
from cloud_costs.storage.local import LocalStorage

BILL = AzureBill(lines=60)
LOCAL = LocalStorage()
RESERVED = "/providers/Microsoft.Capacity/reservationOrders/o1/reservations/r1"
PLAN = "/providers/Microsoft.BillingBenefits/savingsPlanOrders/o2/savingsPlans/p1"
DAILY = "billing_account_id, account_id, service, region, charge_category, currency, invoice_id"
CHARGES = "BillingAccountId, SubAccountId, ServiceName, RegionId, ChargeCategory, BillingCurrency, InvoiceId"


@pytest.mark.parametrize("agreement", ["EA", "MCA"])
@pytest.mark.parametrize("form", ["azure_cost", "azure_focus"])
def test_restated_month_replaces_the_old_one(database, query, bucket, form, agreement):
    bill = replace(BILL, format=form, agreement=agreement)
    source = azure_source(bill, bucket)
    for version, loads in ((1, 1), (1, 2), (2, 3)):
        truth = write_month(bill, JANUARY, bucket, version=version)
        load_month(database, source, JANUARY)
        assert cost_totals(query, "azure", JANUARY) == truth_totals(truth)
        assert query("select count(*), count(*) filter (where status = 'published') from load_history") == [(loads, 1)]
    assert query("select count(*) > 0 from restatements") == [(True,)]


@pytest.mark.parametrize("form", ["azure_cost", "azure_focus"])
@pytest.mark.parametrize("agreement", ["EA", "MCA"])
def test_charges_one_by_one_sum_to_the_daily_totals(database, query, bucket, form, agreement):
    bill = replace(BILL, format=form, agreement=agreement)
    write_month(bill, JANUARY, bucket)
    load_month(database, azure_source(bill, bucket), JANUARY)
    daily = query(
        f"select {DAILY}, sum(cost), sum(effective_cost), sum(list_cost), sum(line_items) from costs "
        f"group by {DAILY} order by {DAILY}"
    )
    charges = query(
        f"select {CHARGES}, sum(BilledCost), sum(EffectiveCost), sum(ListCost), sum(x_lineitems) from focus_costs "
        f"group by {CHARGES} order by {CHARGES}"
    )
    assert daily
    assert daily == charges


def test_all_months_of_an_export_are_planned_loaded_and_then_unchanged(database, query, bucket):
    source = azure_source(BILL, bucket)
    truths = write_export(BILL, [JANUARY, date(2025, 2, 1)], bucket)
    plan = list_manifests(database, [source], lambda _: LOCAL, MonthRange())
    assert [(month.label, month.decision) for month in plan.months] == [
        ("azure 2025-02", "load"),
        ("azure 2025-01", "load"),
    ]
    for truth in truths:
        load_month(database, source, truth.billing_month)
        assert cost_totals(query, "azure", truth.billing_month) == truth_totals(truth)
    plan = list_manifests(database, [source], lambda _: LOCAL, MonthRange())
    assert [month.decision for month in plan.months] == ["unchanged", "unchanged"]
    write_month(BILL, JANUARY, bucket, version=3)
    plan = list_manifests(database, [source], lambda _: LOCAL, MonthRange())
    assert [(month.label, month.reason) for month in plan.to_load] == [("azure 2025-01", "changed")]


@pytest.mark.parametrize("file_type", ["csv", "parquet"])
@pytest.mark.parametrize("form", ["azure_cost", "azure_focus"])
def test_mapped_columns_alone_give_the_same_costs(database, query, bucket, form, file_type):
    bill = replace(BILL, format=form, file_type=file_type)
    truth = write_month(bill, JANUARY, bucket)
    load_month(database, azure_source(bill, bucket, raw="mapped"), JANUARY)
    assert cost_totals(query, "azure", JANUARY) == truth_totals(truth)
    columns = {name for (name,) in query("select column_name from raw_columns where source = 'azure'")}
    assert columns.isdisjoint({"effectiveprice", "x_pricingblocksize"})


@pytest.mark.parametrize("counts", [0, None])
@pytest.mark.parametrize("form", ["azure_cost", "azure_focus"])
def test_empty_month_is_published_and_holds_nothing(database, query, bucket, form, counts):
    bill = replace(BILL, format=form)
    write_month(bill, JANUARY, bucket)
    load_month(database, azure_source(bill, bucket), JANUARY)
    for path in bucket.rglob("manifest.json"):
        content = json.loads(path.read_text()) | {"blobs": [], "blobCount": counts, "byteCount": 0, "dataRowCount": 0}
        path.write_text(json.dumps(content))
    load_month(database, azure_source(bill, bucket), JANUARY)
    assert query("select count(*) from costs") == [(0,)]
    assert query("select status, rows from load_history order by load_id") == [
        ("superseded", query("select rows from load_history order by load_id limit 1")[0][0]),
        ("published", 0),
    ]


def test_empty_first_month_is_published(database, query, bucket):
    path = write_csv(bucket, usage())
    manifest = path.with_name("manifest.json")
    manifest.write_text(json.dumps({"blobCount": 0, "blobs": None, "runInfo": {"runId": "r"}}))
    load_month(database, crafted_azure(bucket), JANUARY)
    assert query("select status, rows, version from load_history") == [("published", 0, "r")]


def test_file_of_headers_alone_is_an_empty_month(database, query, bucket):
    bill = replace(BILL, agreement="payg", amortized=False, lines=0, files=1)
    write_month(bill, JANUARY, bucket)
    load_month(database, azure_source(bill, bucket), JANUARY)
    assert query("select status, rows from load_history") == [("published", 0)]


# --- what is refused


def test_lines_that_the_manifest_does_not_promise_are_refused(database, query, bucket):
    path = write_csv(bucket, usage(), usage()).with_name("manifest.json")
    content = json.loads(path.read_text())
    content["dataRowCount"] = content["blobs"][0]["dataRowCount"] = 3
    path.write_text(json.dumps(content))
    with pytest.raises(DeliveryError, match=r"promises 3 lines in .*part_0_0001.csv, which has 2"):
        load_raw(database, LOCAL, crafted_azure(bucket), JANUARY)


def pair(bucket, actual, amortized):
    write_csv(bucket, *actual)
    write_csv(bucket, *amortized, export="amortized")
    return crafted_azure(bucket, amortized=True)


def test_billed_cost_that_is_not_that_of_the_actual_export_is_an_error(database, query, bucket):
    source = pair(bucket, [usage(), usage(Cost="0.0000000001")], [usage()])
    with pytest.raises(AuditFailed, match=r"billed_cost_equals_raw.*raw_cost=1.5000000001, focus_cost=1.5") as failed:
        load_month(database, source, JANUARY)
    assert "effective_cost_equals_raw" not in str(failed.value)
    assert query("select status from load_history") == [("rejected",)]


def test_effective_cost_that_is_not_that_of_the_amortized_export_is_an_error(database, query, bucket):
    """A purchase of a commitment has no place among amortized costs."""
    bought = usage(ChargeType="Purchase", PricingModel="Reservation", Cost="2", benefitId=RESERVED)
    source = pair(bucket, [usage(), bought], [usage(), bought])
    with pytest.raises(
        AuditFailed, match=r"effective_cost_equals_raw.*raw_effective_cost=3.5, focus_effective_cost=1.5"
    ):
        load_month(database, source, JANUARY)


def test_month_without_its_amortized_run_waits(database, bucket):
    write_csv(bucket, usage())
    write_csv(bucket, usage(), export="amortized", month=date(2025, 2, 1))
    with pytest.raises(DeliveryNotReady, match=r"2025-01: only one of the two exports has this month, as .*crafted"):
        load_raw(database, LOCAL, crafted_azure(bucket, amortized=True), JANUARY)


def test_export_of_another_format_is_told(bucket):
    write_month(replace(BILL, format="azure_focus"), JANUARY, bucket)
    source = replace_format(azure_source(replace(BILL, format="azure_focus"), bucket), "azure_cost")
    [problem] = diagnose_source(source, lambda _: LOCAL).problems
    assert "azure: the columns of 2025-01 are those of azure_focus" in problem
    assert problem.endswith("correct format, which is azure_cost")


def replace_format(source, form):
    return source.model_copy(update={"format": form})


def test_file_without_a_cost_is_refused(database, bucket):
    write_csv(bucket, usage(Cost=None))
    with pytest.raises(DeliveryError, match="it has no column 'costinbillingcurrency', which says what is billed"):
        load_raw(database, LOCAL, crafted_azure(bucket), JANUARY)


@pytest.mark.parametrize(
    ("values", "column"),
    [({"Cost": "1,5"}, "cost"), ({"Date": "31/01/2025"}, "date"), ({"Quantity": "much"}, "quantity")],
)
def test_value_that_is_none_is_refused_with_its_place(database, bucket, values, column):
    path = write_csv(bucket, usage(), usage(**values))
    with pytest.raises(DeliveryError, match=rf"azure 2025-01: file://{path}: line 3, column {column}: "):
        load_raw(database, LOCAL, crafted_azure(bucket), JANUARY)


def test_unknown_service_is_shown_by_its_meter_and_warned_of(database, query, bucket):
    odd = usage(
        ConsumedService="Microsoft.New", ResourceId="/subscriptions/1/providers/Microsoft.New/things/t", Cost="7"
    )
    write_csv(bucket, usage(), odd | {"MeterCategory": "Novelties"})
    load_month(database, crafted_azure(bucket), JANUARY)
    assert query("select service, sum(cost) from costs group by 1 order by 1") == [
        ("Novelties", Decimal(7)),
        ("Virtual Machines", Decimal("1.5")),
    ]
    columns = "check_name, sample -> 0 ->> 'service', sample -> 0 ->> 'billed_cost'"
    assert query(f"select {columns} from audit_results where not passed") == [("services_are_known", "Novelties", "7")]


def test_unknown_charge_type_counts_and_is_warned_of(database, query, bucket):
    write_csv(bucket, usage(ChargeType="Surprise"))
    load_month(database, crafted_azure(bucket), JANUARY)
    assert query("select charge_category, sum(cost) from costs group by 1") == [("Adjustment", Decimal("1.5"))]
    assert query("select check_name from audit_results where not passed") == [("line_item_types_are_known",)]


# --- headers and values as they come


@pytest.mark.parametrize(
    "renamed",
    [
        {
            "Cost": "CostInBillingCurrency",
            "Date": "date",
            "SubscriptionId": "subscriptionId",
            "ResourceId": "ResourceID",
        },
        {
            "Cost": "PreTaxCost",
            "Date": "UsageDateTime",
            "SubscriptionId": "SubscriptionGuid",
            "ResourceId": "InstanceId",
        },
        {"Cost": "COST", "BillingCurrencyCode": "BillingCurrency", "ResourceId": "InstanceName", "Tags": "tags"},
        {"BillingCurrencyCode": "Currency", "Quantity": "UsageQuantity"},
    ],
)
@pytest.mark.parametrize("day", ["01/31/2025", "2025-01-31", "2025-01-31T00:00:00Z"])
def test_columns_and_days_are_known_in_every_spelling(database, query, bucket, renamed, day):
    line = usage(Date=day, Tags='"team": "a"')
    write_csv(bucket, {renamed.get(name, name): value for name, value in line.items()})
    load_month(database, crafted_azure(bucket, tags=("team",)), JANUARY)
    assert query("select date, account_id, service, cost, currency, tags from costs") == [
        (date(2025, 1, 31), "0001", "Virtual Machines", Decimal("1.5"), "USD", {"team": "a"})
    ]
    assert query("select check_name from audit_results where not passed") == []
    assert query("select note from load_history where note like '%DuckDB%'") == []


@pytest.mark.parametrize("billed", ["CostInBillingCurrency", "Cost"])
def test_cost_in_the_billing_currency_counts_where_there_are_several(database, query, bucket, billed):
    actual = usage(Cost="9", CostInBillingCurrency="1.5", PreTaxCost="8")
    if billed == "Cost":
        actual = usage(Cost="1.5", PreTaxCost="8")
    source = pair(bucket, [actual], [actual])
    load_month(database, source, JANUARY)
    assert query("select sum(cost), sum(effective_cost) from costs") == [(Decimal("1.5"), Decimal("1.5"))]


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ('{"team": "a", "Env": "b"}', {"team": "a", "Env": "b"}),
        ('"team": "a","Env": "b"', {"team": "a", "Env": "b"}),
        ("{}", {}),
        ("", {}),
        (' {"team": "a"}', {"team": "a"}),
        ('"team": "a" "Env"', {"unreadable tags": '"team": "a" "Env"'}),
        ("[1]", {"unreadable tags": "[1]"}),
        ('{"team": "\\u0000"}', {"unreadable tags": '{"team": "\\u0000"}'}),
        ('"Jörg": "Größe \\"x\\", }"', {"Jörg": 'Größe "x", }'}),
    ],
)
def test_tags_are_read_as_they_come_and_never_lost(database, query, bucket, text, tags):
    write_csv(bucket, usage(Tags=text))
    load_month(database, crafted_azure(bucket, tags=("team",)), JANUARY)
    assert query("select Tags from focus_costs") == [(tags,)]
    assert query("select tags from costs") == [({"team": tags["team"]} if "team" in tags else {},)]


def test_hostile_texts_are_kept_as_they_are(database, query, bucket):
    lines = [
        usage(
            Tags=json.dumps({text: text}), AdditionalInfo=text, SubscriptionName=text, MeterName=text, Cost=str(number)
        )
        for number, text in enumerate(HOSTILE, 1)
    ]
    write_csv(bucket, *lines)
    load_month(database, crafted_azure(bucket, tags=HOSTILE[:6]), JANUARY)
    rows = query("select BilledCost, Tags, SubAccountName, SkuMeter from focus_costs order by 1")
    assert rows == [(number, {text: text}, text, text) for number, text in enumerate(HOSTILE, 1)]
    assert query("select sum(cost) from costs") == [(sum(range(len(HOSTILE) + 1)),)]
    tagged = query("select distinct tags from costs where tags <> '{}'")
    assert sorted(text for (tags,) in tagged for text in tags) == sorted(HOSTILE[:6])


# --- what charges mean


def charge(query, columns):
    return query(f"select {columns} from focus_costs order by BilledCost desc, ChargePeriodStart, EffectiveCost desc")


def test_commitments_are_billed_when_bought_and_cost_when_used(database, query, bucket):
    covered = usage(PricingModel="Reservation", benefitId=RESERVED, Quantity="2", UnitOfMeasure="1 Hour")
    covered["AdditionalInfo"] = '{"RINormalizationRatio": "4", "ServiceType": "D4"}'
    planned = usage(PricingModel="SavingsPlan", benefitId=PLAN)
    bought = usage(
        ChargeType="Purchase", PricingModel="Reservation", benefitId=RESERVED, Cost="100", Frequency="OneTime"
    )
    back = bought | {"ChargeType": "Refund", "Cost": "-40"}
    unused = usage(
        ChargeType="UnusedSavingsPlan", PricingModel="SavingsPlan", benefitId=PLAN, Cost="0.3", Date="01/03/2025"
    )
    source = pair(
        bucket,
        [bought, back, covered | {"Cost": "0"}, planned | {"Cost": "0"}],
        [covered | {"Cost": "0.7"}, planned | {"Cost": "0.2"}, unused],
    )
    load_month(database, source, JANUARY)
    columns = (
        "ChargeCategory, ChargeClass, BilledCost, EffectiveCost, CommitmentDiscountCategory, CommitmentDiscountStatus, "
        "CommitmentDiscountQuantity, CommitmentDiscountUnit, PricingCategory, ChargeFrequency"
    )
    assert charge(query, columns) == [
        ("Purchase", None, 100, 0, "Usage", None, None, None, "Committed", "One-Time"),
        ("Usage", None, 0, Decimal("0.7"), "Usage", "Used", 8, "Normalized Hours", "Committed", "Usage-Based"),
        ("Usage", None, 0, Decimal("0.2"), "Spend", "Used", Decimal("0.2"), "USD", "Committed", "Usage-Based"),
        ("Usage", None, 0, Decimal("0.3"), "Spend", "Unused", Decimal("0.3"), "USD", "Committed", "Usage-Based"),
        ("Purchase", "Correction", -40, 0, "Usage", None, None, None, "Committed", "One-Time"),
    ]
    assert query("select sum(BilledCost), sum(EffectiveCost) from focus_costs") == [(60, Decimal("1.2"))]


def test_reservations_without_a_pricing_model_are_known_by_their_id(database, query, bucket):
    """The data set of April 2025 has neither PricingModel nor BenefitId."""
    without = {"PricingModel": None}
    covered = usage(**without, ReservationId="0c0ffee0-0000-4000-8000-000000000001", Cost="0")
    bought = covered | {"ChargeType": "Purchase", "Cost": "50"}
    source = pair(bucket, [usage(), covered, bought], [usage(), covered | {"Cost": "0.9"}])
    load_month(database, source, JANUARY)
    assert charge(query, "BilledCost, EffectiveCost, CommitmentDiscountStatus") == [
        (50, 0, None),
        (Decimal("1.5"), Decimal("1.5"), None),
        (0, Decimal("0.9"), "Used"),
    ]


def test_customer_agreement_bills_a_profile_in_its_own_currency(database, query, bucket):
    line = usage(
        BillingAccountId="a:b_2019-05-31",
        BillingProfileId="PROF",
        BillingProfileName="Europe",
        BillingCurrencyCode="EUR",
        PricingCurrency="USD",
        ExchangeRatePricingToBilling="0.5",
        CostInBillingCurrency="1.5",
        UnitPrice="1",
        PayGPrice="1.2",
        PaygCostInBillingCurrency="1.8",
        UnitOfMeasure="1 Hour",
        Quantity="3",
        InvoiceId="G1",
        ProductId="DZH1",
    )
    write_csv(bucket, line)
    load_month(database, crafted_azure(bucket), JANUARY)
    columns = (
        "BillingAccountId, BillingAccountName, BillingAccountType, BillingCurrency, PricingCurrency, InvoiceId, "
        "ListCost, ListUnitPrice, ContractedCost, ContractedUnitPrice, PricingCurrencyContractedUnitPrice, "
        "PricingCurrencyEffectiveCost, SkuId, x_billingexchangerate"
    )
    assert charge(query, columns) == [
        (
            *("PROF", "Europe", "Billing Profile", "EUR", "USD", "G1"),
            *map(Decimal, ("1.8", "0.6", "1.5", "0.5", "1", "3")),
            *("DZH1", Decimal("0.5")),
        )
    ]


def test_enterprise_agreement_is_listed_at_price_times_blocks(database, query, bucket):
    line = usage(UnitOfMeasure="100 Hours", Quantity="250", UnitPrice="4", PayGPrice="5", Cost="10")
    write_csv(bucket, line)
    load_month(database, crafted_azure(bucket), JANUARY)
    columns = "PricingQuantity, PricingUnit, ConsumedQuantity, ConsumedUnit, ListCost, ContractedCost, ListUnitPrice"
    assert charge(query, columns) == [(Decimal("2.5"), "Hours", 250, "Hours", Decimal("12.5"), 10, 5)]
    assert query("select list_cost from costs") == [(Decimal("12.5"),)]


def test_what_has_no_list_price_is_listed_at_what_is_billed(database, query, bucket):
    write_csv(bucket, usage(PublisherType="Marketplace", PublisherName="Someone", PayGPrice="0"))
    load_month(database, crafted_azure(bucket), JANUARY)
    assert charge(query, "ListCost, ContractedCost, PublisherName") == [(Decimal("1.5"), Decimal("1.5"), "Someone")]


def test_resources_regions_and_details_are_told_from_the_line(database, query, bucket):
    path = "/subscriptions/1/resourceGroups/RG/providers/Microsoft.Sql/servers/S1/databases/D1"
    info = '{"VMCapacityReservationId": "cr-1", "UsageType": "x"}'
    write_csv(
        bucket,
        usage(ResourceId=path, ConsumedService="Microsoft.Sql", ResourceLocation="US East 2", AdditionalInfo=info),
        usage(ResourceLocation="Moon Base", Cost="1", PricingModel="Spot", AdditionalInfo="not json"),
        usage(ResourceLocation="Unassigned", Cost="0.5"),
    )
    load_month(database, crafted_azure(bucket), JANUARY)
    columns = (
        "ResourceId, ResourceName, ResourceType, ServiceName, ServiceCategory, RegionId, RegionName, "
        "CapacityReservationId, CapacityReservationStatus, SkuPriceDetails, PricingCategory"
    )
    sql_row, spot, unassigned = charge(query, columns)
    assert sql_row == (
        *(path.lower(), "D1", "microsoft.sql/servers/databases", "Azure SQL Database", "Databases", "eastus2"),
        *("East US 2", "cr-1", "Used", {"x_VMCapacityReservationId": "cr-1", "x_UsageType": "x"}, "Standard"),
    )
    assert spot[5:] == ("moonbase", "Moon Base", None, None, None, "Dynamic")
    assert unassigned[5:7] == (None, None)


def test_focus_export_is_filled_where_the_line_itself_says_with_what(database, query, bucket):
    exported = {
        "BilledCost": "2",
        "EffectiveCost": "2",
        "BillingAccountId": "7",
        "BillingCurrency": "USD",
        "BillingPeriodStart": "2025-01-01T00:00:00Z",
        "BillingPeriodEnd": "2025-02-01T00:00:00Z",
        "ChargeCategory": "Purchase",
        "ChargePeriodStart": "2025-01-02T00:00:00Z",
        "ChargePeriodEnd": "2025-01-03T00:00:00Z",
        "ContractedCost": "0",
        "ListCost": "0",
        "ListUnitPrice": "",
        "PricingQuantity": "1",
        "PublisherName": "",
        "ServiceName": "",
        "ServiceCategory": "",
        "SubAccountId": "s",
        "x_InvoiceId": "G7",
        "x_PublisherCategory": "Cloud Provider",
        "x_SkuDetails": '{"x_A": 1}',
        "x_SkuMeterName": "D4",
        "x_SkuMeterSubcategory": "Rounding",
    }
    vendor = exported | {"x_PublisherCategory": "Vendor", "PublisherName": "Someone", "BilledCost": "1"}
    priced = exported | {"ServiceName": "Storage", "ListUnitPrice": "3", "PricingQuantity": "4", "BilledCost": "0"}
    write_csv(bucket, exported, vendor, priced)
    load_month(database, crafted_azure(bucket, format="azure_focus"), JANUARY)
    columns = (
        "ServiceName, ServiceCategory, ServiceSubcategory, ListCost, ContractedCost, PublisherName, InvoiceId, "
        "SkuMeter, SkuPriceDetails, ProviderName"
    )
    common = ("G7", "D4", {"x_A": 1}, "Microsoft")
    assert charge(query, columns) == [
        ("Rounding", "Other", "Other (Other)", 2, 2, "Microsoft", *common),
        ("Someone", "Other", "Other (Other)", 1, 1, "Someone", *common),
        ("Storage", "Other", "Other (Other)", 12, 0, "Microsoft", *common),
    ]


def test_tax_has_no_price_and_focus_costs_their_pricing_currency(database, query, bucket):
    taxed = usage(ChargeType="Tax", UnitPrice="1", PayGPrice="2", BillingAccountId="a:b", ProductId="P", Cost="3")
    write_csv(bucket, taxed)
    load_month(database, crafted_azure(bucket), JANUARY)
    assert charge(query, "ChargeCategory, BilledCost, ContractedUnitPrice, ListUnitPrice, SkuId, PricingCategory") == [
        ("Tax", 3, None, None, None, None)
    ]
    exported = {
        "BilledCost": "2",
        "EffectiveCost": "2",
        "BillingCurrency": "EUR",
        "BillingPeriodStart": "2025-01-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargePeriodStart": "2025-01-02T00:00:00Z",
        "ContractedUnitPrice": "3",
        "ListUnitPrice": "4",
        "PricingCurrency": "USD",
        "ResourceId": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Sql/servers/one/databases/two",
        "ResourceType": "",
        "SubAccountId": "s",
        "x_BillingExchangeRate": "0.5",
    }
    typed = {"ResourceType": "SQL database", "BilledCost": "1", "PricingCurrency": "EUR"}
    unrated = {"ResourceId": "order-1", "BilledCost": "3", "x_BillingExchangeRate": "0"}
    tax = {"ResourceId": "", "BilledCost": "4", "ChargeCategory": "Tax"}
    write_csv(bucket, exported, exported | typed, exported | unrated, exported | tax, export="focus")
    source = crafted_azure(bucket, name="costs_of_focus", format="azure_focus", uri=f"file://{bucket}/focus/")
    load_month(database, source, JANUARY)
    rows = query(
        "select PricingCurrency, PricingCurrencyEffectiveCost, PricingCurrencyContractedUnitPrice, "
        "PricingCurrencyListUnitPrice, ResourceType from costs_of_focus_focus order by BilledCost"
    )
    assert rows == [
        ("EUR", 2, 3, 4, "SQL database"),
        ("USD", 4, 6, 8, "microsoft.sql/servers/databases"),
        ("USD", None, None, None, None),
        ("USD", 4, None, None, None),
    ]


# --- asking


def test_source_is_tested_and_described(bucket):
    truth = write_month(BILL, JANUARY, bucket)
    diagnosis = diagnose_source(azure_source(BILL, bucket, stale_after_hours=0), lambda _: LOCAL)
    assert diagnosis.problems == ()
    [fact] = diagnosis.facts
    assert truth.assembly_id in fact
    assert "1 month(s), 2025-01 to 2025-01" in fact
    assert "4 file(s)" in fact


def test_empty_month_can_be_tested(bucket):
    path = write_csv(bucket, usage()).with_name("manifest.json")
    path.write_text(json.dumps({"blobCount": 0, "runInfo": {"runId": "r"}}))
    assert diagnose_source(crafted_azure(bucket), lambda _: LOCAL).facts == (
        "azure: 2025-01 is empty, and can be loaded: ok",
    )


@pytest.mark.parametrize("file_type", ["csv", "parquet"])
def test_both_exports_can_be_queried_before_they_are_loaded(bucket, file_type):
    bill = replace(BILL, file_type=file_type)
    truth = write_month(bill, JANUARY, bucket)
    source = azure_source(bill, bucket)
    delivery = source.form.read_delivery(find_manifest(LOCAL, source, JANUARY), LOCAL)
    statement = "select sum(actualcost), sum(amortizedcost), count(*), min(date)::varchar from lines"
    with ask(LOCAL, delivery, source.form, statement) as answer:
        [row] = answer.rows()
    assert row == (truth.raw_cost, truth.effective_cost, truth.raw_lines, "2025-01-01 00:00:00")
    with ask(LOCAL, delivery, source.form, "select count(*), count(content) from manifest") as answer:
        assert list(answer.rows()) == [(2, 2)]
