"""Where the files of each format lie, what their manifests say, and what the files are made of."""

import gzip
import hashlib
import json
import re
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cloud_costs.demo.sample_bill import Bill, csv_files, read_truth, write_export, write_month
from cloud_costs.demo.sample_bill import delivery as delivery_module
from cloud_costs.demo.sample_bill.__main__ import main

JANUARY, FEBRUARY = date(2025, 1, 1), date(2025, 2, 1)
FORMATS = ["aws_cur", "aws_cur2", "aws_focus"]
FILE_TYPES = ["parquet", "csv"]
EXECUTION = "[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"


def a_bill(**settings: Any) -> Bill:
    return Bill(report="Report", lines=200, **settings)


def keys_in(bucket: Path) -> list[str]:
    return sorted(str(path.relative_to(bucket)) for path in bucket.rglob("*") if path.is_file())


def hashes(bucket: Path) -> dict[str, str]:
    return {key: hashlib.sha256((bucket / key).read_bytes()).hexdigest() for key in keys_in(bucket)}


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# --- layouts


@pytest.mark.parametrize(
    ("compression", "suffix", "named"), [("gzip", "csv.gz", "GZIP"), ("zip", "csv.zip", "ZIP"), ("none", "csv", "NONE")]
)
def test_legacy_csv_in_overwrite_mode(tmp_path: Path, compression: Any, suffix: str, named: str) -> None:
    write_export(a_bill(file_type="csv", compression=compression), [JANUARY], tmp_path)
    folder = "cup/Report/20250101-20250201"
    files = [f"{folder}/Report-00001.{suffix}", f"{folder}/Report-00002.{suffix}"]
    assert keys_in(tmp_path) == ["aws-programmatic-access-test-object", *files[:2], f"{folder}/Report-Manifest.json"]
    manifest = read_json(tmp_path / folder / "Report-Manifest.json")
    assert manifest["reportKeys"] == files
    assert (manifest["compression"], manifest["contentType"]) == (named, "text/csv")
    columns = {(column["category"], column["name"]): column["type"] for column in manifest["columns"]}
    assert columns["identity", "LineItemId"] == "String"
    assert columns["identity", "TimeInterval"] == "Interval"
    assert columns["lineItem", "UsageStartDate"] == "DateTime"
    assert columns["lineItem", "UnblendedCost"] == "BigDecimal"
    assert columns["product", "vcpu"] == "OptionalString"
    assert columns["resourceTags", "user:Name"] == columns["resourceTags", "user:name"] == "OptionalString"


def test_legacy_csv_in_create_new_mode_keeps_the_older_assembly(tmp_path: Path) -> None:
    write_export(a_bill(file_type="csv", layout="create-new"), [JANUARY], tmp_path)
    folder = "cup/Report/20250101-20250201"
    assert keys_in(tmp_path)[1:] == [
        f"{folder}/20250203T120125Z/Report-00001.csv.gz",
        f"{folder}/20250203T120125Z/Report-00002.csv.gz",
        f"{folder}/20250203T120125Z/Report-Manifest.json",
        f"{folder}/20250204T120125Z/Report-00001.csv.gz",
        f"{folder}/20250204T120125Z/Report-Manifest.json",
        f"{folder}/Report-Manifest.json",
    ]
    assert read_json(tmp_path / folder / "Report-Manifest.json")["assemblyId"] == "20250204T120125Z"


@pytest.mark.parametrize("name", ["aws_cur2", "aws_focus"])
@pytest.mark.parametrize(("file_type", "suffix"), [("parquet", "snappy.parquet"), ("csv", "csv.gz")])
def test_data_exports_in_overwrite_mode(tmp_path: Path, name: Any, file_type: Any, suffix: str) -> None:
    (truth,) = write_export(a_bill(format=name, file_type=file_type), [JANUARY], tmp_path)
    data = "cup/Report/data/BILLING_PERIOD=2025-01"
    metadata = "cup/Report/metadata/BILLING_PERIOD=2025-01/Report-Manifest.json"
    files = [f"{data}/Report-00001.{suffix}", f"{data}/Report-00002.{suffix}"]
    assert keys_in(tmp_path) == ["aws-programmatic-access-test-object", *files, metadata]
    manifest = read_json(tmp_path / metadata)
    assert manifest["executionId"] == truth.assembly_id
    assert re.fullmatch(EXECUTION, truth.assembly_id)
    assert manifest["exportArn"].startswith("arn:aws:bcm-data-exports:us-east-1:011254002932:export/Report-")
    assert manifest["dataFiles"] == [f"s3://acme-billing/{key}" for key in files]


