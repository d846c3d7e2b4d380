"""Google's billing export, in every form and with markers or without: the same bill gives the same costs."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from unittest.mock import ANY

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pipeline import JANUARY, cost_totals, load_month, truth_totals
from psycopg import sql
from roles import loader_uri

from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill.gcp import GoogleBill, write_google_month
from cloud_costs.errors import AuditFailed, DeliveryError
from cloud_costs.loading import binary_copy, json_files
from cloud_costs.loading.query import ask
from cloud_costs.months import MonthRange
from cloud_costs.publishing.diagnosis import diagnose_source
from cloud_costs.storage.local import LocalStorage

BILL = GoogleBill(lines=300)
FORMS = ("parquet", "json", "json.gz", "csv", "csv.gz")


def source_of(bill, bucket, **options):
    options = {"tags": ("team", "env"), "manifest": "required" if bill.marker else "none", **options}
    return Source(name="google", format="gcp_billing", uri=f"file://{bucket}/{bill.prefix}/", **options)


def failed(query):
    return query("select check_name, severity from audit_results where not passed order by 1")


@pytest.mark.parametrize("marker", [True, False], ids=["marker", "no marker"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_truth(database, query, bucket, form, marker):
    bill = replace(BILL, form=form, marker=marker)
    truth = write_google_month(bill, JANUARY, bucket)
    load_month(database, source_of(bill, bucket), JANUARY)
    assert cost_totals(query, "google", JANUARY) == truth_totals(truth)
    assert failed(query) == [("commitment_fees_are_spread", "warning")]
    assert query("select count(*) > 100 from file_facts") == [(True,)]
    assert query("select note from load_history") == [
        (None if marker or form in ("parquet", "json.gz", "csv.gz") else ANY,)
    ]


DAILY = "billing_account_id, account_id, service, region, charge_category, currency"
CHARGES = "BillingAccountId, SubAccountId, ServiceName, RegionId, ChargeCategory, BillingCurrency"


@pytest.mark.parametrize("form", FORMS)
def test_charges_one_by_one_sum_to_the_daily_totals(database, query, bucket, form):
    bill = replace(BILL, form=form)
    write_google_month(bill, JANUARY, bucket)
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


def test_all_forms_give_the_same_charges(database, query, bucket):
    """Every FOCUS column, not the totals alone."""
    found = {}
    for form in FORMS:
        bill = replace(BILL, form=form, prefix=form.replace(".", "-"), lines=60)
        write_google_month(bill, JANUARY, bucket)
        source = source_of(bill, bucket).model_copy(update={"name": f"google_{form.replace('.', '_')}"})
        load_month(database, source, JANUARY)
        columns = [
            name
            for (name,) in query(
                "select column_name from information_schema.columns where table_name = 'focus_costs' "
                "and table_schema = current_schema() and column_name not in ('x_source', 'x_credits') order by 1"
            )
        ]
        found[form] = query(
            f"select {', '.join(columns)}, x_credits = '[]' from focus_costs where x_source = %s "
            f"order by {', '.join(columns)}",
            source.name,
        )
    first = found.pop("parquet")
    assert len(first) > 300
    for form, charges in found.items():
        assert charges == first, form


def test_lines_mean_what_google_documents(database, query, bucket):
    truth = write_google_month(BILL, JANUARY, bucket)
    load_month(database, source_of(BILL, bucket), JANUARY)
    assert query(
        "select distinct BillingPeriodStart::text, BillingPeriodEnd::text, ProviderName, BillingAccountType "
        "from focus_costs"
    ) == [("2025-01-01 08:00:00", "2025-02-01 08:00:00", "Google Cloud", "Billing Account")]
    # Use of December that came too late is billed in January, and is on its own days.
    late = query("select count(*) from focus_costs where ChargePeriodStart < '2025-01-01' and ChargeClass is null")
    assert late > [(0,)]
    assert query("select min(date) < '2025-01-01' from costs") == [(True,)]
    assert query("select BilledCost, ChargeCategory from focus_costs where ChargeClass = 'Correction'") == [
        (Decimal("-12.3456789012"), "Usage")
    ]
    assert query(
        "select ChargeCategory, sum(BilledCost) from focus_costs where SubAccountId is null "
        "and x_CostType <> 'regular' and ServiceName = 'Invoice' group by 1 order by 1"
    ) == [("Adjustment", Decimal("-24.999999998766")), ("Tax", Decimal("41.250000"))]
    assert query("select PublisherName, BilledCost from focus_costs where PublisherName <> 'Google Cloud'") == [
        ("Contoso, Ltd.", Decimal("99.99"))
    ]
    assert query(
        "select distinct PricingCategory, PricingUnit, PricingCurrencyContractedUnitPrice, "
        "PricingCurrencyListUnitPrice from focus_costs where SkuMeter like 'Spot%%'"
    ) == [("Dynamic", "hour", Decimal("0.00072"), Decimal("0.00288"))]
    assert query("select distinct ResourceType, ServiceSubcategory from focus_costs where ResourceId is not null") == [
        ("instances", "Virtual Machines")
    ]
    assert query("select sum(BilledCost), sum(EffectiveCost) from focus_costs") == [(truth.billed_cost,) * 2]


def test_commitments_are_spread_over_what_they_cover(database, query, bucket):
    write_google_month(BILL, JANUARY, bucket)
    load_month(database, source_of(BILL, bucket), JANUARY)
    found = {
        tuple(row[:2]): row[2:]
        for row in query(
            "select CommitmentDiscountId, CommitmentDiscountStatus, max(CommitmentDiscountCategory), "
            "sum(EffectiveCost) from focus_costs where CommitmentDiscountId is not null "
            "and ChargeCategory = 'Usage' group by 1, 2"
        )
    }
    ids = [f"3f0a6c1e-0000-4000-8000-00000000000{number}" for number in (1, 2, 3)]
    hours = 31 * 24 * 3600
    cores, memory = Decimal("0.0000063") * hours, Decimal("0.0000012") * hours
    assert found[ids[0], "Unused"] == ("Usage", 4 * cores + 16 * memory)
    assert (ids[1], "Unused") not in found
    assert found[ids[1], "Used"] == ("Spend", 31 * (Decimal(54) + Decimal("2.5")))
    assert found[ids[2], "Unused"][1] + found[ids[2], "Used"][1] == 31 * 20
    assert query(
        "select sum(EffectiveCost) from focus_costs where ChargeCategory = 'Purchase' "
        "and CommitmentDiscountId is not null"
    ) == [(0,)]
    assert query(
        "select distinct CommitmentDiscountName from focus_costs where CommitmentDiscountName is not null"
    ) == [("Spend-based committed use discount",)]
    # The unused part is spread evenly over the days of the month.
    days = query(
        "select count(*), min(date)::text, max(date)::text from costs where line_items = 0 "
        "and service = 'Compute Engine'"
    )
    assert days == [(31, "2025-01-01", "2025-01-31")]


def test_labels_win_over_tags_and_projects(database, query, bucket):
    line = {
        "labels": [{"key": "team", "value": "shop"}],
        "tags": [{"key": "team", "value": "org"}, {"key": "env", "value": "prod"}],
        "project": {"id": "p", "labels": [{"key": "team", "value": "owner"}, {"key": "cost", "value": "7"}]},
    }
    write_lines(bucket, [line, {"labels": []}, {"labels": None, "project": {"id": "p"}}])
    load_month(database, crafted(bucket, tags=("team", "env", "cost", "project/team")), JANUARY)
    assert query("select Tags from focus_costs order by 1") == [
        ({},),
        ({},),
        ({"team": "shop", "tag/team": "org", "project/team": "owner", "env": "prod", "cost": "7"},),
    ]
    assert query("select tags from costs order by 1") == [
        ({},),
        ({"team": "shop", "env": "prod", "cost": "7", "project/team": "owner"},),
    ]


def test_load_again_and_restated_month(database, query, bucket):
    source = source_of(BILL, bucket)
    first = write_google_month(BILL, JANUARY, bucket)
    load_month(database, source, JANUARY)
    load_month(database, source, JANUARY)
    assert cost_totals(query, "google", JANUARY) == truth_totals(first)
    second = write_google_month(BILL, JANUARY, bucket, version=2)
    assert truth_totals(second) != truth_totals(first)
    load_month(database, source, JANUARY)
    assert cost_totals(query, "google", JANUARY) == truth_totals(second)
    assert query("select version from published_months") == [("20250203T021500Z",)]
    assert query(
        "select sum(cost_change) from restatements where load_id = (select max(load_id) from load_history)"
    ) == [(second.billed_cost - first.billed_cost,)]
    assert query("select distinct billed_cost from manifest_totals order by 1") == sorted(
        [(first.billed_cost,), (second.billed_cost,)]
    )


def test_months_of_different_forms_follow_each_other(database, query, bucket):
    for number, form in enumerate(("csv", "parquet", "json.gz"), 1):
        bill = replace(BILL, form=form, lines=50)
        truth = write_google_month(bill, date(2025, number, 1), bucket)
        load_month(database, source_of(bill, bucket), truth.billing_month)
        assert cost_totals(query, "google", truth.billing_month) == truth_totals(truth)


def test_standard_export_keeps_fees_where_they_are_billed(database, query, bucket):
    """It names no subscription: only a fee with Google's own offset can be tied to its use."""
    truth = write_google_month(replace(BILL, form="json"), JANUARY, bucket)
    for path in bucket.rglob("part-*.json"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            line.pop("subscription", None), line.pop("resource", None)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    load_month(database, source_of(BILL, bucket), JANUARY)
    assert query("select sum(cost), sum(effective_cost) from costs") == [(truth.billed_cost,) * 2]
    purchases = query(
        "select sum(BilledCost), sum(EffectiveCost) from focus_costs where ChargeCategory = 'Purchase' "
        "and ServiceName = 'Cloud Run'"
    )
    assert purchases == [(31 * 54, 31 * 54)]
    assert query(
        "select sum(EffectiveCost) from focus_costs where ChargeCategory = 'Purchase' and ServiceName = 'Cloud SQL'"
    ) == [(0,)]
    assert ("commitment_fees_are_spread", "warning") in failed(query)


@pytest.mark.parametrize("form", FORMS)
def test_fewer_raw_columns_give_the_same_costs(database, query, bucket, form):
    bill = replace(BILL, form=form, lines=60)
    truth = write_google_month(bill, JANUARY, bucket)
    load_month(database, source_of(bill, bucket, raw="mapped"), JANUARY)
    assert cost_totals(query, "google", JANUARY) == truth_totals(truth)
    columns = {name for (name,) in query("select column_name from raw_columns")}
    assert "cost" in columns


@pytest.mark.parametrize("form", FORMS)
def test_query_reads_the_files_before_they_are_loaded(bucket, form):
    bill = replace(BILL, form=form, lines=60)
    truth = write_google_month(bill, JANUARY, bucket)
    source = source_of(bill, bucket)
    [manifest] = source.form.find_manifests("google", source.uri, LocalStorage(), MonthRange())
    delivery = source.form.read_delivery(manifest, LocalStorage())
    statement = (
        "select count(*), (select content->>'rows' from manifest), min(usage_start_time)::varchar, "
        "round(sum(cost), 4) from lines"
    )
    with ask(LocalStorage(), delivery, source.form, statement) as answer:
        [(lines, promised, first, cost)] = answer.rows()
    assert (lines, promised) == (truth.raw_lines, str(truth.raw_lines))
    assert first.startswith("2024-12-2")
    assert cost > 0


@pytest.mark.parametrize("form", ["parquet", "json.gz"])
def test_bucket_of_s3_holds_googles_bill_as_well(database, query, bucket, s3, form):
    bill = replace(BILL, form=form, lines=60)
    truth = write_google_month(bill, JANUARY, bucket)
    name = s3.new_bucket()
    s3.upload(bucket, name)
    source = source_of(bill, bucket).model_copy(update={"uri": f"s3://{name}/{bill.prefix}/"})
    load_month(database, source, JANUARY, s3.storage())
    assert cost_totals(query, "google", JANUARY) == truth_totals(truth)


def test_source_is_diagnosed(bucket):
    write_google_month(BILL, JANUARY, bucket)
    found = diagnose_source(source_of(BILL, bucket, stale_after_hours=0), lambda _: LocalStorage())
    assert found.problems == ()
    assert "1 month(s), 2025-01 to 2025-01; the newest is version 20250202T021500Z" in found.facts[0]
    wrong = source_of(BILL, bucket).model_copy(update={"format": "aws_cur"})
    [problem] = diagnose_source(wrong, lambda _: LocalStorage()).problems
    assert "correct format, which is aws_cur" in problem


# --- what is refused


LINE = {
    "billing_account_id": "01A2B3-C4D5E6-F70819",
    "invoice": {"month": "202501"},
    "cost_type": "regular",
    "service": {"id": "6F81-5844-456A", "description": "Compute Engine"},
    "sku": {"id": "CF4E-A0C7-E3BF", "description": "Core"},
    "usage_start_time": "2025-01-01 00:00:00 UTC",
    "usage_end_time": "2025-01-01 01:00:00 UTC",
    "project": {"id": "p"},
    "cost": 1.5,
    "currency": "USD",
}
RUN = "google/invoice_month=202501/20250203T021500Z"


def write_lines(bucket, lines, name="part-000000000000.json"):
    """Write a run of JSON lines, each an hour of use for 1.5 USD but for its values."""
    folder = bucket / RUN
    folder.mkdir(parents=True, exist_ok=True)
    texts = [line if isinstance(line, str) else json.dumps({**LINE, **line}) for line in lines]
    (folder / name).write_text("".join(text + "\n" for text in texts))


def write_marker(bucket, name="_SUCCESS-000000000000.json", **values):
    content = {"invoice_month": "202501", "rows": "1", "billed": [{"currency": "USD", "cost": "1.5"}]}
    (bucket / RUN / name).write_text(json.dumps({**content, **values}) + "\n")


def crafted(bucket, **options):
    return Source(
        name="google", format="gcp_billing", uri=f"file://{bucket}/google/", **{"manifest": "none", **options}
    )


def marked(bucket):
    return crafted(bucket, manifest="required")


def test_marker_is_what_the_lines_are_compared_with(database, query, bucket):
    write_lines(bucket, [{}])
    write_marker(bucket)
    load_month(database, marked(bucket), JANUARY)
    write_marker(bucket, billed=[{"currency": "USD", "cost": "1.500000000000000000000000000001"}])
    with pytest.raises(
        AuditFailed, match=r"billed_cost_equals_manifest.*promised_cost=1.500000000000000000000000000001"
    ):
        load_month(database, marked(bucket), JANUARY)
    write_marker(bucket, billed=[{"currency": "USD", "cost": "1.5"}, {"currency": "EUR", "cost": "0.1"}])
    with pytest.raises(AuditFailed, match=r"currency=EUR, promised_cost=0.1, stored_cost=None"):
        load_month(database, marked(bucket), JANUARY)
    write_marker(bucket, rows="2")
    with pytest.raises(DeliveryError, match="promises 2 lines in all files, which have 1"):
        load_month(database, marked(bucket), JANUARY)
    write_marker(bucket, billed=[{"currency": "USD", "cost": None}])
    load_month(database, marked(bucket), JANUARY)
    assert query("select sum(cost) from costs") == [(Decimal("1.5"),)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"invoice_month": "202502"}, "is of the invoice month '202502'"),
        ({"rows": 1.5}, "is not a marker of the shipped query"),
        ({"rows": "-1"}, "is not a marker of the shipped query"),
        ({"billed": [{"currency": "USD", "cost": 1.5}]}, "a decimal in quotes is expected"),
        ({"billed": [{"currency": "USD", "cost": "NaN"}]}, "a decimal in quotes is expected"),
        ({"billed": [{"currency": "USD", "cost": "1"}] * 2}, "names a currency twice"),
    ],
)
def test_broken_marker_is_refused(database, bucket, values, words):
    write_lines(bucket, [{}])
    write_marker(bucket, **values)
    with pytest.raises(DeliveryError, match=words):
        load_month(database, marked(bucket), JANUARY)


