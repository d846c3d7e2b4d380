"""Object storage over the S3 protocol and on local folders: listing, reading, and what goes wrong."""

import http.client
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime

import boto3
import pytest
from deliveries import write_month
from pipeline import JANUARY, cost_totals, load_month, truth_totals
from side_by_side import free_port

from cloud_costs import environment
from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import DeliveryError, DeliveryNotReady, StorageDenied, StorageUnavailable
from cloud_costs.formats.aws.cur import find_manifests, read_delivery
from cloud_costs.loading.parquet_files import read_shape
from cloud_costs.months import MonthRange, next_month
from cloud_costs.storage.files import StoredFile
from cloud_costs.storage.local import LocalStorage
from cloud_costs.storage.s3 import S3Storage

SMALL = Bill(lines=60, files=2)
SECRET = "wrong-secret-that-no-log-may-show"
# Prefixes as AWS writes them: a usual one, none (keys begin with "/"), one that ends in "/" (keys hold "//").
PREFIXES = {"usual": "cup/", "none": "/", "ends in a slash": "cup//"}


def s3_storage(endpoint_url, *keys, conn_id="billing_aws"):
    return S3Storage(boto3.Session(*keys, region_name="us-east-1").client("s3", endpoint_url=endpoint_url), conn_id)


def upload_report(s3, bucket, folder, prefix, month=JANUARY, bill=SMALL):
    """Write a delivery as AWS would with this prefix, keys in the manifest included; return its truth."""
    truth = write_month(bill, month, folder)
    [manifest] = (folder / bill.prefix / bill.report).glob(f"{month:%Y%m%d}-*/*-Manifest.json")
    content = json.loads(manifest.read_text())
    content["bucket"] = bucket
    content["reportKeys"] = [prefix + key.removeprefix(f"{bill.prefix}/") for key in content["reportKeys"]]
    manifest.write_text(json.dumps(content))
    s3.upload(folder / bill.prefix, bucket, prefix)
    return truth


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES.keys())
def test_report_is_loaded_from_the_keys_that_aws_writes(s3, tmp_path, database, query, prefix):
    bucket = s3.new_bucket()
    truth = upload_report(s3, bucket, tmp_path, prefix)
    source = Source(name="cup", format="aws_cur", uri=f"s3://{bucket}/{prefix}{SMALL.report}/")
    load_month(database, source, JANUARY, s3.storage())
    assert query("select sum(cost) from costs") == [(truth.billed_cost,)]
    assert query("select rows, files from load_history") == [(truth.raw_lines, 2)]


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES.keys())
@pytest.mark.parametrize("below", ["", f"{SMALL.report}/"], ids=["report folder", "data folder"])
def test_uri_without_the_odd_slash_finds_the_report_all_the_same(s3, tmp_path, prefix, below):
    bucket = s3.new_bucket()
    upload_report(s3, bucket, tmp_path, prefix)
    plain = prefix.strip("/") + "/" if prefix.strip("/") else ""
    uri = f"s3://{bucket}/{plain}{SMALL.report}/{below}"
    [manifest] = find_manifests("cup", uri, s3.storage(), MonthRange())
    assert manifest.file.uri.startswith(f"s3://{bucket}/{prefix}{SMALL.report}/20250101-20250201/")
    assert len(read_delivery(manifest, s3.storage()).files) == 2


def test_slash_too_many_in_the_uri_finds_the_report_all_the_same(s3, tmp_path):
    bucket = s3.new_bucket()
    upload_report(s3, bucket, tmp_path, "cup/")
    assert find_manifests("cup", f"s3://{bucket}//cup/{SMALL.report}/", s3.storage(), MonthRange())


@pytest.mark.parametrize("dotted", ["", "with.dots."], ids=["plain bucket", "bucket with dots"])
def test_report_name_with_special_characters_is_loaded(s3, tmp_path, database, query, dotted):
    bucket = dotted + s3.new_bucket()
    s3.client().create_bucket(Bucket=bucket)
    bill = Bill(lines=40, files=1, report="!-_.*'() r")
    truth = upload_report(s3, bucket, tmp_path, "my bills/Jänner/", bill=bill)
    source = Source(name="cup", format="aws_cur", uri=f"s3://{bucket}/my bills/Jänner/{bill.report}/")
    load_month(database, source, JANUARY, s3.storage())
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)


