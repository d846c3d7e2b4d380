"""`aws_cur`: which manifests and files a report folder holds, however AWS or a copy laid it out."""

import json
from datetime import date
from pathlib import Path

import pytest
from deliveries import write_month

from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import DeliveryError, DeliveryNotReady, StorageDenied, StorageUnavailable
from cloud_costs.formats import FORMATS
from cloud_costs.formats.aws.cur import find_manifests, read_delivery, read_version
from cloud_costs.months import MonthRange, next_month
from cloud_costs.storage.local import LocalStorage

JANUARY, FEBRUARY, DECEMBER = date(2025, 1, 1), date(2025, 2, 1), date(2025, 12, 1)
LOCAL = LocalStorage()
EVERY_MONTH = MonthRange()
UUID = "0a6b9e0c-6f7a-4c5b-9a4e-0c0b7a0d9f11"


class Report:
    """A report on a local bucket; `folder` is the report folder."""

    def __init__(self, bucket: Path, prefix: str = "cup", name: str = "R", listed_prefix: str | None = None) -> None:
        self.name = name
        self.folder = bucket / prefix / name
        self.key = f"{prefix if listed_prefix is None else listed_prefix}/{name}"

    @property
    def uri(self) -> str:
        return f"file://{self.folder}/"

    def range(self, month: date) -> str:
        return f"{month:%Y%m%d}-{next_month(month):%Y%m%d}"

    def data_folder(self, month: date) -> str:
        return f"{self.name}/year={month.year}/month={month.month}"

    def put(self, path: str, content: bytes | str = b"data") -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def manifest(self, month: date, keys: list[str], assembly_id: str = "20250103T120125Z", **changes: object) -> str:
        content = {
            "assemblyId": assembly_id,
            "bucket": "where-aws-wrote",
            "billingPeriod": {"start": f"{month:%Y%m%d}T000000.000Z", "end": f"{next_month(month):%Y%m%d}T000000.000Z"},
            "reportKeys": keys,
            **changes,
        }
        return json.dumps({key: value for key, value in content.items() if value is not None})

    def deliver(self, month: date, files: int = 1, manifest_in: str | None = None, **changes: object) -> list[str]:
        """Overwrite mode with the Athena integration; return the paths of the files below the report folder."""
        paths = [f"{self.data_folder(month)}/{self.name}-{n:05d}.snappy.parquet" for n in range(1, files + 1)]
        for path in paths:
            self.put(path)
        keys = [f"{self.key}/{path}" for path in paths]
        where = self.range(month) if manifest_in is None else manifest_in
        self.put(f"{where}/{self.name}-Manifest.json", self.manifest(month, keys, **changes))
        return paths

    def create_new(self, month: date, assembly_id: str, with_latest: bool = True) -> list[str]:
        path = f"{self.range(month)}/{assembly_id}/{self.name}-00001.snappy.parquet"
        self.put(path)
        text = self.manifest(month, [f"{self.key}/{path}"], assembly_id)
        self.put(f"{self.range(month)}/{assembly_id}/{self.name}-Manifest.json", text)
        if with_latest:
            self.put(f"{self.range(month)}/{self.name}-Manifest.json", text)
        return [path]

    def find(self, months: MonthRange = EVERY_MONTH, uri: str | None = None):
        return find_manifests("cup", uri or self.uri, LOCAL, months)

    def read(self, uri: str | None = None):
        """Return the version and the files of the only month."""
        [manifest] = self.find(uri=uri)
        delivery = read_delivery(manifest, LOCAL)
        assert read_version(manifest, LOCAL) == delivery.version
        return delivery.version, [file.uri.removeprefix(self.uri) for file in delivery.files]


@pytest.fixture
def report(bucket):
    return Report(bucket)


def test_format_is_registered():
    assert FORMATS["aws_cur"].find_manifests is find_manifests


@pytest.mark.parametrize("files", [1, 3])
@pytest.mark.parametrize("month", [JANUARY, DECEMBER], ids=["one-digit month", "two-digit month"])
def test_overwriting_report_gives_its_listed_files_in_order(report, month, files):
    paths = report.deliver(month, files)
    report.put(f"{report.data_folder(month)}/R-00009.snappy.parquet", b"left from a larger delivery")
    assert report.read() == ("20250103T120125Z", paths)


def test_months_come_oldest_first_and_within_the_range(report):
    for month in (DECEMBER, FEBRUARY, JANUARY):
        report.deliver(month)
    assert [found.billing_month for found in report.find()] == [JANUARY, FEBRUARY, DECEMBER]
    assert [found.billing_month for found in report.find(MonthRange(FEBRUARY, FEBRUARY))] == [FEBRUARY]
    assert report.find(MonthRange(date(2030, 1, 1))) == []


