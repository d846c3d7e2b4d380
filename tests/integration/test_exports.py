"""Data Exports (CUR 2.0, FOCUS) as they lie in buckets, and the mock bills that others published."""

import csv
import gzip
import io
import json
import shutil
import zipfile
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from conftest import SHARED_DATA
from deliveries import write_month
from pipeline import JANUARY, load_month

from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import AuditFailed, DeliveryError, DeliveryNotReady
from cloud_costs.publishing.load import load_raw
from cloud_costs.storage.local import LocalStorage

BILL = Bill(format="aws_cur2", lines=60, files=2)
PERIOD = "BILLING_PERIOD=2025-01"
MOCKS = SHARED_DATA / "mock-cur"


def source_of(bill, place, **options):
    return Source(name="cup", format=bill.format, uri=f"{place}/{bill.root}/", **options)


def manifests(bucket):
    return sorted(bucket.rglob("*-Manifest.json"), key=lambda path: len(path.parts))


def edit(path, **changes):
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))


def billed(query):
    return query("select sum(cost) from costs")[0][0]


@pytest.mark.parametrize("form", ["aws_cur2", "aws_focus"])
@pytest.mark.parametrize("data_files", ["uri", "key", "object"])
def test_files_are_found_in_s3_whatever_the_manifest_calls_them(database, query, bucket, s3, form, data_files):
    name = s3.new_bucket()
    bill = replace(BILL, format=form, data_files=data_files, bucket=name, layout="create-new")
    truth = write_month(bill, JANUARY, bucket)
    s3.upload(bucket, name)
    load_month(database, source_of(bill, f"s3://{name}"), JANUARY, s3.storage())
    assert billed(query) == truth.billed_cost


def test_copy_of_a_bucket_is_read_and_not_the_bucket_it_was_copied_from(database, query, bucket, s3):
    original, copied = s3.new_bucket(), s3.new_bucket()
    bill = replace(BILL, bucket=original)
    truth = write_month(bill, JANUARY, bucket)
    s3.upload(bucket, copied, "billing/archive/")
    write_month(replace(bill, seed=2), JANUARY, bucket)
    s3.upload(bucket, original)
    load_month(database, source_of(bill, f"s3://{copied}/billing/archive"), JANUARY, s3.storage())
    assert billed(query) == truth.billed_cost


def test_metadata_alone_was_copied(database, query, bucket, s3):
    original, copied = s3.new_bucket(), s3.new_bucket()
    bill = replace(BILL, bucket=original)
    truth = write_month(bill, JANUARY, bucket)
    s3.upload(bucket, original)
    s3.upload(bucket / bill.root / "metadata", copied, f"{bill.root}/metadata/")
    load_month(database, source_of(bill, f"s3://{copied}"), JANUARY, s3.storage())
    assert billed(query) == truth.billed_cost


@pytest.mark.parametrize("folder", ["", "data/", "metadata/"])
def test_uri_names_the_export_or_a_folder_in_it(database, query, bucket, folder):
    truth = write_month(BILL, JANUARY, bucket)
    source = Source(name="cup", format="aws_cur2", uri=f"file://{bucket}/{BILL.root}/{folder}")
    load_month(database, source, JANUARY)
    assert billed(query) == truth.billed_cost


def test_manifests_in_execution_folders_alone_are_enough(database, query, bucket):
    bill = replace(BILL, layout="create-new")
    truths = [write_month(bill, JANUARY, bucket, version=version) for version in (1, 2, 3)]
    manifests(bucket)[0].unlink()
    load_month(database, source_of(bill, f"file://{bucket}"), JANUARY)
    assert billed(query) == truths[-1].billed_cost
    assert query("select version from load_history") == [(truths[-1].assembly_id,)]