def test_more_folders_than_one_answer_holds_are_all_listed(s3):
    bucket = s3.new_bucket()
    client = s3.client()
    keys = [f"r/{number:04d}/x" for number in range(1003)] + ["r/a.txt", "r/"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: client.put_object(Bucket=bucket, Key=key, Body=b"1"), keys))
    assert client.list_objects_v2(Bucket=bucket, Prefix="r/", Delimiter="/")["IsTruncated"]
    listing = s3.storage().list_folder(f"s3://{bucket}/r/")
    assert listing.folders == tuple(f"s3://{bucket}/r/{number:04d}/" for number in range(1003))
    assert [(file.uri, file.size, file.name, file.folder) for file in listing.files] == [
        (f"s3://{bucket}/r/a.txt", 1, "a.txt", f"s3://{bucket}/r/")
    ]


def test_months_of_a_report_come_from_every_page(s3, monkeypatch):
    bucket = s3.new_bucket()
    client = s3.client()
    months = [date(2024, month, 1) for month in range(1, 13)]
    for month in months:
        folder = f"r/{month:%Y%m%d}-{next_month(month):%Y%m%d}"
        for name in ("R-RedshiftCommands.sql", "a-create-table.sql", "b.txt", "R-Manifest.json"):
            client.put_object(Bucket=bucket, Key=f"{folder}/{name}", Body=b"{}")
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    assert client.list_objects_v2(Bucket=bucket, Prefix="r/")["KeyCount"] == 2
    found = find_manifests("cup", f"s3://{bucket}/r/", s3.storage(), MonthRange())
    assert [manifest.billing_month for manifest in found] == months


def test_listing_and_stat_agree_on_what_a_file_is(s3):
    bucket = s3.new_bucket()
    s3.client().put_object(Bucket=bucket, Key="a//b c+Ä%20.json", Body=b"{}")
    storage = s3.storage()
    [file] = storage.list_folder(f"s3://{bucket}/a//").files
    assert file == storage.stat(file.uri)
    assert storage.read(file.uri) == b"{}"
    assert storage.stat(f"s3://{bucket}/a//none") is None


def test_new_content_has_a_new_etag(s3):
    bucket = s3.new_bucket()
    uri = f"s3://{bucket}/m.json"
    s3.client().put_object(Bucket=bucket, Key="m.json", Body=b"{1}")
    before = s3.storage().stat(uri)
    s3.client().put_object(Bucket=bucket, Key="m.json", Body=b"{2}")
    assert before.size == s3.storage().stat(uri).size
    assert before.etag != s3.storage().stat(uri).etag


def test_time_of_a_file_makes_no_other_version_of_it():
    listed, asked = (StoredFile("s3://b/k", 1, "etag", datetime(2025, 1, 1, 0, 0, 0, ms)) for ms in (250_000, 0))
    assert listed == asked


def test_object_that_vanished_may_come_back(s3):
    bucket = s3.new_bucket()
    with pytest.raises(StorageUnavailable, match=f"s3://{bucket}/gone.json: no such object"):
        s3.storage().read(f"s3://{bucket}/gone.json")


def find(storage, uri):
    return find_manifests("cup", uri, storage, MonthRange())


def test_bucket_that_does_not_exist_is_told(s3):
    with pytest.raises(StorageDenied) as raised:
        find(s3.storage("billing_aws"), "s3://nowhere-at-all/cup/report/")
    assert str(raised.value) == (
        "cup: s3://nowhere-at-all/cup/report/: the bucket does not exist (connection 'billing_aws', NoSuchBucket)"
    )


def test_bucket_name_that_cannot_be_one_is_told(s3):
    with pytest.raises(StorageDenied, match=r"cup: s3://b\*d/r/: .*Invalid bucket name.*connection 'aws_default'"):
        find(s3.storage(), "s3://b*d/r/")


def test_bucket_without_a_report_is_told_with_what_it_holds(s3):
    bucket = s3.new_bucket()
    s3.client().put_object(Bucket=bucket, Key="aws-programmatic-access-test-object", Body=b"")
    with pytest.raises(DeliveryError, match=f"^cup: no manifest below s3://{bucket}/;.*found aws-programmatic-access"):
        find(s3.storage(), f"s3://{bucket}/")
    with pytest.raises(DeliveryError, match=f"^cup: no manifest below s3://{bucket}/cup/r/;.*found nothing"):
        find(s3.storage(), f"s3://{bucket}/cup/r/")


