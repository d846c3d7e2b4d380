"""Every AWS format, file type and layout: the same bill gives the same costs, to the last digit."""

from dataclasses import replace
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from deliveries import write_month
from pipeline import JANUARY, cost_totals, crafted_source, line, load_month, truth_totals, write_delivery

from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill

BILL = Bill(lines=300, files=2)
FORMATS = {
    "cur parquet": replace(BILL),
    "cur csv.gz": replace(BILL, file_type="csv"),
    "cur csv.zip": replace(BILL, file_type="csv", compression="zip"),
    "cur csv": replace(BILL, file_type="csv", compression="none"),
    "cur2 parquet": replace(BILL, format="aws_cur2"),
    "cur2 csv.gz": replace(BILL, format="aws_cur2", file_type="csv"),
    "cur2 keys": replace(BILL, format="aws_cur2", data_files="key"),
    "cur2 objects": replace(BILL, format="aws_cur2", data_files="object"),
    "focus parquet": replace(BILL, format="aws_focus"),
    "focus csv.gz": replace(BILL, format="aws_focus", file_type="csv"),
}


def source_of(bill, bucket, **options):
    return Source(
        name="cup",
        format=bill.format,
        uri=f"file://{bucket}/{bill.prefix}/{bill.report}/",
        tags=("user:team", "user:environment"),
        **options,
    )


@pytest.mark.parametrize("layout", ["overwrite", "create-new"])
@pytest.mark.parametrize("bill", FORMATS.values(), ids=FORMATS)
def test_every_format_gives_the_truth(database, query, bucket, bill, layout):
    bill = replace(bill, layout=layout)
    write_month(bill, JANUARY, bucket)
    truth = write_month(bill, JANUARY, bucket, version=2)
    load_month(database, source_of(bill, bucket), JANUARY)
    totals = cost_totals(query, "cup", JANUARY)
    expected = truth_totals(truth)
    if bill.format == "aws_focus":
        # A FOCUS export does not tell which charges are of one line.
        totals = {key: values[:3] for key, values in totals.items()}
        expected = {key: values[:3] for key, values in expected.items()}
    assert totals == expected
    assert query("select check_name from audit_results where not passed") == []


DAILY = "billing_account_id, account_id, service, region, charge_category, currency, invoice_id"
CHARGES = "BillingAccountId, SubAccountId, ServiceName, RegionId, ChargeCategory, BillingCurrency, InvoiceId"


@pytest.mark.parametrize("net", [False, True])
@pytest.mark.parametrize("form", ["aws_cur", "aws_cur2", "aws_focus"])
def test_charges_one_by_one_sum_to_the_daily_totals(database, query, bucket, form, net):
    """Daily totals are mapped from sums of like lines, charges from single ones."""
    bill = replace(BILL, format=form, net=net)
    write_month(bill, JANUARY, bucket)
    load_month(database, source_of(bill, bucket), JANUARY)
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


@pytest.mark.parametrize("timestamps", ["ms", "us", "ns", "int96"])
@pytest.mark.parametrize("form", ["aws_cur", "aws_cur2", "aws_focus"])
def test_timestamps_of_every_precision_are_the_same(database, query, bucket, form, timestamps):
    bill = replace(BILL, format=form, timestamps=timestamps, lines=50, files=1)
    truth = write_month(bill, JANUARY, bucket)
    load_month(database, source_of(bill, bucket), JANUARY)
    assert query("select sum(cost), min(date)::text, max(date)::text from costs") == [
        (truth.billed_cost, "2025-01-01", "2025-01-31")
    ]


@pytest.mark.parametrize("form", ["aws_cur", "aws_cur2"])
@pytest.mark.parametrize("file_type", ["parquet", "csv"])
def test_net_basis_gives_its_truth(database, query, bucket, form, file_type):
    bill = replace(BILL, format=form, file_type=file_type, net=True)
    truth = write_month(bill, JANUARY, bucket)
    gross = truth_totals(write_month(replace(bill, net=False), JANUARY, bucket.parent / "gross"))
    load_month(database, source_of(bill, bucket), JANUARY)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)
    assert query("select sum(cost) from costs") == [(sum((values[0] for values in gross.values()), Decimal()),)]
    assert query("select check_name from audit_results where not passed") == []


BOUGHT = """
    select
        CommitmentDiscountId,
        sum(CommitmentDiscountQuantity) filter (where ChargeFrequency = 'Recurring') as bought,
        sum(CommitmentDiscountQuantity) filter (where ChargeCategory = 'Usage') as used_or_not
    from focus_costs
    group by 1
    having count(*) filter (where ChargeFrequency = 'Recurring') > 0
"""