@pytest.mark.parametrize("layout", ["overwrite", "create-new"])
def test_files_of_old_executions_are_left_alone(database, query, bucket, layout):
    bill = replace(BILL, layout=layout)
    write_month(bill, JANUARY, bucket)
    truth = write_month(bill, JANUARY, bucket, version=2)
    data = bucket / bill.root / "data" / PERIOD
    # What an overwritten delivery of more files, a replication or a human leaves behind.
    stray = next(data.rglob("*.parquet"))
    shutil.copy(stray, stray.with_name("CUP-Cost-Usage-Report-00009.snappy.parquet"))
    load_month(database, source_of(bill, f"file://{bucket}"), JANUARY)
    assert billed(query) == truth.billed_cost
    assert query("select rows from load_history") == [(truth.raw_lines,)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"executionId": ...}, "executionId: this key is missing"),
        ({"executionId": ""}, "executionId: "),
        ({"dataFiles": ...}, "dataFiles: this key is missing"),
        ({"dataFiles": "a.parquet"}, "dataFiles: "),
        ({"dataFiles": []}, "lists no files (dataFiles is empty)"),
        ({"dataFiles": [{"where": "a.parquet"}]}, "dataFiles[0]: "),
        ({"dataFiles": [None]}, "dataFiles[0]: "),
        ({"dataFiles": ["data/x.parquet", "data/x.parquet"]}, "lists 'data/x.parquet' twice"),
        ({"dataFiles": ["data/../../x.parquet"]}, "outside its folder"),
        ({"dataFiles": ["data/x.orc"]}, "which is no data file: their names end in "),
    ],
)
def test_manifest_that_is_not_one_says_what_is_wrong(database, bucket, changes, words):
    write_month(BILL, JANUARY, bucket)
    path = manifests(bucket)[0]
    edit(path, **changes)
    with pytest.raises(DeliveryError) as raised:
        load_raw(database, LocalStorage(), source_of(BILL, f"file://{bucket}"), JANUARY)
    assert str(raised.value).startswith(f"cup 2025-01: manifest file://{path} ")
    assert words in str(raised.value)


@pytest.mark.parametrize(("text", "words"), [("", "is empty"), ("{", "is not JSON"), ("[]", "is not a Data Exports")])
def test_manifest_that_is_broken_is_named(database, bucket, text, words):
    write_month(BILL, JANUARY, bucket)
    path = manifests(bucket)[0]
    path.write_text(text)
    with pytest.raises(DeliveryError) as raised:
        load_raw(database, LocalStorage(), source_of(BILL, f"file://{bucket}"), JANUARY)
    assert f"cup 2025-01: manifest file://{path} {words}" in str(raised.value)


def test_listed_file_that_is_not_there_is_waited_for(database, bucket):
    write_month(BILL, JANUARY, bucket)
    gone = next((bucket / BILL.root / "data" / PERIOD).glob("*-00002.*"))
    gone.unlink()
    with pytest.raises(DeliveryNotReady, match=f"which is not at file://{gone}"):
        load_raw(database, LocalStorage(), source_of(BILL, f"file://{bucket}"), JANUARY)


def test_manifest_of_another_months_files_is_refused(database, bucket, query):
    write_month(BILL, JANUARY, bucket)
    write_month(BILL, JANUARY.replace(month=2), bucket)
    january, february = (
        next((bucket / BILL.root / "metadata" / f"BILLING_PERIOD=2025-0{n}").iterdir()) for n in (1, 2)
    )
    shutil.copy(january, february)
    with pytest.raises(AuditFailed, match=r"cup 2025-02: .*billing_period_is_the_months"):
        load_month(database, source_of(BILL, f"file://{bucket}"), JANUARY.replace(month=2))


@pytest.mark.parametrize("file_type", ["parquet", "csv"])
def test_maps_are_jsonb_and_their_tags_are_found(database, query, bucket, file_type):
    bill = replace(BILL, file_type=file_type)
    truth = write_month(bill, JANUARY, bucket)
    source = source_of(bill, f"file://{bucket}", tags=("user:team", "user_environment"))
    load_month(database, source, JANUARY)
    types = dict(query("select column_name, type from raw_columns"))
    maps = ("resource_tags", "product", "cost_category", "discount")
    assert {types[name] for name in maps} == {"jsonb"}
    assert query("select bool_and(jsonb_typeof(product) = 'object') from raw_cup") == [(True,)]
    by_team = dict(query("select tags ->> 'user:team', sum(cost) from costs group by 1"))
    assert len(by_team) > 2
    assert sum(by_team.values()) == truth.billed_cost
    assert query("select count(*) > 0 from costs where tags ? 'user_environment'") == [(True,)]
    raw = dict(
        query("select resource_tags ->> 'user_team', count(*) from raw_cup where resource_tags <> '{}' group by 1")
    )
    assert set(filter(None, by_team)) == set(filter(None, raw))