def test_creating_report_gives_the_newest_delivery_and_leaves_the_old_ones(report):
    report.create_new(JANUARY, "20250103T120125Z")
    paths = report.create_new(JANUARY, "20250104T090000Z")
    assert report.read() == ("20250104T090000Z", paths)


def test_manifests_only_in_delivery_folders_give_the_newest_by_its_timestamp(report):
    paths = report.create_new(JANUARY, "20250104T090000Z", with_latest=False)
    report.create_new(JANUARY, "20250103T120125Z", with_latest=False)
    assert report.read() == ("20250104T090000Z", paths)


def test_manifests_only_in_folders_with_uuids_give_the_newest_by_its_own_time(report):
    import os

    paths = report.create_new(JANUARY, UUID, with_latest=False)
    report.create_new(JANUARY, "f" + UUID[1:], with_latest=False)
    old = report.folder / report.range(JANUARY) / ("f" + UUID[1:]) / "R-Manifest.json"
    os.utime(old, (1_700_000_000, 1_700_000_000))
    assert report.read() == (UUID, paths)


def test_manifests_beside_the_data_are_found(report):
    paths = report.deliver(JANUARY, 2, manifest_in=report.data_folder(JANUARY))
    report.put(f"{report.range(JANUARY)}/R-RedshiftManifest.json")
    assert report.read() == ("20250103T120125Z", paths)
    assert report.read(report.uri + "R/") == ("20250103T120125Z", paths)
    assert report.find(MonthRange(FEBRUARY)) == []


def test_manifest_in_the_range_folder_comes_before_the_one_beside_the_data(report):
    report.deliver(JANUARY, manifest_in=report.data_folder(JANUARY), assembly_id="20250101T000000Z")
    report.deliver(JANUARY)
    assert report.read()[0] == "20250103T120125Z"


def test_one_month_is_found_where_all_months_find_it(report):
    report.deliver(JANUARY)
    report.deliver(FEBRUARY, manifest_in=report.data_folder(FEBRUARY))
    assert [found.billing_month for found in report.find()] == [JANUARY, FEBRUARY]
    assert [found.billing_month for found in report.find(MonthRange(FEBRUARY, FEBRUARY))] == [FEBRUARY]


@pytest.mark.parametrize("below", ["", "R/"], ids=["report folder", "Athena data folder"])
def test_uri_names_the_report_or_its_data(report, below):
    paths = report.deliver(JANUARY)
    report.put("R/cost_and_usage_data_status/cost_and_usage_data_status.parquet")
    assert report.read(report.uri + below) == ("20250103T120125Z", paths)


def test_prefix_of_the_same_name_as_the_report_is_not_taken_for_it(bucket):
    report = Report(bucket, prefix="R")
    paths = report.deliver(JANUARY, manifest_in=report.data_folder(JANUARY))
    assert report.read() == ("20250103T120125Z", paths)
    report.deliver(JANUARY)
    assert report.read(report.uri + "R/") == ("20250103T120125Z", paths)


def test_litter_is_left_alone(report):
    paths = report.deliver(JANUARY)
    for path in (
        *("crawler-cfn.yml", "R-create-table.sql", "aws-programmatic-access-test-object"),
        f"{report.range(JANUARY)}/R-RedshiftCommands.sql",
        f"{report.range(JANUARY)}/R-RedshiftManifest.json",
        f"{report.range(JANUARY)}/R-create-table.sql",
        f"{report.range(JANUARY)}/crawler-cfn.yml",
        f"{report.range(JANUARY)}/20250101T000000Z/R-00001.snappy.parquet",
        "cost_and_usage_data_status/cost_and_usage_data_status.parquet",
        "R/cost_and_usage_data_status/cost_and_usage_data_status.parquet",
    ):
        report.put(path)
    assert report.read() == ("20250103T120125Z", paths)


@pytest.mark.parametrize("folder", ["20250115-20250201", "20250101-20250301", "20250101-20250131", "00000101-00000201"])
def test_folder_that_is_no_whole_month_is_no_month(report, folder):
    report.deliver(JANUARY)
    report.put(f"{folder}/R-Manifest.json", "{}")
    report.put(f"{folder}/year=0000/month=1/R-Manifest.json", "{}")
    assert [found.billing_month for found in report.find()] == [JANUARY]


