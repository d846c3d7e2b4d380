"""Azure exports: the newest run of a month is found in every layout, and a manifest is read exactly or refused."""

import gzip
import json
import os
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from azure_tenant import azure_source
from pipeline import JANUARY

from cloud_costs.demo.sample_bill.azure import AzureBill, write_month
from cloud_costs.demo.sample_bill.azure.delivery import run_id
from cloud_costs.errors import DeliveryError, DeliveryNotReady
from cloud_costs.formats.azure.exports import month_of
from cloud_costs.months import MonthRange
from cloud_costs.storage.local import LocalStorage

BILL = AzureBill(format="azure_focus", lines=20, files=3)
PAIR = AzureBill(lines=20)
LOCAL = LocalStorage()
FEBRUARY = date(2025, 2, 1)
ALL = MonthRange()


def find(bill: AzureBill, bucket: Path, months: MonthRange = ALL, **options: Any) -> list[Any]:
    source = azure_source(bill, bucket, **options)
    return source.form.find_manifests("azure", source.uri, LOCAL, months)


def read(bill: AzureBill, bucket: Path) -> Any:
    [manifest] = find(bill, bucket)
    return azure_source(bill, bucket).form.read_delivery(manifest, LOCAL)


def manifest_path(bucket: Path) -> Path:
    [path] = bucket.rglob("manifest.json")
    return path


def change(bucket: Path, **values: Any) -> Path:
    """Change some values of the one manifest; a callable makes the new value of the old one."""
    path = manifest_path(bucket)
    content = json.loads(path.read_text())
    for key, value in values.items():
        content[key] = value(content[key]) if callable(value) else value
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("name", "month"),
    [
        ("20250101-20250131", JANUARY),
        ("20240201-20240229", date(2024, 2, 1)),
        ("20250201-20250301", None),
        ("20250101-20250201", None),
        ("20250101-20250331", None),
        ("20250102-20250131", None),
        ("20251301-20251331", None),
        ("january", None),
    ],
)
def test_range_of_a_month_ends_with_its_last_day(name, month):
    assert month_of(name) == month


@pytest.mark.parametrize("layout", ["overwrite", "create-new"])
def test_newest_run_of_each_month_is_found(bucket, layout):
    bill = replace(BILL, layout=layout)
    write_month(bill, JANUARY, bucket)
    write_month(bill, JANUARY, bucket, version=2)
    write_month(bill, FEBRUARY, bucket)
    found = find(bill, bucket)
    form = azure_source(bill, bucket).form
    assert [one.billing_month for one in found] == [JANUARY, FEBRUARY]
    assert [form.read_version(one, LOCAL) for one in found] == [
        run_id(bill.root, JANUARY, 2),
        run_id(bill.root, FEBRUARY, 1),
    ]
    assert [one.billing_month for one in find(bill, bucket, MonthRange(FEBRUARY, None))] == [FEBRUARY]
    assert find(bill, bucket, MonthRange(date(2025, 3, 1), None)) == []


def test_newest_time_counts_however_old_the_copies_are(bucket):
    bill = replace(BILL, layout="create-new")
    for version in (1, 2):
        write_month(bill, JANUARY, bucket, version=version)
    for age, path in enumerate(sorted(bucket.rglob("manifest.json"))):
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    assert azure_source(bill, bucket).form.read_version(find(bill, bucket)[0], LOCAL) == run_id(bill.root, JANUARY, 2)


def test_run_without_its_manifest_is_not_there_yet(bucket):
    bill = replace(BILL, layout="create-new")
    for version in (1, 2):
        write_month(bill, JANUARY, bucket, version=version)
    sorted(bucket.rglob("manifest.json"))[-1].unlink()
    assert azure_source(bill, bucket).form.read_version(find(bill, bucket)[0], LOCAL) == run_id(bill.root, JANUARY, 1)


def test_manifest_of_no_bytes_says_nothing(bucket):
    write_month(BILL, JANUARY, bucket)
    folder = manifest_path(bucket).parent.with_name("later")
    folder.mkdir()
    (folder / "manifest.json").touch()
    assert read(BILL, bucket).version == run_id(BILL.root, JANUARY, 1)


