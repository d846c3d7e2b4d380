"""`export`: whole months, the same bytes for the same rows, and never a part of one for a reader."""

import errno
import hashlib
import json
import threading
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from pipeline import JANUARY, cost_totals, load_month, truth_totals, wait_for_locks

from cloud_costs.config.exports import Export
from cloud_costs.config.sources import Source
from cloud_costs.errors import ConfigError, ExportFailed, LoadBusy, PublishBlocked, StorageUnavailable
from cloud_costs.exporting import checking, files, months
from cloud_costs.exporting.months import export_month, export_source, published_months
from cloud_costs.months import MonthRange
from cloud_costs.publishing.audit import audit
from cloud_costs.publishing.load import load_raw
from cloud_costs.publishing.normalize import normalize
from cloud_costs.publishing.publish import publish
from cloud_costs.publishing.retention import drop_old_raw
from cloud_costs.storage.local import LocalStorage

FEBRUARY = date(2025, 2, 1)
HEADER = "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,ListUnitPrice"
LINE = "{},7,EUR,2025-01-01T00:00:00Z,Usage,2025-01-01T00:00:00Z,{}"


def to(folder: Path, **settings) -> Export:
    return Export(to=f"file://{folder}/", **settings)


def export_january(database, export, source="cup", **options):
    return export_month(database, LocalStorage(), source, JANUARY, export, **options)


def month_folder(folder: Path, source="cup", relation="focus_costs_v1_2") -> Path:
    return folder / relation / f"source={source}" / "billing_period=2025-01"