def test_run_that_is_not_complete_waits(database, query, bucket):
    write_lines(bucket, [{}])
    (bucket / RUN / "_SUCCESS-000000000000.json").touch()
    with pytest.raises(DeliveryError, match="no manifest of this month"):
        load_month(database, marked(bucket), JANUARY)
    write_marker(bucket)
    load_month(database, marked(bucket), JANUARY)
    newer = bucket / "google/invoice_month=202501/20250204T021500Z"
    newer.mkdir()
    (newer / "part-000000000000.json").write_text(json.dumps({**LINE, "cost": 7}) + "\n")
    load_month(database, marked(bucket), JANUARY)
    assert query("select sum(cost) from costs") == [(Decimal("1.5"),)]
    # Without markers, the newest folder is what there is.
    load_month(database, crafted(bucket), JANUARY)
    assert query("select sum(cost) from costs") == [(Decimal("7"),)]


def test_two_markers_and_lost_files_are_refused(database, bucket):
    write_lines(bucket, [{}])
    write_marker(bucket)
    write_marker(bucket, "_SUCCESS-000000000001.json")
    with pytest.raises(DeliveryError, match="holds the markers of several runs"):
        load_month(database, marked(bucket), JANUARY)
    (bucket / RUN / "_SUCCESS-000000000001.json").unlink()
    (bucket / RUN / "part-000000000000.json").unlink()
    with pytest.raises(DeliveryError, match="promises 1 rows, but no data file is beside it"):
        load_month(database, marked(bucket), JANUARY)