def test_delivery_promises_the_lines_of_each_file(bucket):
    truth = write_month(BILL, JANUARY, bucket)
    delivery = read(BILL, bucket)
    assert [file.name for file in delivery.files] == [f"part_{number}_0001.csv.gz" for number in range(3)]
    assert set(delivery.file_rows) == {file.uri for file in delivery.files}
    assert sum(delivery.file_rows.values()) == delivery.rows == truth.raw_lines


def test_file_without_a_manifest_stands_for_itself(bucket):
    bill = replace(BILL, layout="single", compression="none")
    write_month(bill, JANUARY, bucket)
    write_month(bill, JANUARY, bucket, version=2)
    delivery = read(bill, bucket)
    assert [file.name for file in delivery.files] == [f"acme-costs_{run_id(bill.root, JANUARY, 2)}.csv"]
    assert delivery.version == f"no-manifest-{delivery.files[0].etag}"
    assert (delivery.file_rows, delivery.rows) == ({}, None)


def test_copied_container_is_read_beside_its_manifest(bucket):
    write_month(BILL, JANUARY, bucket)
    shutil.move(bucket / "exports", bucket / "copies" / "of" / "exports")
    moved = replace(BILL, directory="copies/of/exports")
    assert [Path(file.uri).parent.parent.parent.parent.name for file in read(moved, bucket).files] == ["exports"] * 3


def test_files_are_found_by_their_key_in_the_container(tmp_path):
    """A copy may bring the manifest alone to another folder."""
    write_month(BILL, JANUARY, tmp_path)
    path = manifest_path(tmp_path)
    # The root of the file system stands for the container.
    change(tmp_path, blobs=lambda blobs: [one | {"blobName": f"{tmp_path}/{one['blobName']}"[1:]} for one in blobs])
    elsewhere = tmp_path / "else" / BILL.root / "20250101-20250131" / path.parent.name
    elsewhere.mkdir(parents=True)
    shutil.move(path, elsewhere)
    delivery = read(replace(BILL, directory="else/exports"), tmp_path)
    assert [file.uri for file in delivery.files] == [f"file://{path.parent}/part_{n}_0001.csv.gz" for n in range(3)]


@pytest.mark.parametrize("count", [0, None])
@pytest.mark.parametrize("blobs", [[], None])
def test_month_without_files_is_empty(bucket, count, blobs):
    write_month(BILL, JANUARY, bucket)
    change(bucket, blobCount=count, blobs=blobs, byteCount=count, dataRowCount=count)
    delivery = read(BILL, bucket)
    assert (delivery.files, delivery.rows) == ((), count)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"blobs": lambda blobs: blobs[:2]}, "says blobCount 3, and lists 2 files"),
        ({"blobs": lambda blobs: [blobs[0], *blobs]}, "twice"),
        ({"blobs": lambda blobs: [*blobs, {"blobName": "other/part_0_0001.csv.gz"}]}, "lists 2 files of the name"),
        ({"blobs": lambda blobs: [*blobs, {"blobName": "a/../b.csv"}]}, "outside its folder"),
        ({"blobs": lambda blobs: [*blobs, {"blobName": "a/b.exe"}]}, "is no data file: their names end in .parquet"),
        ({"blobs": lambda blobs: [*blobs, {"blobName": ""}]}, "blobName"),
        ({"blobs": "part_0_0001.csv.gz"}, "blobs"),
        ({"byteCount": 1}, "says byteCount 1, and"),
        ({"dataRowCount": 7}, "says dataRowCount 7, and"),
        ({"dataRowCount": -1}, "dataRowCount"),
        ({"dataRowCount": "12"}, "dataRowCount"),
        ({"runInfo": 3}, "runInfo"),
    ],
)
def test_manifest_that_cannot_be_true_is_refused(bucket, values, words):
    write_month(BILL, JANUARY, bucket)
    path = change(bucket, **values)
    with pytest.raises(DeliveryError, match=f"azure 2025-01: manifest file://{path} .*{words}"):
        read(BILL, bucket)