def test_map_that_is_no_json_names_line_and_column(database, bucket):
    bill = replace(BILL, file_type="csv", files=1)
    write_month(bill, JANUARY, bucket)
    path = next(bucket.rglob("*.csv.gz"))
    rows = list(csv.reader(io.StringIO(gzip.decompress(path.read_bytes()).decode())))
    rows[2][rows[0].index("resource_tags")] = "{user_team=a}"
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    path.write_bytes(gzip.compress(out.getvalue().encode()))
    with pytest.raises(DeliveryError, match="line 3, column resource_tags: invalid input syntax for type json"):
        load_raw(database, LocalStorage(), source_of(bill, f"file://{bucket}"), JANUARY)


@pytest.mark.parametrize("form", ["aws_cur2", "aws_focus"])
def test_account_has_the_latest_of_its_names(database, query, bucket, form):
    """An account is renamed on the 15th: one name for the month in `costs`, both in the charges."""
    bill = replace(BILL, format=form, lines=600)
    write_month(bill, JANUARY, bucket)
    load_month(database, source_of(bill, f"file://{bucket}"), JANUARY)
    names = query("select account_id, array_agg(distinct account_name) from costs group by 1")
    assert {len(found) for _, found in names} == {1}
    assert dict(names)["004512887103"] == ["Acme Store"]
    assert query("select distinct SubAccountName from focus_costs where SubAccountId = '004512887103' order by 1") == [
        ("Acme Shop",),
        ("Acme Store",),
    ]


def mock_sum(content):
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    column = next(name for name in rows[0] if name in ("lineItem/UnblendedCost", "line_item_unblended_cost"))
    return sum(Decimal(row[column]) for row in rows), len(rows)


def lay_out(bucket, manifest, folder, keys):
    """Lay a published mock out as its manifest says: the data under its keys, the manifest where AWS puts it."""
    target = bucket / folder / manifest.name
    target.parent.mkdir(parents=True)
    shutil.copy(manifest, target)
    for key in keys:
        key = key.removeprefix("s3://").partition("/")[2] if key.startswith("s3://") else key
        (bucket / key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(manifest.with_name(key.rsplit("/", 1)[-1]), bucket / key)


@pytest.mark.skipif(not MOCKS.exists(), reason="../shared/data/mock-cur is not there")
def test_mock_bill_of_the_legacy_report(database, query, bucket):
    manifest = MOCKS / "cur_1_0/MockTestReport-Manifest.json"
    lay_out(bucket, manifest, "20240101-20240201", json.loads(manifest.read_text())["reportKeys"])
    with zipfile.ZipFile(next(bucket.rglob("*.zip"))) as archive:
        expected, lines = mock_sum(archive.read(archive.namelist()[0]))
    load_month(database, Source(name="mock", format="aws_cur", uri=f"file://{bucket}/"), date(2024, 1, 1))
    assert expected == Decimal("0.0108") * 2 + Decimal("0.023552")
    assert query("select sum(cost), sum(effective_cost), sum(line_items) from costs") == [(expected, expected, lines)]
    assert query("select distinct invoice_id, account_id from costs") == [("123456789", "123456789012")]
    assert query("select check_name from audit_results where not passed") == []


@pytest.mark.skipif(not MOCKS.exists(), reason="../shared/data/mock-cur is not there")
def test_mock_bill_of_cur_2(database, query, bucket):
    manifest = MOCKS / "cur_2_0/MockTestReportV2-Manifest.json"
    lay_out(bucket, manifest, "metadata/BILLING_PERIOD=2024-09", json.loads(manifest.read_text())["dataFiles"])
    expected, lines = mock_sum(gzip.decompress(next(bucket.rglob("*.csv.gz")).read_bytes()))
    load_month(database, Source(name="mock", format="aws_cur2", uri=f"file://{bucket}/"), date(2024, 9, 1))
    assert query("select sum(cost), sum(effective_cost), sum(line_items) from costs") == [(expected, expected, lines)]
    assert query("select service, sum(cost) from costs group by 1 order by 1") == [
        ("Amazon Elastic Compute Cloud", Decimal("0.0432")),
        ("Amazon Relational Database Service", Decimal("0.018")),
        ("Amazon Simple Storage Service", Decimal("0.047104")),
    ]
    assert query("select check_name from audit_results where not passed") == []