@pytest.mark.parametrize("name", ["a!b", "a-b", "a_b", "a.b", "a*b", "a'b", "a(b)", "!-_.*'()", "a b", "Jänner"])
def test_report_name_may_hold_what_aws_allows(bucket, name):
    report = Report(bucket, prefix="my bills", name=name)
    paths = report.deliver(JANUARY, 2)
    assert report.read() == ("20250103T120125Z", paths)
    assert report.read(f"{report.uri}{name}/") == ("20250103T120125Z", paths)


@pytest.mark.parametrize("listed_prefix", ["", "other/prefix", "prefix/", "20240101-20240201"])
def test_copied_bucket_is_read_by_its_manifest_wherever_the_keys_point(bucket, listed_prefix):
    report = Report(bucket, listed_prefix=listed_prefix)
    paths = report.deliver(JANUARY, 2)
    assert report.read() == ("20250103T120125Z", paths)


def test_copied_delivery_is_read_by_its_manifest_wherever_the_keys_point(bucket):
    report = Report(bucket, listed_prefix="elsewhere")
    paths = report.create_new(JANUARY, UUID, with_latest=False)
    assert report.read() == (UUID, paths)


def test_copied_data_folder_of_another_name_is_read_by_the_manifest_in_it(bucket):
    report = Report(bucket)
    report.deliver(JANUARY, manifest_in=report.data_folder(JANUARY))
    (report.folder / "R").rename(bucket / "copy")
    [manifest] = report.find(uri=f"file://{bucket}/copy/")
    [file] = read_delivery(manifest, LOCAL).files
    assert file.uri == f"file://{bucket}/copy/year=2025/month=1/R-00001.snappy.parquet"


def test_two_reports_in_one_folder_are_refused_by_name(report):
    report.deliver(JANUARY)
    report.put(f"{report.range(JANUARY)}/Other-Manifest.json", "{}")
    with pytest.raises(
        DeliveryError, match=r"cup 2025-01: .* several reports \(Other-Manifest.json, R-Manifest.json\)"
    ):
        report.find()


def test_no_manifest_at_all_says_where_it_looked_and_what_was_there(report):
    report.put("20250115-20250201/R-Manifest.json")
    report.put("readme.txt")
    with pytest.raises(DeliveryError) as raised:
        report.find()
    assert str(raised.value) == (
        f"cup: no manifest below {report.uri}; expected folders such as 20250101-20250201/ with a "
        "<report>-Manifest.json; found 20250115-20250201/, readme.txt"
    )


@pytest.mark.parametrize("uri", ["file:///nowhere/at all/", "file:///nowhere/nowhere/"])
def test_folder_that_is_not_there_is_told_as_empty(uri):
    with pytest.raises(DeliveryError, match=f"^cup: no manifest below {uri};.* found nothing$"):
        find_manifests("cup", uri, LOCAL, EVERY_MONTH)


def test_long_listing_is_told_by_its_beginning(report):
    for number in range(20):
        report.put(f"{number:02d}.txt")
    with pytest.raises(DeliveryError, match=r"found 00\.txt, 01\.txt, 02\.txt, 03\.txt, 04\.txt, …$"):
        report.find()


def test_month_whose_manifest_is_not_written_yet_is_passed_over(report):
    report.deliver(JANUARY)
    report.put(f"{report.range(FEBRUARY)}/20250201T010101Z/R-00001.snappy.parquet")
    assert [found.billing_month for found in report.find()] == [JANUARY]


def broken(report: Report, text: str | bytes) -> str:
    """Return what reading a manifest of this text says, without the part that names it."""
    report.put(f"{report.range(JANUARY)}/R-Manifest.json", text)
    [manifest] = report.find()
    said = []
    for read in (read_delivery, read_version):
        with pytest.raises(DeliveryError) as raised:
            read(manifest, LOCAL)
        said.append(str(raised.value))
    named = f"cup 2025-01: manifest {manifest.file.uri} "
    assert said[0] == said[1]
    assert said[0].startswith(named)
    return said[0].removeprefix(named)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is empty"),
        ("<html>", "is not JSON: Invalid JSON: expected value"),
        ('{"assemblyId": "2025', "is not JSON: Invalid JSON: EOF"),
        (b"\xff\xfe{\x00", "is not JSON: Invalid JSON"),
        ("[" * 10_000, "is not JSON: Invalid JSON"),
        ("[]", "is not a CUR manifest: Input should be an object"),
        ("{}", "is not a CUR manifest: assemblyId: this key is missing; bucket: this key is missing"),
    ],
)
def test_manifest_that_is_none_is_told(report, text, said):
    assert broken(report, text).startswith(said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"assemblyId": None}, "is not a CUR manifest: assemblyId: this key is missing"),
        ({"assemblyId": ""}, "is not a CUR manifest: assemblyId: String should have at least 1 character"),
        ({"assemblyId": 7}, "is not a CUR manifest: assemblyId: Input should be a valid string"),
        ({"bucket": None}, "is not a CUR manifest: bucket: this key is missing"),
        ({"reportKeys": None}, "is not a CUR manifest: reportKeys: this key is missing"),
        ({"reportKeys": "k"}, "is not a CUR manifest: reportKeys: Input should be a valid array"),
        ({"reportKeys": [1]}, "is not a CUR manifest: reportKeys[0]: Input should be a valid string"),
        ({"reportKeys": [""]}, "is not a CUR manifest: reportKeys[0]: String should have at least 1 character"),
        ({"billingPeriod": {}}, "is not a CUR manifest: billingPeriod.start: this key is missing"),
        ({"billingPeriod": {"start": "soon"}}, "is not a CUR manifest: billingPeriod.start: time data 'soon'"),
        ({"billingPeriod": {"start": "20250201T000000.000Z"}}, "is of the billing period 20250201T000000.000Z"),
        ({"billingPeriod": {"start": "20250115T000000.000Z"}}, "is of the billing period 20250115T000000.000Z"),
    ],
)
def test_manifest_with_a_wrong_key_is_told(report, changes, said):
    assert broken(report, report.manifest(JANUARY, ["k.parquet"], **changes)).startswith(said)