def test_file_of_another_size_names_both_numbers(bucket):
    write_month(BILL, JANUARY, bucket)
    path = manifest_path(bucket).with_name("part_1_0001.csv.gz")
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(
        DeliveryError, match=rf"part_1_0001.csv.gz' has {size} bytes, and file://{path} has {size + 4}; copy the file"
    ):
        read(BILL, bucket)


def test_size_of_a_gzip_file_may_be_that_of_its_content(bucket):
    write_month(BILL, JANUARY, bucket)
    folder = manifest_path(bucket).parent

    def unpacked(blobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        sizes = [len(gzip.decompress((folder / blob["blobName"].rsplit("/", 1)[-1]).read_bytes())) for blob in blobs]
        return [{**blob, "byteCount": size} for blob, size in zip(blobs, sizes, strict=True)]

    change(bucket, blobs=unpacked, byteCount=None)
    assert len(read(BILL, bucket).files) == 3
    change(bucket, blobs=lambda blobs: [{**blob, "byteCount": blob["byteCount"] + 1} for blob in blobs])
    with pytest.raises(DeliveryError, match="copy the file again"):
        read(BILL, bucket)


def test_missing_file_names_both_places(bucket):
    write_month(BILL, JANUARY, bucket)
    path = manifest_path(bucket).with_name("part_1_0001.csv.gz")
    path.unlink()
    with pytest.raises(DeliveryNotReady, match=rf"neither at file://{path} nor at file:///exports/acme-costs/"):
        read(BILL, bucket)


def test_run_without_an_id_is_known_by_its_folder(bucket):
    write_month(BILL, JANUARY, bucket)
    change(bucket, runInfo={"runId": None})
    assert read(BILL, bucket).version == run_id(BILL.root, JANUARY, 1)


def test_nothing_there_says_what_was_expected(bucket):
    (bucket / "exports" / "acme-costs" / "20250101-20250331").mkdir(parents=True)
    with pytest.raises(DeliveryError, match=r"azure: no export of a month below .* found 20250101-20250331/"):
        find(BILL, bucket)


def test_pair_pins_both_runs(bucket):
    write_month(PAIR, JANUARY, bucket)
    [manifest] = find(PAIR, bucket)
    delivery = azure_source(PAIR, bucket).form.read_delivery(manifest, LOCAL)
    runs = [run_id(root, JANUARY, 1) for root in (PAIR.root, PAIR.amortized_root)]
    assert delivery.version == "+".join(runs) == azure_source(PAIR, bucket).form.read_version(manifest, LOCAL)
    assert [file.uri.split("/")[-2] for file in delivery.files] == [runs[0]] * 2 + [runs[1]] * 2
    assert {delivery.renamed[file.uri]["cost"] for file in delivery.files[:2]} == {"ActualCost"}
    assert {delivery.renamed[file.uri]["cost"] for file in delivery.files[2:]} == {"AmortizedCost"}


@pytest.mark.parametrize("root", [PAIR.root, PAIR.amortized_root])
def test_pair_changes_when_either_run_does(bucket, root):
    write_month(PAIR, JANUARY, bucket)
    [before] = find(PAIR, bucket)
    [path] = (bucket / root).rglob("manifest.json")
    os.utime(path, (0, 0))
    [after] = find(PAIR, bucket)
    assert before.file.uri == after.file.uri
    assert before.file.etag != after.file.etag


@pytest.mark.parametrize("missing", [PAIR.root, PAIR.amortized_root])
def test_month_of_one_export_alone_is_not_ready(bucket, missing):
    write_month(PAIR, JANUARY, bucket)
    write_month(PAIR, FEBRUARY, bucket)
    shutil.rmtree(bucket / missing / "20250101-20250131")
    january, february = find(PAIR, bucket)
    form = azure_source(PAIR, bucket).form
    for read_month in (form.read_version, form.read_delivery):
        with pytest.raises(DeliveryNotReady, match=r"2025-01: only one of the two exports has this month.*first_month"):
            read_month(january, LOCAL)
    assert form.read_delivery(february, LOCAL).rows
