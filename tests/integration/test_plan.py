"""`list_manifests`: which months are loaded, which are left, and what a failing source hinders."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import boto3
import pytest
from deliveries import write_month
from pipeline import JANUARY, load_month

from cloud_costs.config import sources as config
from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import ConfigError, DeliveryError, StorageDenied, StorageUnavailable
from cloud_costs.formats.aws.cur import find_manifests
from cloud_costs.months import MonthRange, next_month
from cloud_costs.publishing.plan import Plan, list_manifests
from cloud_costs.storage.local import LocalStorage
from cloud_costs.storage.s3 import S3Storage

FEBRUARY, MARCH = date(2025, 2, 1), date(2025, 3, 1)
EVERY_MONTH = MonthRange()
TINY = Bill(lines=20, files=1)


@pytest.fixture
def plan(database, cup):
    """Plan the source `cup`, or the sources given, from local folders."""

    def run(*sources: Source, months: MonthRange = EVERY_MONTH, **options: object) -> Plan:
        return list_manifests(database, sources or (cup.source,), lambda source: LocalStorage(), months, **options)

    return run


def decisions(found: Plan) -> dict[str, str]:
    return {
        month.label: f"{month.decision}, {month.reason}" if month.reason else month.decision for month in found.months
    }


def test_unknown_months_are_loaded_newest_first(cup, plan):
    for month in (FEBRUARY, JANUARY, MARCH):
        cup.deliver(month)
    assert decisions(plan()) == {"cup 2025-03": "load, new", "cup 2025-02": "load, new", "cup 2025-01": "load, new"}
    assert [month.label for month in plan().to_load] == ["cup 2025-03", "cup 2025-02", "cup 2025-01"]


def test_published_month_is_unchanged_until_a_new_delivery_comes(database, cup, plan):
    first = cup.deliver()
    load_month(database, cup.source, JANUARY)
    [month] = plan().months
    assert (month.decision, month.version, month.published_version) == ("unchanged", *[first.assembly_id] * 2)
    second = cup.deliver(version=2)
    [month] = plan().months
    assert (month.decision, month.reason) == ("load", "changed")
    assert (month.version, month.published_version) == (second.assembly_id, first.assembly_id)


def test_force_loads_what_is_unchanged(database, cup, plan):
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    assert decisions(plan(force=True)) == {"cup 2025-01": "load, forced"}


def test_month_published_raw_only_is_loaded_in_full_later(database, cup, plan):
    cup.deliver()
    load_month(database, cup.source, JANUARY, raw_only=True)
    assert decisions(plan(raw_only=True)) == {"cup 2025-01": "unchanged"}
    assert decisions(plan()) == {"cup 2025-01": "load, only raw is published"}
    load_month(database, cup.source, JANUARY)
    assert decisions(plan()) == {"cup 2025-01": "unchanged"}


def test_failed_load_is_planned_again(database, cup, plan):
    cup.deliver()
    [data] = [path for path in cup.bucket.rglob("*-00001.snappy.parquet")]
    content = data.read_bytes()
    data.write_bytes(b"not parquet")
    with pytest.raises(DeliveryError):
        load_month(database, cup.source, JANUARY)
    data.write_bytes(content)
    assert decisions(plan()) == {"cup 2025-01": "load, new"}


@pytest.mark.parametrize(
    ("first_month", "from_month", "to_month", "months"),
    [
        (None, None, None, [3, 2, 1]),
        ("2025-02", None, None, [3, 2]),
        ("2025-02", "2025-01", None, [3, 2]),
        ("2025-01", "2025-03", None, [3]),
        (None, "2025-02", "2025-02", [2]),
        ("2025-03", None, "2025-02", []),
        (None, "2026-01", None, []),
    ],
)
def test_only_months_of_the_source_and_of_the_range_are_planned(cup, plan, first_month, from_month, to_month, months):
    for month in (JANUARY, FEBRUARY, MARCH):
        cup.deliver(month)
    source = Source(**{**cup.source.model_dump(exclude={"first_month"}), "first_month": first_month})
    found = plan(source, months=MonthRange.parse(from_month, to_month))
    assert [month.billing_month.month for month in found.months] == months


def test_limit_loads_the_newest_and_tells_what_is_left(database, cup, plan):
    for month in (JANUARY, FEBRUARY, MARCH):
        cup.deliver(month)
    load_month(database, cup.source, MARCH)
    found = plan(limit=1)
    assert decisions(found) == {
        "cup 2025-03": "unchanged",
        "cup 2025-02": "load, new",
        "cup 2025-01": "next run, this run takes 1 months",
    }
    assert [month.label for month in found.left] == ["cup 2025-01"]
    load_month(database, cup.source, FEBRUARY)
    assert [month.label for month in plan(limit=1).to_load] == ["cup 2025-01"]
    assert not plan(limit=2).left


def elsewhere(name: str) -> Source:
    return Source(name=name, format="aws_cur", uri=f"file:///nowhere/{name}/")


def test_source_that_fails_hinders_no_other(cup, plan, caplog):
    cup.deliver()
    found = plan(elsewhere("lost"), cup.source)
    assert decisions(found) == {"cup 2025-01": "load, new"}
    assert list(found.failures) == ["lost"]
    assert str(found.failures["lost"]).startswith("lost: no manifest below file:///nowhere/lost/")
    assert "lost: no manifest below" in caplog.text


def test_all_sources_failing_raises_the_first_failure(plan):
    with pytest.raises(DeliveryError, match=r"^one: no manifest"):
        plan(elsewhere("one"), elsewhere("two"))


def test_all_sources_failing_is_tried_again_when_one_of_them_may_pass(database):
    def storage_of(source: Source) -> LocalStorage:
        if source.name == "two":
            raise StorageUnavailable("two: away for now")
        raise StorageDenied("one: denied")

    with pytest.raises(StorageUnavailable, match="away for now"):
        list_manifests(database, [elsewhere("one"), elsewhere("two")], storage_of, EVERY_MONTH)


def test_connection_that_fails_is_told_with_the_source_it_is_for(database):
    def storage_of(source: Source) -> LocalStorage:
        raise ConfigError("the Airflow connection 'aws_billing' is not defined")

    with pytest.raises(ConfigError, match=r"^one: the Airflow connection 'aws_billing' is not defined$"):
        list_manifests(database, [elsewhere("one")], storage_of, EVERY_MONTH)


def test_unreadable_manifest_of_one_month_hinders_no_other_and_fails_when_it_is_loaded(database, cup, plan, caplog):
    cup.deliver(JANUARY)
    cup.deliver(FEBRUARY)
    [manifest] = cup.bucket.rglob("20250201-*/*-Manifest.json")
    manifest.write_text("<html>")
    found = plan()
    assert decisions(found) == {
        "cup 2025-02": "load, the manifest cannot be read",
        "cup 2025-01": "load, new",
    }
    assert not found.failures
    assert "cup 2025-02: manifest" in caplog.text
    with pytest.raises(DeliveryError, match=r"cup 2025-02: manifest .* is not JSON"):
        load_month(database, cup.source, FEBRUARY)
    load_month(database, cup.source, JANUARY)


def test_two_sources_are_planned_side_by_side(cup, plan, tmp_path):
    cup.deliver(JANUARY)
    write_month(TINY, FEBRUARY, tmp_path / "eu")
    eu = Source(name="eu", format="aws_cur", uri=f"file://{tmp_path}/eu/{TINY.prefix}/{TINY.report}/")
    assert list(decisions(plan(cup.source, eu))) == ["eu 2025-02", "cup 2025-01"]


def test_plan_is_a_table_with_every_month(database, cup, plan):
    first = cup.deliver()
    load_month(database, cup.source, JANUARY)
    second = cup.deliver(FEBRUARY)
    assert plan().lines() == [
        "source  month    version           published         decision",
        f"cup     2025-02  {second.assembly_id}  -                 load (new)",
        f"cup     2025-01  {first.assembly_id}  {first.assembly_id}  unchanged",
    ]


def test_planned_month_travels_as_plain_json(cup, plan):
    truth = cup.deliver()
    [month] = plan().to_load
    assert month.to_dict() == {
        "source": "cup",
        "billing_month": "2025-01",
        "manifest_uri": f"{cup.source.uri}20250101-20250201/{cup.bill.report}-Manifest.json",
        "version": truth.assembly_id,
    }


@contextmanager
def requests_of(client: boto3.client) -> Iterator[list[str]]:
    """Yield the names of the S3 operations that the client calls meanwhile."""
    seen: list[str] = []
    client.meta.events.register("before-call.s3.*", lambda model, **_: seen.append(model.name), unique_id="count")
    try:
        yield seen
    finally:
        client.meta.events.unregister("before-call.s3.*", unique_id="count")


def test_manifests_are_read_once_where_new_and_never_where_unchanged(database, s3, tmp_path, query):
    bucket = s3.new_bucket()
    for month in (JANUARY, FEBRUARY, MARCH):
        write_month(TINY, month, tmp_path)
    s3.upload(tmp_path, bucket)
    client = s3.client()
    storage = S3Storage(client, "aws_default")
    source = Source(name="cup", format="aws_cur", uri=f"s3://{bucket}/{TINY.prefix}/{TINY.report}/")

    def count(**options: object) -> tuple[int, int]:
        with requests_of(client) as seen:
            list_manifests(database, [source], lambda source: storage, EVERY_MONTH, **options)
        assert set(seen) <= {"ListObjectsV2", "GetObject"}
        return seen.count("GetObject"), seen.count("ListObjectsV2")

    assert count() == (3, 3 + 3)
    load_month(database, source, JANUARY, storage)
    load_month(database, source, FEBRUARY, storage)
    assert count()[0] == 1
    load_month(database, source, MARCH, storage)
    assert count() == (0, 3 + 3)
    assert count(force=True)[0] == 0
    write_month(TINY, FEBRUARY, tmp_path, version=2)
    s3.upload(tmp_path / TINY.prefix / TINY.report / "20250201-20250301", bucket, "cup/other/")
    assert count()[0] == 0
    s3.upload(tmp_path, bucket)
    assert count()[0] == 1


def test_unchanged_month_costs_one_listing_and_no_reading(database, s3, query):
    bucket, client = s3.new_bucket(), s3.client()
    months = [date(year, month, 1) for year in (2022, 2023, 2024) for month in range(1, 13)]
    for month in months:
        folder = f"r/{month:%Y%m%d}-{next_month(month):%Y%m%d}/"
        client.put_object(Bucket=bucket, Key=f"{folder}r-Manifest.json", Body=b"{}")
        client.put_object(Bucket=bucket, Key=f"r/r/year={month.year}/month={month.month}/r-1.parquet", Body=b"")
    storage = S3Storage(client, "aws_default")
    source = Source(name="cup", format="aws_cur", uri=f"s3://{bucket}/r/")
    for found in find_manifests("cup", source.uri, storage, EVERY_MONTH):
        query(
            "insert into load_history (source, format, billing_period, version, manifest_uri, manifest_etag, status) "
            "values ('cup', 'aws_cur', %s, 'v1', %s, %s, 'published')",
            *(found.billing_month, found.file.uri, found.file.etag),
        )
    with requests_of(client) as seen:
        plan = list_manifests(database, [source], lambda source: storage, EVERY_MONTH)
    assert [month.decision for month in plan.months] == ["unchanged"] * len(months)
    # The report, its data folder and the years in it; then each month.
    assert Counter(seen) == {"ListObjectsV2": 1 + 1 + 3 + len(months)}


def test_sources_are_planned_and_told_of_in_their_order(cup, plan, caplog):
    cup.deliver()
    names = ["lost_b", "lost_a", "lost_c"]
    found = plan(*(elsewhere(name) for name in names), cup.source)
    assert list(found.failures) == names
    assert [record.message.partition(":")[0] for record in caplog.records] == names


def test_nothing_delivered_since_is_no_failure(database, cup, plan, caplog):
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    caplog.clear()
    assert plan().to_load == ()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_no_source_can_take_a_name_that_the_package_uses(query, database):
    rows = query(
        "select relname from pg_class where relnamespace = %s::regnamespace and relkind in ('r', 'v', 'p', 'm')",
        database.schema,
    )
    fixed = {name for (name,) in rows}
    assert fixed
    assert fixed <= set(config.FIXED_RELATIONS)


def test_no_index_of_the_package_has_a_name_that_a_source_could_take(query, database):
    rows = query("select relname from pg_class where relnamespace = %s::regnamespace", database.schema)
    for (name,) in rows:
        taken = name.startswith("raw_") or name.endswith(("_focus", "_normalized"))
        assert not taken or name in config.FIXED_RELATIONS, name