def test_manifest_with_a_byte_order_mark_and_unknown_keys_is_read(report):
    [path] = report.deliver(JANUARY)
    text = report.manifest(JANUARY, [f"{report.key}/{path}"], columns=[{"category": "bill"}], somethingNew={})
    report.put(f"{report.range(JANUARY)}/R-Manifest.json", b"\xef\xbb\xbf" + text.encode())
    assert report.read() == ("20250103T120125Z", [path])


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([], r"lists no files \(reportKeys is empty\)"),
        (["a/1.parquet", "a/2.parquet", "a/1.parquet"], "lists 'a/1.parquet' twice"),
        (["a/../../x.parquet"], "lists 'a/../../x.parquet', outside its folder"),
        (["../x.parquet"], "lists '../x.parquet', outside its folder"),
        (["cup/R/20250101-20250201/R-1.orc"], "lists 'cup/R/.*orc', which is no data file: their names end in "),
        (["cup/R/20250101-20250201/\x00.parquet"], "lists 'cup/R/.*parquet', which is no data file"),
    ],
)
def test_file_list_that_cannot_be_loaded_is_told(report, keys, said):
    report.deliver(JANUARY, reportKeys=keys)
    [manifest] = report.find()
    with pytest.raises(DeliveryError, match=f"^cup 2025-01: manifest {manifest.file.uri} {said}"):
        read_delivery(manifest, LOCAL)


def test_listed_file_that_is_missing_is_not_ready_and_tells_where_it_should_be(report):
    paths = report.deliver(JANUARY, 3)
    (report.folder / paths[1]).unlink()
    [manifest] = report.find()
    with pytest.raises(DeliveryNotReady) as raised:
        read_delivery(manifest, LOCAL)
    assert str(raised.value) == (
        f"cup 2025-01: manifest {manifest.file.uri} lists '{report.key}/{paths[1]}', "
        f"which is not at {report.uri}{paths[1]}"
    )


def test_key_that_no_file_can_have_is_refused(report):
    report.deliver(JANUARY, reportKeys=["cup/R/20250101-20250201/\x00/R-1.parquet"])
    [manifest] = report.find()
    with pytest.raises(StorageDenied, match=r"cup 2025-01: .*not a path"):
        read_delivery(manifest, LOCAL)


def test_manifest_that_vanishes_may_come_back(report):
    report.deliver(JANUARY)
    [manifest] = report.find()
    (report.folder / report.range(JANUARY) / "R-Manifest.json").unlink()
    with pytest.raises(StorageUnavailable, match=f"^cup 2025-01: {manifest.file.uri}: No such file or directory"):
        read_version(manifest, LOCAL)


@pytest.mark.parametrize("layout", ["overwrite", "create-new"])
def test_sample_bill_is_found_in_both_layouts(bucket, layout):
    bill = Bill(lines=20, files=2, layout=layout)
    write_month(bill, JANUARY, bucket, version=1)
    truth = write_month(bill, JANUARY, bucket, version=2)
    [manifest] = find_manifests("cup", f"file://{bucket}/{bill.prefix}/{bill.report}", LOCAL, EVERY_MONTH)
    delivery = read_delivery(manifest, LOCAL)
    assert (delivery.version, len(delivery.files)) == (truth.assembly_id, 1)
    assert delivery.size == sum(file.size for file in delivery.files) > 0
