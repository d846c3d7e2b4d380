"""A bad bucket or manifest: the load fails with its reason, and what was published stays."""

import json

import pytest
from pipeline import JANUARY, cost_totals, load_month, truth_totals

from cloud_costs.errors import DeliveryError, DeliveryNotReady, PermanentError, StorageDenied, TransientError
from cloud_costs.storage.local import LocalStorage


@pytest.fixture
def manifest(cup):
    """The manifest of January's second delivery; the first one is published."""

    def path():
        [found] = cup.bucket.rglob("20250101-*/*-Manifest.json")
        return found

    return path


def change(path, **changes):
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def truncate(path):
    path.write_bytes(path.read_bytes()[:40])


def second_report(path):
    (path.parent / "Other-Manifest.json").write_text("{}")


def lose_a_file(path):
    next(path.parents[1].rglob("*-00001.snappy.parquet")).unlink()


def lose_the_month(path):
    path.unlink()
    (path.parents[1] / "20250201-20250301").mkdir()


@pytest.mark.parametrize(
    ("spoil", "kind", "told"),
    [
        (lambda path: path.write_bytes(b""), PermanentError, "is empty"),
        (lambda path: change(path, assemblyId=None), DeliveryError, "assemblyId: this key is missing"),
        (lambda path: change(path, reportKeys=[]), DeliveryError, "reportKeys is empty"),
        (lambda path: change(path, billingPeriod={"start": "20250201T000000.000Z"}), DeliveryError, "billing period"),
        (second_report, DeliveryError, "manifests of several reports"),
        (lose_a_file, DeliveryNotReady, "which is not at file:///"),
        (lose_the_month, DeliveryError, "no manifest"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_broken_delivery_fails_its_load_and_leaves_what_was_published(
    database, cup, query, manifest, spoil, kind, told
):
    published = cup.deliver(version=1)
    load_month(database, cup.source, JANUARY)
    cup.deliver(version=2)
    spoil(manifest())
    with pytest.raises(kind, match=told) as raised:
        load_month(database, cup.source, JANUARY)
    assert str(raised.value).startswith("cup")
    assert cost_totals(query, "cup", JANUARY) == truth_totals(published)
    assert query("select status, error from load_history order by load_id") == [
        ("published", None),
        ("failed", str(raised.value)),
    ]
    assert query(
        "select count(*) from pg_class where relkind = 'r' and relnamespace = %s::regnamespace",
        database.staging_schema,
    ) == [(0,)]


def test_mended_delivery_is_loaded_the_next_time(database, cup, query, manifest):
    truth = cup.deliver()
    content = manifest().read_text()
    truncate(manifest())
    with pytest.raises(DeliveryError):
        load_month(database, cup.source, JANUARY)
    manifest().write_text(content)
    load_month(database, cup.source, JANUARY)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)


def test_file_that_arrives_late_is_worth_another_try(database, cup, query):
    truth = cup.deliver()
    late = next(cup.bucket.rglob("*-00002.snappy.parquet"))
    content = late.read_bytes()
    late.unlink()
    with pytest.raises(TransientError, match=r"^cup 2025-01: manifest .* lists "):
        load_month(database, cup.source, JANUARY)
    late.write_bytes(content)
    load_month(database, cup.source, JANUARY)
    assert query("select sum(cost) from costs") == [(truth.billed_cost,)]


def test_delivery_that_changes_while_it_is_read_is_not_published(database, cup, query):
    cup.deliver(version=1)

    class Redelivering(LocalStorage):
        """AWS delivers again as soon as the first file was found."""

        done = False

        def open(self, file):
            if not self.done:
                Redelivering.done = True
                cup.deliver(version=2)
            return super().open(file)

    with pytest.raises(DeliveryNotReady, match="cup 2025-01: a newer delivery came while"):
        load_month(database, cup.source, JANUARY, Redelivering())
    assert query("select status from load_history") == [("failed",)]
    assert query("select to_regclass('raw_cup')") == [(None,)]
    load_month(database, cup.source, JANUARY, Redelivering())
    assert query("select status from load_history order by load_id") == [("failed",), ("published",)]


def test_bucket_that_is_gone_fails_the_load_without_another_try(database, cup, query, s3):
    source = cup.source.model_copy(update={"uri": "s3://nowhere-at-all/cup/report/"})
    with pytest.raises(StorageDenied, match="cup: s3://nowhere-at-all/cup/report/: the bucket does not exist"):
        load_month(database, source, JANUARY, s3.storage())
    [(status, error)] = query("select status, error from load_history")
    assert status == "failed"
    assert "the bucket does not exist (connection 'aws_default', NoSuchBucket)" in error
    assert s3.secret not in error