def test_lines_of_another_invoice_month_are_refused(database, bucket):
    write_lines(bucket, [{}, {"invoice": {"month": "202412"}}])
    with pytest.raises(AuditFailed, match="billing_period_is_the_months"):
        load_month(database, crafted(bucket), JANUARY)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"cost": 1.5', "line 2: no JSON"),
        ("[1.5]", "line 2: a JSON object is expected"),
        ("\\.", "line 2: no JSON"),
        ({"cost": "much"}, 'line 2, column cost: invalid input syntax for type double precision: "much"'),
        ({"usage_start_time": "soon"}, "line 2, column usage_start_time: invalid input syntax for type timestamp"),
        ('{"cost": 1, "sku": {"id": "\\u0000"}}', "line 2, column line: unsupported Unicode escape sequence"),
        ('{"cost": NaN}', "line 2, column line: invalid input syntax for type json"),
        ("{" * 100_000, "line 2: no JSON"),
        ({"cost": 1e999}, "line 2, column line: invalid input syntax for type json"),
    ],
)
def test_bad_json_line_names_file_and_line(database, bucket, line, words):
    write_lines(bucket, [{}, line, {}])
    with pytest.raises(DeliveryError, match=re.escape(words)) as error:
        load_month(database, crafted(bucket), JANUARY)
    assert "part-000000000000.json" in str(error.value)