@pytest.mark.parametrize("name", ["aws_cur2", "aws_focus"])
def test_data_exports_in_create_new_mode_keep_the_older_execution(tmp_path: Path, name: Any) -> None:
    (truth,) = write_export(a_bill(format=name, layout="create-new"), [JANUARY], tmp_path)
    data, metadata = (tmp_path / f"cup/Report/{kind}/BILLING_PERIOD=2025-01" for kind in ("data", "metadata"))
    older, newer = sorted(path.name for path in data.iterdir())
    assert re.fullmatch(f"2025-02-03T12:01:25\\.337Z-{EXECUTION}", older)
    assert newer == f"2025-02-04T12:01:25.337Z-{truth.assembly_id}"
    assert sorted(path.name for path in metadata.iterdir()) == [older, newer, "Report-Manifest.json"]
    latest = read_json(metadata / "Report-Manifest.json")
    assert latest == read_json(metadata / newer / "Report-Manifest.json")
    assert (
        latest["executionId"]
        == truth.assembly_id
        != read_json(metadata / older / "Report-Manifest.json")["executionId"]
    )
    (uri,) = latest["dataFiles"]
    assert (tmp_path / uri.removeprefix("s3://acme-billing/")).parent == data / newer


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("uri", "s3://acme-billing/{key}"),
        ("key", "{key}"),
        ("object", {"bucket": "acme-billing", "key": "{key}"}),
    ],
)
def test_manifests_name_data_files_in_any_shape(tmp_path: Path, shape: Any, expected: Any) -> None:
    bill = Bill(report="Report", lines=100, files=1, format="aws_cur2", data_files=shape, prefix="")
    write_month(bill, JANUARY, tmp_path)
    manifest = read_json(tmp_path / "Report/metadata/BILLING_PERIOD=2025-01/Report-Manifest.json")
    key = "Report/data/BILLING_PERIOD=2025-01/Report-00001.snappy.parquet"
    assert manifest["dataFiles"] == [json.loads(json.dumps(expected).replace("{key}", key))]
    assert (tmp_path / key).exists()


@pytest.mark.parametrize("file_type", FILE_TYPES)
@pytest.mark.parametrize("name", FORMATS)
def test_files_have_the_columns_of_the_manifest(tmp_path: Path, name: Any, file_type: Any) -> None:
    bill = a_bill(format=name, file_type=file_type, compression="none")
    write_month(bill, JANUARY, tmp_path)
    (path,) = tmp_path.rglob("*-Manifest.json")
    listed = [
        f"{column['category']}/{column['name']}" if name == "aws_cur" and file_type == "csv" else column["name"]
        for column in read_json(path)["columns"]
    ]
    files = [path for path in tmp_path.rglob("Report-0*") if path.is_file()]
    assert len(files) == 2
    for file in files:
        if file_type == "parquet":
            assert pq.read_schema(file).names == listed
        else:
            assert file.read_text(encoding="utf-8").split("\n", 1)[0].split(",") == listed


def test_fewer_files_leave_stale_ones_behind(tmp_path: Path) -> None:
    bill = a_bill(format="aws_focus", file_type="csv")
    write_month(bill, JANUARY, tmp_path)
    write_month(bill, JANUARY, tmp_path, version=2)
    (path,) = tmp_path.rglob("*-Manifest.json")
    assert len(read_json(path)["dataFiles"]) == 1
    assert len(list(tmp_path.rglob("*.csv.gz"))) == 2


# --- files