def test_copied_bucket_is_read_where_it_is_and_not_where_its_manifest_points(s3, tmp_path):
    original, copy = s3.new_bucket(), s3.new_bucket()
    upload_report(s3, original, tmp_path, "cup/")
    s3.upload(tmp_path / SMALL.prefix, copy, "archive/2025/")
    [manifest] = find(s3.storage(), f"s3://{copy}/archive/2025/{SMALL.report}/")
    files = read_delivery(manifest, s3.storage()).files
    assert all(file.uri.startswith(f"s3://{copy}/archive/2025/{SMALL.report}/") for file in files)


def test_copied_manifest_without_its_files_reads_them_where_it_points(s3, tmp_path):
    original, copy = s3.new_bucket(), s3.new_bucket()
    upload_report(s3, original, tmp_path, "cup/")
    for key in s3.upload(tmp_path / SMALL.prefix, copy, "archive/"):
        if key.endswith(".parquet"):
            s3.client().delete_object(Bucket=copy, Key=key)
    [manifest] = find(s3.storage(), f"s3://{copy}/archive/{SMALL.report}/")
    files = read_delivery(manifest, s3.storage()).files
    assert all(file.uri.startswith(f"s3://{original}/cup/{SMALL.report}/") for file in files)


class NoListing(S3Storage):
    """A bucket of somebody else, who lets its files be read and not listed."""

    def list_folder(self, uri):
        if uri.startswith(self.forbidden):
            raise StorageDenied(f"{uri}: access denied")
        return super().list_folder(uri)


def test_file_in_a_bucket_that_may_be_read_and_not_listed_is_found(s3, tmp_path):
    original, copy = s3.new_bucket(), s3.new_bucket()
    upload_report(s3, original, tmp_path, "cup/")
    for key in s3.upload(tmp_path / SMALL.prefix, copy, "archive/"):
        if key.endswith(".parquet"):
            s3.client().delete_object(Bucket=copy, Key=key)
    [manifest] = find(s3.storage(), f"s3://{copy}/archive/{SMALL.report}/")
    storage = NoListing(s3.client(), "aws_default")
    storage.forbidden = f"s3://{original}/"
    assert len(read_delivery(manifest, storage).files) == 2
    storage.forbidden = f"s3://{copy}/archive/{SMALL.report}/{SMALL.report}/"
    with pytest.raises(StorageDenied, match=r"^cup 2025-01: .*access denied"):
        read_delivery(manifest, storage)


def test_files_of_a_delivery_cost_one_listing(s3, tmp_path):
    bucket = s3.new_bucket()
    upload_report(s3, bucket, tmp_path, "cup/", bill=Bill(lines=40, files=20))
    client = s3.client()
    storage = S3Storage(client, "aws_default")
    [manifest] = find(storage, f"s3://{bucket}/cup/{SMALL.report}/")
    seen = []
    client.meta.events.register("before-call.s3.*", lambda model, **_: seen.append(model.name))
    assert len(read_delivery(manifest, storage).files) == 20
    assert seen == ["GetObject", "ListObjectsV2"]


def test_missing_file_is_told_with_both_places_where_it_was_looked_for(s3, tmp_path):
    copy = s3.new_bucket()
    write_month(SMALL, JANUARY, tmp_path)
    for key in s3.upload(tmp_path / SMALL.prefix, copy, "archive/"):
        if key.endswith("00002.snappy.parquet"):
            s3.client().delete_object(Bucket=copy, Key=key)
            lost = key.removeprefix("archive/")
    [manifest] = find(s3.storage(), f"s3://{copy}/archive/{SMALL.report}/")
    bucket = json.loads(s3.storage().read(manifest.file.uri))["bucket"]
    with pytest.raises(DeliveryNotReady) as raised:
        read_delivery(manifest, s3.storage())
    assert str(raised.value).endswith(
        f"which is neither at s3://{copy}/archive/{lost} nor at s3://{bucket}/{SMALL.prefix}/{SMALL.report}/"
        f"{SMALL.report}/year=2025/month=1/{SMALL.report}-00002.snappy.parquet"
    )


@dataclass(frozen=True)
class Guarded:
    """A moto server that checks signatures and policies, with a reader and one without rights."""

    endpoint_url: str
    reader: tuple[str, str]
    nobody: tuple[str, str]

    def storage(self, *keys: str, conn_id: str = "billing_aws"):
        return s3_storage(self.endpoint_url, *keys, conn_id=conn_id)