@pytest.mark.parametrize(
    "hostile", [{"credits": {"type": "COMMITTED_USAGE_DISCOUNT"}}, {"labels": "x"}, {"project": 7}]
)
def test_nested_columns_of_other_shapes_do_not_stop_a_month(database, query, bucket, hostile):
    write_lines(bucket, [{}, hostile])
    load_month(database, crafted(bucket, tags=("team",)), JANUARY)
    assert query("select sum(cost) from costs") == [(Decimal(3),)]
    assert query("select count(*), count(Tags), sum(BilledCost) from focus_costs") == [(2, 2, Decimal(3))]


MEMORY = """
import sys
from datetime import date
import psycopg
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.publishing.load import load_raw
from cloud_costs.storage.local import LocalStorage
uri, schema, folder = sys.argv[1:]
database = Database(lambda: psycopg.connect(uri), schema, "costs_db")
source = Source(name="google", format="gcp_billing", uri=folder, manifest="none", second_engine=False)
load_raw(database, LocalStorage(), source, date(2025, 1, 1))
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process its own peak")
def test_larger_json_file_takes_the_same_memory(database, postgres, tmp_path, query):
    peaks = {}
    for lines in (20_000, 120_000):
        bucket = tmp_path / str(lines)
        write_lines(bucket, [{"labels": [{"key": "team", "value": "x" * 200}]}] * lines)
        finished = subprocess.run(
            [
                *(sys.executable, "-c", MEMORY),
                *(loader_uri(postgres, database.schema), database.schema, f"file://{bucket}/google/"),
            ],
            env={**os.environ, "PYTHONPATH": str(Path(json_files.__file__).parents[2])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        peaks[lines] = int(finished.stdout.split()[-1]) / 1024
    assert query("select max(rows) from load_history") == [(120_000,)]
    # The files differ by 70 MB.
    assert peaks[120_000] - peaks[20_000] < 15, peaks


@pytest.mark.parametrize("form", ["parquet", "json"])
def test_lost_credit_is_caught_by_the_second_engine(database, bucket, monkeypatch, form):
    bill = replace(BILL, form=form, lines=60, marker=False)
    write_google_month(bill, JANUARY, bucket)
    if form == "json":
        right = json_files._value

        def lossy(column):
            positive = sql.SQL("replace((line -> 'credits')::text, '\"amount\": -', '\"amount\": ')::jsonb")
            return positive if column.original == "credits" else right(column)

        monkeypatch.setattr(json_files, "_value", lossy)
    else:
        right = binary_copy.json_text
        monkeypatch.setattr(
            binary_copy,
            "json_text",
            lambda array: (
                pc.replace_substring(right(array), '"amount":-', '"amount":')
                if pa.types.is_list(array.type)
                else right(array)
            ),
        )
    with pytest.raises(AuditFailed, match=r"raw_equals_files.*column_name=credits_amount, kind=sum"):
        load_month(database, source_of(bill, bucket), JANUARY)