def content(folder: Path) -> dict[str, str]:
    """Return the digest of every file below a folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def billed(folder: Path) -> Decimal:
    """Return the billed cost that a reader finds who goes by the manifest, as docs/export.md says."""
    with duckdb.connect() as connection:
        pattern = str(folder / "focus_costs_v1_2/source=*/billing_period=*/_manifest.json")
        connection.execute(
            """
            set variable files = (
                select list(replace(filename, '_manifest.json', '') || 'version=' || version || '/' || file.name)
                from (select filename, version, unnest(files) as file from read_json($pattern, filename = true))
            )
            """,
            {"pattern": pattern},
        )
        [(cost,)] = connection.execute("select sum(BilledCost) from read_parquet(getvariable('files'))").fetchall()
    return cost


@pytest.fixture
def lake(tmp_path):
    folder = tmp_path / "lake"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("settings", [{}, {"format": "csv"}, {"relation": "costs"}], ids=str)
def test_same_month_gives_the_same_bytes(database, cup, tmp_path, settings):
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    for name in ("one", "two"):
        assert export_january(database, to(tmp_path / name, **settings)).did == "exported"
    assert content(tmp_path / "one") == content(tmp_path / "two") != {}


def test_month_that_did_not_change_is_neither_read_nor_written(database, cup, lake, monkeypatch):
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    first = export_january(database, to(lake))
    before = {path: path.stat().st_mtime_ns for path in lake.rglob("*")}
    with monkeypatch.context() as patched:
        patched.setattr(months, "write_files", None)
        again = export_january(database, to(lake))
    assert (again.did, again.manifest) == ("unchanged", first.manifest)
    assert {path: path.stat().st_mtime_ns for path in lake.rglob("*")} == before
    # Reading all rows finds the same version.
    assert export_january(database, to(lake), force=True).manifest == first.manifest
    assert len(list(lake.rglob("version=*"))) == 1


def test_file_that_is_missing_is_written_again(database, cup, lake):
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    export_january(database, to(lake))
    before = content(lake)
    next(lake.rglob("*.parquet")).unlink()
    assert export_january(database, to(lake)).did == "exported"
    assert content(lake) == before


def test_month_loaded_again_is_the_same_version(database, cup, lake):
    """The load is another one, and its lines may lie in another order."""
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    first = export_january(database, to(lake))
    load_month(database, cup.source, JANUARY)
    again = export_january(database, to(lake))
    assert again.manifest.delivery.load_id > first.manifest.delivery.load_id
    assert (again.did, again.manifest.version) == ("exported", first.manifest.version)
    assert again.manifest.files == first.manifest.files


@pytest.mark.parametrize("keep", [False, True])
def test_restated_month_replaces_the_old_one(database, cup, lake, keep):
    export = to(lake, keep_old_versions=keep)
    truths = []
    for version in (1, 2):
        truths.append(cup.deliver(version=version))
        load_month(database, cup.source, JANUARY)
        assert export_january(database, export).did == "exported"
        assert billed(lake) == truths[-1].billed_cost
    assert truths[0].billed_cost != truths[1].billed_cost
    versions = sorted(month_folder(lake).glob("version=*"))
    assert len(versions) == (2 if keep else 1)
    # Each version that is kept has a manifest of its own.
    sums = {json.loads((path / "_manifest.json").read_text())["sums"]["USD"]["BilledCost"] for path in versions}
    assert sums == {f"{truth.billed_cost:f}" for truth in (truths if keep else truths[1:])}


def test_month_without_raw_lines_stays_as_it_was_exported(database, cup, lake):
    truth = cup.deliver()
    cup.deliver(FEBRUARY)
    for month in (JANUARY, FEBRUARY):
        load_month(database, cup.source, month)
    first = export_january(database, to(lake))
    drop_old_raw(database, [cup.source.model_copy(update={"raw_months": 1})])
    outcome = export_january(database, to(lake))
    assert (outcome.did, outcome.manifest) == ("gone", first.manifest)
    assert str(outcome).endswith(f"its rows are no longer in the database; version {first.manifest.version} stays")
    assert billed(lake) == truth.billed_cost
    # Of a month that was never exported, nothing is.
    outcome = export_january(database, to(lake, version="1.0"))
    assert (outcome.did, outcome.manifest) == ("gone", None)
    # Its daily totals are still there.
    assert export_january(database, to(lake, relation="costs")).did == "exported"


def test_raw_lines_wait_for_their_export(database, cup, query, lake):
    source = cup.source.model_copy(update={"raw_months": 1, "export": to(lake)})
    truths = {month: cup.deliver(month) for month in (JANUARY, FEBRUARY)}
    for month in truths:
        load_month(database, cup.source, month)
    assert [outcome.did for outcome in export_source(database, LocalStorage(), source)] == ["exported"] * 2
    assert query("select distinct billing_period from raw_cup") == [(FEBRUARY,)]
    assert billed(lake) == sum(truth.billed_cost for truth in truths.values())
    assert [outcome.did for outcome in export_source(database, LocalStorage(), source)] == ["gone", "unchanged"]


def test_month_that_was_removed_stays_in_the_lake(database, cup, query, lake):
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    export_january(database, to(lake))
    before = content(lake)
    query("delete from load_history where source = 'cup'")
    assert export_january(database, to(lake)).did == "gone"
    assert content(lake) == before
    with pytest.raises(ConfigError, match="sources: 'cup' has no published month; nothing is published yet"):
        published_months(database, ["cup"], MonthRange())


def vendor(bucket: Path, *lines: str) -> Source:
    folder = bucket / "2025-01"
    folder.mkdir(exist_ok=True)
    (folder / "a.csv").write_text("\n".join([HEADER, *lines, ""]))
    return Source(name="vendor", format="focus", uri=f"file://{bucket}/")


@pytest.mark.parametrize("file_type", ["parquet", "csv"])
def test_month_without_rows_is_a_file_that_tells_the_columns(database, bucket, lake, file_type):
    load_month(database, vendor(bucket), JANUARY)
    outcome = export_january(database, to(lake, format=file_type), "vendor")
    assert (outcome.manifest.rows, outcome.manifest.sums, len(outcome.manifest.files)) == (0, {}, 1)
    with duckdb.connect() as connection:
        reader = "read_parquet" if file_type == "parquet" else "read_csv"
        path = next(path for path in lake.rglob("part-*"))
        answer = connection.execute(f"select BilledCost from {reader}('{path}')")
        assert answer.fetchall() == []
    back = Source(name="back", format="focus", uri=f"file://{month_folder(lake, 'vendor').parent}/")
    load_month(database, back, JANUARY)


@pytest.mark.parametrize(
    ("price", "kind"),
    [
        ("0.000000000000000001", "decimal(38, 18)"),
        ("12345678901234567890.123456789012345678", "decimal(38, 18)"),
        ("0.5000000000000000000000000", "decimal(38, 18)"),
        ("0", "decimal(38, 18)"),
        ("0.0000000000000000001", "string"),
        ("123456789012345678901", "string"),
        ("-1234567890123456789012345678901234567890.123", "string"),
    ],
)
def test_number_with_too_many_digits_is_text_with_all_of_them(database, query, bucket, lake, price, kind):
    load_month(database, vendor(bucket, LINE.format("1.5", "2"), LINE.format("1.25", price)), JANUARY)
    outcome = export_january(database, to(lake), "vendor")
    types = {column.name: column.type for column in outcome.manifest.columns}
    assert (types["ListUnitPrice"], types["BilledCost"]) == (kind, "decimal(38, 18)")
    table = pq.read_table(next(lake.rglob("*.parquet")))
    stored = [value for (value,) in query("select listunitprice from vendor_focus order by billedcost")]
    assert stored == [Decimal(price), Decimal(2)]
    assert list(map(Decimal, table["ListUnitPrice"].to_pylist())) == sorted(stored, key=lambda one: one != stored[0])
    assert sum(table["BilledCost"].to_pylist()) == Decimal("2.75")


def test_texts_and_nulls_arrive_as_they_are(database, query, bucket, lake):
    odd = ["a,b", 'quote " here', "line\nbreak", "\\N", "ü€😀", " padded ", "NULL"]
    lines = [LINE.format(number, 1) + f',"{text.replace(chr(34), chr(34) * 2)}"' for number, text in enumerate(odd)]
    source = vendor(bucket)
    (bucket / "2025-01" / "a.csv").write_text(
        "\n".join([f"{HEADER},ChargeDescription", *lines, LINE.format(9, 1) + ",", ""])
    )
    load_month(database, source, JANUARY)
    export_january(database, to(lake), "vendor")
    rows = pq.read_table(next(lake.rglob("*.parquet"))).to_pylist()
    found = {int(row["BilledCost"]): row["ChargeDescription"] for row in rows}
    assert found == {**dict(enumerate(odd)), 9: None}


def test_files_end_after_some_rows_and_hold_all(database, cup, lake, monkeypatch):
    monkeypatch.setattr("cloud_costs.exporting.files.FILE_ROWS", 100)
    monkeypatch.setattr("cloud_costs.exporting.files.GROUP_ROWS", 70)
    monkeypatch.setattr("cloud_costs.exporting.files.BATCH_BYTES", 20_000)
    truth = cup.deliver()
    load_month(database, cup.source, JANUARY)
    outcome = export_january(database, to(lake))
    assert len(outcome.manifest.files) > 2
    assert sum(file.rows for file in outcome.manifest.files) == outcome.manifest.rows
    assert billed(lake) == truth.billed_cost


@pytest.mark.parametrize(("settings", "batch"), [({}, 2), ({}, 1000), ({"format": "csv"}, 1)])
def test_full_disk_ends_the_export_and_leaves_nothing(database, cup, query, lake, monkeypatch, settings, batch):
    """Files are written in a thread, beside the one that reads from PostgreSQL. Batch 1000 is the end of a file."""
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    monkeypatch.setattr("cloud_costs.exporting.files.BATCH_BYTES", 20_000)
    opened = files._Csv if settings else files._Parquet
    batches = []

    def write(writer, text, whole=opened.write):
        batches.append(text)
        if len(batches) == batch:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(writer, text)

    def close(writer, whole=opened.close):
        whole(writer)
        if batch == 1000:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(opened, "write", write)
    monkeypatch.setattr(opened, "close", close)
    threads = threading.active_count()
    with pytest.raises(OSError, match="No space left on device"):
        export_january(database, to(lake, **settings))
    assert content(lake) == {}
    assert threading.active_count() == threads
    monkeypatch.undo()
    wait_for_locks(query)
    assert export_january(database, to(lake, **settings)).did == "exported"


def test_publish_waits_for_an_export_that_reads_the_month(database, cup, query, lake, monkeypatch):
    """The swap of a partition is no change of rows: without a lock, the export would read none, or some of the new."""
    truths = [cup.deliver()]
    load_month(database, cup.source, JANUARY)
    truths.append(cup.deliver(version=2))
    load = normalize(database, cup.source, load_raw(database, LocalStorage(), cup.source, JANUARY))
    audit(database, cup.source, load)
    write_files = months.write_files

    def interrupted(*arguments):
        with pytest.raises(PublishBlocked):
            publish(database, cup.source, load, patience=0)
        return write_files(*arguments)

    monkeypatch.setattr(months, "write_files", interrupted)
    export_january(database, to(lake))
    assert billed(lake) == truths[0].billed_cost
    monkeypatch.undo()
    publish(database, cup.source, load)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truths[1])
    export_january(database, to(lake))
    assert billed(lake) == truths[1].billed_cost


def test_two_exports_of_a_month_do_not_meet(database, cup, lake):
    """One could delete the files that the other writes."""
    cup.deliver()
    load_month(database, cup.source, JANUARY)

    class Slow(LocalStorage):
        def replace(self, uri, content, old):
            with pytest.raises(LoadBusy, match=f"cup 2025-01: another export of this month to file://{lake}/focus_cos"):
                export_january(database, to(lake))
            assert export_january(database, to(lake, version="1.0")).did == "exported"
            super().replace(uri, content, old)

    assert export_month(database, Slow(), "cup", JANUARY, to(lake)).did == "exported"
    assert export_january(database, to(lake)).did == "unchanged"


def test_manifest_that_comes_meanwhile_wins(database, cup, lake):
    """It may be newer: no lock holds between databases, or when its connection is lost."""
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    export_january(database, to(lake))
    truth = cup.deliver(version=2)
    load_month(database, cup.source, JANUARY)

    class Slow(LocalStorage):
        def replace(self, uri, content, old):
            draft = lake / "draft"
            draft.write_bytes(content)
            self.write(uri, draft)
            super().replace(uri, content, old)

    with pytest.raises(StorageUnavailable, match=r"cup 2025-01: .*_manifest\.json: somebody else wrote it meanwhile"):
        export_month(database, Slow(), "cup", JANUARY, to(lake))
    assert billed(lake) == truth.billed_cost
    assert export_january(database, to(lake)).did == "unchanged"


def test_files_that_do_not_hold_what_is_published_get_no_manifest(database, cup, lake, monkeypatch):
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    read = checking._read

    def wrong(*arguments):
        found = read(*arguments)
        [(currency, (count, sums))] = found.items()
        return {currency: (count, [sums[0] + Decimal("1e-18"), *sums[1:]])}

    monkeypatch.setattr(checking, "_read", wrong)
    with pytest.raises(ExportFailed, match=r"cup 2025-01: BilledCost in USD is \S+ in the files, and \S+ is published"):
        export_january(database, to(lake))
    monkeypatch.setattr(checking, "_read", lambda *arguments: {})
    with pytest.raises(ExportFailed, match=r"cup 2025-01: the files have 0 rows in USD, and \d+ are published"):
        export_january(database, to(lake))
    assert content(lake) == {}


def test_manifest_of_somebody_else_is_left_alone(database, cup, lake):
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    folder = month_folder(lake)
    folder.mkdir(parents=True)
    (folder / "_manifest.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"is not the manifest of an export: .*; choose another folder"):
        export_january(database, to(lake))
    assert content(folder) == {"_manifest.json": hashlib.sha256(b"{}").hexdigest()}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"to": "somewhere"}, "'somewhere' is not a storage address"),
        ({"to": "s3://lake", "version": 1.5}, "'1.5' is not allowed; allowed: 1.0, 1.1, 1.2, 1.3, 1.4"),
        ({"to": "s3://lake", "relation": "costs", "version": "1.2"}, "only for focus_costs"),
        ({"to": "s3://lake", "format": "orc"}, "'parquet' or 'csv'"),
        ({"to": "s3://bucket/cup/"}, "hold one another; export to a folder of its own"),
    ],
)
def test_wrong_setting_is_told(content, message):
    with pytest.raises(ValueError, match=message):
        Source(name="cup", format="aws_cur", uri="s3://bucket/cup/report/", export=content)


def test_reader_may_export(database, postgres, cup, lake):
    from roles import reading

    truth = cup.deliver()
    load_month(database, cup.source, JANUARY)
    for export in (to(lake), to(lake, relation="costs")):
        assert export_january(reading(postgres, database), export).did == "exported"
    assert billed(lake) == truth.billed_cost