def start_server(port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Its own process: whether moto checks rights is one switch for all of it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = start_server(port)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        root = boto3.Session("AKIAROOT", "root", region_name="us-east-1")
        client = root.client("s3", endpoint_url=url)
        client.create_bucket(Bucket="guarded")
        folder = tmp_path_factory.mktemp("guarded")
        write_month(Bill(lines=20, files=1, report="!-_.*'() r"), JANUARY, folder)
        for path in folder.rglob("*"):
            if path.is_file():
                client.upload_file(str(path), "guarded", path.relative_to(folder).as_posix())
        iam = root.client("iam", endpoint_url=url)
        keys = {}
        for name in ("reader", "nobody"):
            iam.create_user(UserName=name)
            created = iam.create_access_key(UserName=name)["AccessKey"]
            keys[name] = (created["AccessKeyId"], created["SecretAccessKey"])
        statement = {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
        switch = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        switch.request("POST", "/moto-api/reset-auth", b"0")
        assert switch.getresponse().status == 200
        switch.close()
        yield Guarded(url, keys["reader"], keys["nobody"])
    finally:
        process.terminate()
        process.wait()


GUARDED_URI = "s3://guarded/cup/!-_.*'() r/"


def test_right_credentials_list_and_read(guarded):
    storage = guarded.storage(*guarded.reader)
    [manifest] = find(storage, GUARDED_URI)
    [file] = read_delivery(manifest, storage).files
    assert read_shape(storage, "cup", file).rows > 0


@pytest.mark.parametrize(
    ("who", "told"),
    [
        ("wrong secret", "the secret access key is wrong (connection 'billing_aws', SignatureDoesNotMatch)"),
        ("unknown key", "the access key is not known (connection 'billing_aws', InvalidAccessKeyId)"),
        ("wrong token", "the session token is not valid (connection 'billing_aws', InvalidToken)"),
        ("no rights", "access denied (connection 'billing_aws', AccessDenied)"),
    ],
)
def test_refused_credentials_are_told_with_source_uri_and_connection_and_no_secret(guarded, who, told):
    key, secret = guarded.reader
    keys = {
        "wrong secret": (key, SECRET),
        "unknown key": ("AKIAUNKNOWN", SECRET),
        "wrong token": (key, secret, SECRET),
        "no rights": guarded.nobody,
    }[who]
    with pytest.raises(StorageDenied) as raised:
        find(guarded.storage(*keys), GUARDED_URI)
    assert str(raised.value) == f"cup: {GUARDED_URI}: {told}"
    assert raised.value.__suppress_context__


def test_refused_file_is_denied_and_tells_no_secret(guarded):
    storage = guarded.storage(*guarded.reader)
    [manifest] = find(storage, GUARDED_URI)
    with pytest.raises(StorageDenied) as raised:
        read_delivery(manifest, guarded.storage(guarded.reader[0], SECRET))
    assert str(raised.value).startswith(f"cup 2025-01: {manifest.file.uri}: the secret access key is wrong")
    assert SECRET not in str(raised.value)


def test_file_refused_while_it_is_read_tells_no_secret(guarded):
    storage = guarded.storage(*guarded.reader)
    [manifest] = find(storage, GUARDED_URI)
    [file] = read_delivery(manifest, storage).files
    with pytest.raises(StorageDenied, match="the secret access key is wrong") as raised:
        read_shape(guarded.storage(guarded.reader[0], SECRET), "cup", file)
    assert SECRET not in str(raised.value)
    assert guarded.reader[0] not in str(raised.value)


@pytest.fixture
def once(monkeypatch):
    """Let boto3 try once: its own retries take seconds."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


@pytest.mark.usefixtures("once")
def test_endpoint_that_refuses_may_pass():
    url = f"http://127.0.0.1:{free_port()}"
    storage = s3_storage(url, "AKIA", SECRET)
    with pytest.raises(StorageUnavailable, match=f"^cup: s3://b/r/: .*{url}.*connection 'billing_aws'") as raised:
        find(storage, "s3://b/r/")
    assert SECRET not in str(raised.value)


class _Answer(http.server.BaseHTTPRequestHandler):
    """Answers every request as S3 does when it refuses."""

    status, code = 503, "SlowDown"

    def do_GET(self) -> None:
        body = f"<Error><Code>{self.code}</Code><Message>Said by S3.</Message></Error>".encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def answering(once):
    def start(status: int, code: str):
        handler = type("Answer", (_Answer,), {"status": status, "code": code})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        url = f"http://127.0.0.1:{server.server_address[1]}"
        return s3_storage(url, "AKIA", SECRET)

    servers: list[http.server.ThreadingHTTPServer] = []
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "kind", "told"),
    [
        (400, "ExpiredToken", StorageDenied, "the credentials have expired"),
        (403, "RequestTimeTooSkewed", StorageDenied, "this machine's clock is wrong"),
        (400, "AuthorizationHeaderMalformed", StorageDenied, "the region is wrong"),
        (403, "SomethingNew", StorageDenied, "Said by S3."),
        (400, "RequestTimeout", StorageUnavailable, "Said by S3."),
        (429, "TooManyRequests", StorageUnavailable, "Said by S3."),
        (500, "InternalError", StorageUnavailable, "Said by S3."),
        (503, "SlowDown", StorageUnavailable, "Said by S3."),
    ],
)
def test_what_cannot_pass_is_told_from_what_can(answering, status, code, kind, told):
    with pytest.raises(kind) as raised:
        find(answering(status, code), "s3://b/r/")
    assert str(raised.value).startswith("cup: s3://b/r/: ")
    assert told in str(raised.value)
    assert "connection 'billing_aws'" in str(raised.value)
    assert code in str(raised.value)


def source_at(uri: str) -> Source:
    return Source(name="cup", format="aws_cur", uri=uri)


def test_command_line_takes_credentials_and_endpoint_from_the_environment(s3, tmp_path, monkeypatch):
    bucket = s3.new_bucket()
    upload_report(s3, bucket, tmp_path, "cup/")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint_url)
    storage = environment.storage(source_at(f"s3://{bucket}/cup/{SMALL.report}/"))
    [manifest] = find(storage, f"s3://{bucket}/cup/{SMALL.report}/")
    [first, _] = read_delivery(manifest, storage).files
    assert read_shape(storage, "cup", first).rows > 0


def test_no_credentials_at_all_are_told(monkeypatch):
    storage = environment.storage(source_at("s3://billing/r/"))
    with pytest.raises(
        StorageDenied, match=r"^cup: s3://billing/r/: connection 'AWS_\* environment variables' gives no AWS cred"
    ):
        find(storage, "s3://billing/r/")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("AWS_PROFILE", "nobody", "profile (nobody)"),
        ("AWS_ENDPOINT_URL", "not an address", "Invalid endpoint: not an address"),
        ("AWS_REGION", "mars north", "mars north"),
        ("AWS_ACCESS_KEY_ID", "AKIAALONE", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_wrong_aws_setting_is_told_with_source_and_uri(monkeypatch, name, value, told):
    monkeypatch.setenv(name, value)
    with pytest.raises(StorageDenied) as raised:
        find(environment.storage(source_at("s3://billing/r/")), "s3://billing/r/")
    assert str(raised.value).startswith("cup: s3://billing/r/: ")
    assert told in str(raised.value)


def test_local_folder_may_hold_spaces_and_any_letters(tmp_path):
    folder = tmp_path / "März bills %20?#"
    folder.mkdir()
    (folder / "größe 1.txt").write_text("x")
    (folder / "sub dir").mkdir()
    (folder / "dangling").symlink_to(folder / "nowhere")
    storage = environment.storage(source_at(f"file://{folder}"))
    listing = storage.list_folder(f"file://{folder}/")
    assert listing.folders == (f"file://{folder}/sub dir/",)
    [file] = listing.files
    assert (file.name, file.size, storage.stat(file.uri)) == ("größe 1.txt", 1, file)
    assert storage.read(file.uri) == b"x"


def test_local_file_written_anew_has_a_new_etag(tmp_path):
    path = tmp_path / "m.json"
    path.write_text("{1}")
    before = LocalStorage().stat(f"file://{path}")
    replacement = tmp_path / "n.json"
    replacement.write_text("{2}")
    os.utime(replacement, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    replacement.replace(path)
    assert LocalStorage().stat(f"file://{path}").etag != before.etag


def test_local_folder_that_is_missing_or_a_file_is_empty(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("missing", "file"):
        listing = LocalStorage().list_folder(f"file://{tmp_path}/{name}/")
        assert (listing.folders, listing.files) == ((), ())
    assert LocalStorage().stat(f"file://{tmp_path}/missing/x") is None
    assert LocalStorage().stat(f"file://{tmp_path}/file/x") is None


def test_local_folder_without_permission_is_told(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything
    try:
        with pytest.raises(StorageDenied, match=r"^cup: file://.*/closed/: no permission to read it"):
            find(LocalStorage(), f"file://{tmp_path}/closed/")
    finally:
        os.seteuid(user)