@pytest.mark.parametrize("net", [False, True])
def test_used_and_unused_are_what_was_bought_of_each_commitment(database, query, bucket, net):
    bill = replace(BILL, net=net)
    write_month(bill, JANUARY, bucket)
    load_month(database, source_of(bill, bucket), JANUARY)
    commitments = query(BOUGHT + "and min(CommitmentDiscountId) is not null")
    assert len(commitments) == 6
    assert [row for row in commitments if row[1] != row[2]] == []


def test_empty_net_column_leaves_the_month_on_the_gross_basis(database, query, bucket):
    """A CUR 2.0 export may have its net columns without a discount to fill them."""
    source = crafted_source(bucket)
    write_delivery(bucket, [line(line_item_net_unblended_cost=0.0), line(line_item_net_unblended_cost=None)])
    load_month(database, source, JANUARY)
    assert query("select sum(cost) from costs") == [(Decimal("3.0"),)]
    assert query("select sum(BilledCost) from focus_costs") == [(Decimal("3.0"),)]
    assert query("select check_name from audit_results where not passed") == []


def test_net_and_gross_months_of_one_source_keep_their_basis(database, query, bucket):
    february = JANUARY.replace(month=2)
    truths = [
        write_month(replace(BILL, net=True), JANUARY, bucket),
        write_month(BILL, february, bucket),
    ]
    for month in (JANUARY, february):
        load_month(database, source_of(BILL, bucket), month)
    for truth in truths:
        focus = query(
            "select sum(BilledCost), sum(EffectiveCost) from focus_costs where billing_period = %s", truth.billing_month
        )
        assert focus == [(truth.billed_cost, truth.effective_cost)]


@pytest.mark.parametrize("form", ["aws_cur", "aws_cur2", "aws_focus"])
@pytest.mark.parametrize("layout", ["overwrite", "create-new"])
def test_bucket_without_manifests_loads_the_newest_delivery(database, query, bucket, form, layout):
    bill = replace(BILL, format=form, layout=layout, lines=50, files=1)
    if layout == "create-new":
        write_month(bill, JANUARY, bucket, version=1)
    truth = write_month(bill, JANUARY, bucket, version=2)
    for path in bucket.rglob("*-Manifest.json"):
        path.unlink()
    load_month(database, source_of(bill, bucket, manifest="none"), JANUARY)
    assert query("select sum(cost) from costs") == [(truth.billed_cost,)]
    assert query("select version like 'no-manifest-%%' from load_history") == [(True,)]


def test_source_moves_from_csv_to_parquet_and_back(database, query, bucket):
    csv, parquet = replace(BILL, file_type="csv"), BILL
    for month, bill in ((1, csv), (2, parquet), (3, csv)):
        truth = write_month(bill, JANUARY.replace(month=month), bucket)
        load_month(database, source_of(bill, bucket), truth.billing_month)
        assert cost_totals(query, "cup", truth.billing_month) == truth_totals(truth)
    assert query("select type from raw_columns where column_name = 'line_item_unblended_cost'") == [("numeric",)]


def test_source_moves_from_parquet_to_csv(database, query, bucket):
    for month, file_type in ((1, "parquet"), (2, "csv")):
        bill = replace(BILL, file_type=file_type, lines=50)
        truth = write_month(bill, JANUARY.replace(month=month), bucket)
        load_month(database, source_of(bill, bucket), truth.billing_month)
    assert query("select type from raw_columns where column_name = 'line_item_unblended_cost'") == [("numeric",)]
    assert query("select sum(BilledCost) from focus_costs where billing_period = '2025-02-01'") == [
        (truth.billed_cost,)
    ]
    assert query("select count(*) from focus_costs where billing_period = '2025-01-01'") > [(300,)]


def test_focus_1_0_export_has_the_columns_of_1_2_as_nulls(database, query, bucket):
    bill = replace(BILL, format="aws_focus", lines=50)
    truth = write_month(bill, JANUARY, bucket)
    newer = {
        "InvoiceId",
        "PricingCurrency",
        "CapacityReservationId",
        "ServiceSubcategory",
        "SubAccountType",
        "SkuMeter",
    }
    for path in bucket.rglob("*.snappy.parquet"):
        table = pq.read_table(path)
        assert newer <= set(table.column_names)
        pq.write_table(table.drop_columns(sorted(newer)), path, compression="snappy")
    load_month(database, source_of(bill, bucket), JANUARY)
    assert query("select sum(cost), count(invoice_id) from costs") == [(truth.billed_cost, 0)]
    assert query("select sum(BilledCost), count(ServiceSubcategory) from focus_costs") == [(truth.billed_cost, 0)]