@pytest.mark.parametrize(
    ("timestamps", "physical", "logical"),
    [
        ("ms", "INT64", "milliseconds"),
        ("us", "INT64", "microseconds"),
        ("ns", "INT64", "nanoseconds"),
        ("int96", "INT96", None),
    ],
)
@pytest.mark.parametrize("name", FORMATS)
def test_timestamps_of_every_physical_type(
    tmp_path: Path, name: Any, timestamps: Any, physical: str, logical: str | None
) -> None:
    write_month(a_bill(format=name, timestamps=timestamps), JANUARY, tmp_path)
    path = sorted(tmp_path.rglob("*.parquet"))[0]
    start = "ChargePeriodStart" if name == "aws_focus" else "line_item_usage_start_date"
    schema = pq.ParquetFile(path).schema
    column = schema.column(schema.names.index(start))
    assert column.physical_type == physical
    assert logical is None or json.loads(column.logical_type.to_json())["timeUnit"] == logical
    instants = pq.read_table(path)[start].cast("timestamp[ms]").to_pylist()
    assert min(instants) == datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    assert all(instant.minute == instant.second == 0 for instant in instants)


def test_a_zip_has_one_member(tmp_path: Path) -> None:
    write_month(a_bill(file_type="csv", compression="zip"), JANUARY, tmp_path)
    for path in tmp_path.rglob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            assert archive.namelist() == [path.name.removesuffix(".zip")]
            assert archive.read(archive.namelist()[0]).startswith(b"identity/LineItemId,identity/TimeInterval,")


@pytest.mark.parametrize("compression", ["gzip", "zip"])
def test_compression_changes_nothing_else(tmp_path: Path, compression: Any) -> None:
    contents = []
    for kind in ("none", compression):
        bucket = tmp_path / kind
        write_month(a_bill(file_type="csv", files=1, compression=kind), JANUARY, bucket)
        (path,) = bucket.rglob("Report-00001.csv*")
        if kind == "zip":
            contents.append(zipfile.ZipFile(path).read("Report-00001.csv"))
        else:
            contents.append(gzip.decompress(path.read_bytes()) if kind == "gzip" else path.read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("name", FORMATS)
def test_csv_numbers_have_no_exponent(tmp_path: Path, name: Any) -> None:
    write_month(a_bill(format=name, file_type="csv", compression="none", net=True), JANUARY, tmp_path)
    text = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.csv"))
    assert not re.search(r"(?<=[,:{])-?[0-9.]+E[-+][0-9]+(?=[,}\n])", text)
    assert "0.0000000001" in text
    assert "482.123456789012" in text
    assert ",2025-01-01T00:00:00Z," in text


def test_a_failing_delivery_leaves_the_manifest_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bill = a_bill(format="aws_cur2", file_type="csv", compression="zip")
    write_month(bill, JANUARY, tmp_path)
    before = hashes(tmp_path)

    def fail(*_: object) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(csv_files, "_texts", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        write_month(bill, JANUARY, tmp_path, version=2)
    assert hashes(tmp_path) == before


@pytest.mark.parametrize("file_type", FILE_TYPES)
@pytest.mark.parametrize("name", FORMATS)
def test_the_same_bill_is_the_same_bytes(tmp_path: Path, name: Any, file_type: Any) -> None:
    bill = a_bill(format=name, file_type=file_type, net=True)
    assert write_export(bill, [JANUARY], tmp_path / "a") == write_export(bill, [JANUARY], tmp_path / "b")
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


@pytest.mark.parametrize("name", FORMATS)
def test_batches_bound_the_rows_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: Any) -> None:
    """Rows that are batched by a hundred are the rows that are batched at once."""
    bill = a_bill(format=name, file_type="csv", compression="none")
    write_month(bill, JANUARY, tmp_path / "at once")
    monkeypatch.setattr(delivery_module, "BATCH_LINES", 100)
    write_month(bill, JANUARY, tmp_path / "batched")
    assert hashes(tmp_path / "at once") == hashes(tmp_path / "batched")


def test_the_command_writes_any_format(tmp_path: Path) -> None:
    options = ["--format", "aws_focus", "--file-type", "csv", "--compression", "none", "--net", "--lines", "100"]
    main([str(tmp_path), "--months", "2025-01", "2025-02", *options])
    assert [truth.billing_month for truth in read_truth(tmp_path / "truth.json")] == [JANUARY, FEBRUARY]
    assert len(list(tmp_path.rglob("BILLING_PERIOD=2025-02/*.csv"))) == 2
