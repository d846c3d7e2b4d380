"""Azure Blob Storage and Google Cloud Storage over their own protocols: listing, reading, and what goes wrong."""

import gzip
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from azure_tenant import azure_source
from clouds import ACCOUNT, ACCOUNT_KEY, Azurite, GoogleServer, upload
from deliveries import write_month
from pipeline import JANUARY, cost_totals, load_month, truth_totals
from proxies import GoogleProxy, HttpProxy

from cloud_costs import environment
from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill, Truth
from cloud_costs.demo.sample_bill.azure import AzureBill
from cloud_costs.demo.sample_bill.azure import write_month as write_azure_month
from cloud_costs.demo.sample_bill.gcp import GoogleBill, write_google_month
from cloud_costs.errors import ConfigError, DeliveryError, DeliveryNotReady, StorageDenied, StorageUnavailable
from cloud_costs.formats.aws.cur import find_manifests, read_delivery
from cloud_costs.months import MonthRange
from cloud_costs.publishing.diagnosis import diagnose_source
from cloud_costs.publishing.plan import list_manifests
from cloud_costs.storage import ranges
from cloud_costs.storage.azure import AzureStorage, blob_service
from cloud_costs.storage.files import bucket_root, changed_files, is_root
from cloud_costs.storage.gcs import GoogleStorage

SMALL = Bill(lines=60, files=2)
GRANT = "; correct the credentials, the bucket or its region, or grant list and read on it"
SECRET = "c2VjcmV0LXRoYXQtbm8tbG9nLW1heS1zaG93"


# --- listing and reading


def test_folder_lists_what_it_holds_byte_for_byte(cloud):
    root = cloud.new_root()
    for key in ("r/b.txt", "r/a b+Ä%20.json", "r/2025/x", "r/é/x", "r//y", "r/", "/lead/z", "s/other"):
        cloud.put(root + key, b"1" if key != "r/" else b"")
    listing = cloud.storage().list_folder(f"{root}r/")
    assert listing.folders == (f"{root}r//", f"{root}r/2025/", f"{root}r/é/")
    assert [(file.uri, file.size, file.folder) for file in listing.files] == [
        (f"{root}r/a b+Ä%20.json", 1, f"{root}r/"),
        (f"{root}r/b.txt", 1, f"{root}r/"),
    ]
    assert cloud.storage().list_folder(root).folders == (f"{root}/", f"{root}r/", f"{root}s/")
    assert [file.name for file in cloud.storage().list_folder(f"{root}r//").files] == ["y"]
    assert cloud.storage().list_folder(f"{root}nothing/").files == ()


def test_listing_and_stat_agree_on_what_a_file_is(cloud):
    root = cloud.new_root()
    cloud.put(f"{root}a//b c+Ä%20.json", b"{}")
    storage = cloud.storage()
    [file] = storage.list_folder(f"{root}a//").files
    assert file == storage.stat(file.uri)
    assert storage.read(file.uri) == b"{}"
    assert storage.stat(f"{root}a//none") is None


@pytest.fixture
def small_pages(cloud, monkeypatch):
    """A storage whose answers to a listing hold two names each."""
    if isinstance(cloud, GoogleServer):
        proxy = GoogleProxy(cloud.emulator_url)
        proxy.page = 2
        yield cloud.storage(proxy.url)
        proxy.close()
        return
    from azure.storage.blob import ContainerClient

    whole = ContainerClient.walk_blobs

    def pages(client, **asked):
        return whole(client, results_per_page=2, **asked)

    monkeypatch.setattr(ContainerClient, "walk_blobs", pages)
    yield cloud.storage()


def test_more_names_than_one_answer_holds_are_all_listed(cloud, small_pages):
    root = cloud.new_root()
    keys = [f"r/{number:02d}/x" for number in range(9)] + [f"r/{number:02d}.txt" for number in range(9)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: cloud.put(root + key, b"1"), keys))
    listing = small_pages.list_folder(f"{root}r/")
    assert listing.folders == tuple(f"{root}r/{number:02d}/" for number in range(9))
    assert [file.name for file in listing.files] == [f"{number:02d}.txt" for number in range(9)]


def test_large_object_is_read_by_ranges_in_pieces(cloud, monkeypatch):
    root = cloud.new_root()
    content = bytes(range(251)) * 11_952 + b"!"
    cloud.put(f"{root}large", content)
    monkeypatch.setattr(ranges, "PIECE_BYTES", 1_000_000)
    opened, whole = cloud.storage().open(cloud.storage().stat(f"{root}large")), bytearray(len(content) + 1)
    assert opened.readinto(whole) == len(content)
    assert whole[:-1] == content
    for start, length in ((0, 1), (2_999_952, 10), (999_999, 2), (1_234_567, 1_000_001)):
        opened.seek(start)
        assert opened.read(length) == content[start : start + length]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a process its own peak")
def test_memory_of_reading_is_a_few_pieces_however_large_the_object(cloud, monkeypatch):
    root = cloud.new_root()
    cloud.put(f"{root}large", bytes(40_000_000))
    monkeypatch.setattr(ranges, "PIECE_BYTES", 1_000_000)
    opened, buffer = cloud.storage().open(cloud.storage().stat(f"{root}large")), bytearray(1_000_000)

    def resident(line):
        return int(Path("/proc/self/status").read_text().split(f"{line}:")[1].split()[0]) * 1024

    read = opened.readinto(buffer)
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    while got := opened.readinto(buffer):
        read += got
    assert read == 40_000_000
    assert resident("VmHWM") - before < 16_000_000


def test_compressed_file_comes_as_it_is_stored(cloud):
    root = cloud.new_root()
    content = gzip.compress(b"a,b\n1,2\n" * 100)
    cloud.put(f"{root}bill.csv.gz", content, encoding="gzip")
    file = cloud.storage().stat(f"{root}bill.csv.gz")
    assert file.size == len(content)
    assert cloud.storage().read(file.uri) == cloud.storage().open(file).read() == content


def test_file_that_stands_for_a_folder_is_left_out(azurite):
    """Hadoop's and AzCopy's marks of folders, as a hierarchical namespace lists them too; a real file is kept."""
    root = azurite.new_root()
    for key, content in (("r/2025", b""), ("r/2025/x", b"1"), ("r/empty", b"")):
        azurite.put(root + key, content)
    assert [file.name for file in azurite.storage().list_folder(f"{root}r/").files] == ["empty"]


def test_root_of_a_bucket_has_nothing_above_it(cloud):
    root = cloud.new_root()
    assert is_root(root)
    assert not is_root(f"{root}r/")
    assert bucket_root(f"{root}r/a/b.txt") == root


# --- bound to what was listed


def test_file_replaced_while_it_is_read_is_refused(cloud):
    root = cloud.new_root()
    cloud.put(f"{root}bill.csv", b"of one delivery")
    storage = cloud.storage()
    [file] = storage.list_folder(root).files
    opened = storage.open(file)
    assert opened.read(2) == b"of"
    cloud.put(f"{root}bill.csv", b"of another one.")
    assert storage.stat(file.uri).size == file.size
    assert storage.stat(file.uri) != file
    with pytest.raises(StorageUnavailable):
        opened.read(2)
    changed = pytest.raises(DeliveryNotReady, match=rf"^cup 2025-01: {root}bill.csv changed while it was read")
    with changed, changed_files(storage, "cup 2025-01", file):
        storage.open(file).read()


def test_file_deleted_while_it_is_read_is_refused(cloud):
    root = cloud.new_root()
    cloud.put(f"{root}bill.csv", b"of one delivery")
    storage = cloud.storage()
    [file] = storage.list_folder(root).files
    cloud.delete(file.uri)
    changed = pytest.raises(DeliveryNotReady, match=rf"^cup 2025-01: {file.uri} changed while it was read")
    with changed, changed_files(storage, "cup 2025-01", file):
        storage.open(file).read()
    with pytest.raises(StorageUnavailable, match=f"{file.uri}: no such object"):
        storage.read(file.uri)


def test_generation_is_what_binds_on_google(google_server):
    """Google's own answer to a condition that no longer holds, in place of the emulator's."""
    root = google_server.new_root()
    google_server.put(f"{root}k", b"1")
    storage = google_server.storage()
    file = storage.stat(f"{root}k")
    assert file.etag == str(google_server._blob(f"{root}k").bucket.get_blob("k").generation)
    google_server.put(f"{root}k", b"2")
    with pytest.raises(StorageUnavailable, match=r"pre-conditions you specified did not hold.*412"):
        storage.open(file).read()
    assert storage.open(replace(file, etag=storage.stat(f"{root}k").etag)).read() == b"2"


# --- a whole load


@dataclass(frozen=True)
class Export:
    """A source over a root, and how to write a version of its January."""

    source: Callable[[str], Source]
    write: Callable[..., Truth]


def of_aws(bill):
    def source(root):
        return Source(name="bill", format=bill.format, uri=f"{root}{bill.prefix}/{bill.report}/")

    return Export(source, partial(write_month, bill))


def of_azure(bill):
    return Export(partial(azure_source, bill, name="bill"), partial(write_azure_month, bill))


def of_google(bill):
    def source(root):
        return Source(name="bill", format="gcp_billing", uri=f"{root}{bill.prefix}/")

    return Export(source, partial(write_google_month, bill))


# Of each file type one that is read by ranges and one that is read from its beginning to its end.
EXPORTS = {
    "azure": {"own": of_azure(AzureBill(lines=40)), "copied": of_aws(SMALL)},
    "google": {
        "own": of_google(GoogleBill(lines=150, files=1)),
        "copied": of_aws(replace(SMALL, format="aws_cur2", file_type="csv")),
    },
}


def export_of(cloud, of):
    return EXPORTS["google" if isinstance(cloud, GoogleServer) else "azure"][of]


@pytest.fixture
def own(cloud):
    """The cloud's own export."""
    return export_of(cloud, "own")


@pytest.mark.parametrize("of", ["own", "copied"])
def test_month_is_loaded_loaded_again_and_restated(cloud, database, query, tmp_path, of):
    export = export_of(cloud, of)
    root = cloud.new_root()
    source = export.source(f"{root}copied/")

    def plan():
        [month] = list_manifests(database, [source], lambda _: cloud.storage(), MonthRange()).months
        return month.decision

    keys = []
    for version in (1, 2):
        truth = export.write(JANUARY, tmp_path, version=version)
        # Azure deletes the run before, too. Of two that came within a second, nothing tells which is newer.
        for key in keys:
            cloud.delete(root + key)
        keys = upload(cloud, tmp_path, root, "copied/")
        assert plan() == "load"
        load_month(database, source, JANUARY, cloud.storage())
        assert cost_totals(query, "bill", JANUARY) == truth_totals(truth)
        assert plan() == "unchanged"
    load_month(database, source, JANUARY, cloud.storage())
    assert cost_totals(query, "bill", JANUARY) == truth_totals(truth)


def test_copy_without_its_data_folder_is_read_under_the_keys_of_the_manifest(cloud, tmp_path):
    """The manifest names a bucket of S3; what was copied with it keeps its keys."""
    root = cloud.new_root()
    write_month(SMALL, JANUARY, tmp_path)
    for path in sorted(tmp_path.rglob("*")):
        if path.is_file():
            key = path.relative_to(tmp_path).as_posix()
            cloud.put(f"{root}{'' if key.endswith('.parquet') else 'manifests/'}{key}", path.read_bytes())
    [manifest] = find_manifests("cup", f"{root}manifests/{SMALL.root}/", cloud.storage(), MonthRange())
    files = read_delivery(manifest, cloud.storage()).files
    assert [file.uri.startswith(f"{root}{SMALL.root}/") for file in files] == [True, True]


def test_slash_too_many_in_the_uri_finds_the_report_all_the_same(cloud, tmp_path):
    root = cloud.new_root()
    write_month(SMALL, JANUARY, tmp_path)
    upload(cloud, tmp_path, root)
    assert find_manifests("cup", f"{root}/{SMALL.root}/", cloud.storage(), MonthRange())


def test_load_asks_for_listings_and_objects_alone(cloud, database, tmp_path):
    """What docs/security.md has people grant: list and get, of the bucket itself nothing."""
    asked = []

    class Recording(GoogleProxy if isinstance(cloud, GoogleServer) else HttpProxy):
        def amend(self, path, status, headers, body):
            asked.append(path)
            return super().amend(path, status, headers, body)

    proxy = Recording(cloud.emulator_url if isinstance(cloud, GoogleServer) else cloud.endpoint_url)
    root = cloud.new_root()
    write_month(SMALL, JANUARY, tmp_path)
    upload(cloud, tmp_path, root)
    source = Source(name="cup", format="aws_cur", uri=f"{root}{SMALL.root}/")
    try:
        if isinstance(cloud, GoogleServer):
            # As the command line makes its client, whose library would ask about the bucket.
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
                storage = environment.storage(source, {})
        else:
            storage = cloud.storage(proxy.url)
        load_month(database, source, JANUARY, storage)
    finally:
        proxy.close()
    bucket = root.partition("://")[2].partition("@")[0].rstrip("/")
    places = {"list": f"/storage/v1/b/{bucket}/o?", "get": f"/b/{bucket}/o/"}
    if isinstance(cloud, Azurite):
        places = {"list": f"/{bucket}?restype=container&comp=list", "get": f"/{bucket}/"}
    kinds = [next((kind for kind, place in places.items() if place in path), path) for path in asked]
    assert set(kinds) == {"list", "get"}


# --- what is wrong is told


def find(storage, uri):
    return find_manifests("cup", uri, storage, MonthRange())


def test_bucket_that_does_not_exist_is_told(cloud):
    name = {"abfss": "container", "gs": "bucket"}[cloud.scheme]
    uri = cloud.new_root().replace("billing-", "nowhere-")
    with pytest.raises(StorageDenied, match=rf"^cup: {uri}r/: the {name} does not exist \(connection '\w+_default', "):
        find(cloud.storage(), f"{uri}r/")


def test_bucket_without_a_report_is_told_with_what_it_holds(cloud):
    root = cloud.new_root()
    cloud.put(f"{root}note.txt", b"1")
    with pytest.raises(DeliveryError, match=f"^cup: no manifest below {root};.*found note.txt"):
        find(cloud.storage(), root)


def test_source_is_told_ok_or_what_is_wrong_with_it(cloud, own, tmp_path):
    root = cloud.new_root()
    truth = own.write(JANUARY, tmp_path)
    upload(cloud, tmp_path, root)
    source = own.source(root).model_copy(update={"stale_after_hours": 0})
    found = diagnose_source(source, lambda _: cloud.storage())
    assert found.problems == ()
    assert found.facts[0].startswith(f"bill: 1 month(s), 2025-01 to 2025-01; the newest is version {truth.assembly_id}")
    nowhere = own.source(root.replace("billing-", "nowhere-"))
    [problem] = diagnose_source(nowhere, lambda _: cloud.storage()).problems
    assert "does not exist" in problem
    assert problem.endswith(GRANT)
    [problem] = diagnose_source(source, lambda _: cloud.storage("http://127.0.0.1:1", attempts=1)).problems
    assert problem.endswith("; see that network, proxy and endpoint let this machine reach the storage")


def test_source_without_rights_is_told_what_to_grant(cloud, own):
    is_google = isinstance(cloud, GoogleServer)
    server = google_says(403, "no storage.objects.list") if is_google else azure_says(403, "AuthorizationFailure")
    try:
        source = own.source("gs://costs/" if is_google else f"abfss://costs@{ACCOUNT}.dfs.core.windows.net/")
        [problem] = diagnose_source(source, lambda _: cloud.storage(server.url, attempts=1)).problems
    finally:
        server.close()
    assert problem.startswith(f"bill: {source.uri}: access denied: ")
    assert problem.endswith(GRANT)


@pytest.mark.parametrize(
    "credential",
    [None, SECRET, f"sv=2024-11-04&ss=b&srt=co&sp=rl&se=2030-01-01&sig={SECRET}"],
    ids=["none", "key", "SAS token"],
)
def test_wrong_credentials_are_denied_without_them(azurite, credential):
    root = azurite.new_root()
    client = blob_service(f"{azurite.endpoint_url}/devstoreaccount1", credential, attempts=1)
    with pytest.raises(StorageDenied, match=r"access denied.*\(connection 'billing', AuthorizationFailure\)") as raised:
        AzureStorage(client, "billing").list_folder(root)
    assert SECRET not in str(raised.value)
    assert raised.value.__suppress_context__


def test_sas_token_that_may_list_and_read_is_enough(azurite):
    from datetime import UTC, datetime, timedelta

    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    root = azurite.new_root()
    azurite.put(f"{root}k", b"1")
    container = root.removeprefix("abfss://").partition("@")[0]

    def storage(**given):
        expiry = datetime.now(UTC) + timedelta(hours=1)
        token = generate_container_sas(
            ACCOUNT, container, account_key=ACCOUNT_KEY, permission=ContainerSasPermissions(**given), expiry=expiry
        )
        return AzureStorage(blob_service(f"{azurite.endpoint_url}/{ACCOUNT}", token, attempts=1), "billing")

    both = storage(read=True, list=True)
    [file] = both.list_folder(root).files
    assert both.open(file).read() == both.read(file.uri) == b"1"
    assert both.stat(file.uri) == file
    with pytest.raises(StorageDenied, match="AuthorizationPermissionMismatch"):
        storage(read=True).list_folder(root)
    with pytest.raises(StorageDenied, match="AuthorizationPermissionMismatch"):
        storage(list=True).read(file.uri)


def test_another_account_than_the_connections_is_told(azurite):
    uri = azurite.new_root().replace("devstoreaccount1", "otheraccount")
    with pytest.raises(
        ConfigError, match=r"the account is 'otheraccount', but connection 'wasb_default' is for 'devst"
    ):
        azurite.storage().list_folder(uri)


class Answering(HttpProxy):
    """A server that gives every request the same answer."""

    def __init__(self, status, headers, body):
        super().__init__("")
        self.given = status, [*headers, ("Content-Length", str(len(body)))], body
        self.tries = 0

    def ask(self, handler, content):
        self.tries += 1
        return self.given


def azure_says(status, code):
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>Said by Azure.</Message></Error>".encode()
    return Answering(status, [("x-ms-error-code", code), ("Content-Type", "application/xml")], body)


def google_says(status, message):
    body = json.dumps({"error": {"code": status, "message": message, "errors": [{"message": message}]}}).encode()
    return Answering(status, [("Content-Type", "application/json")], body)


@pytest.mark.parametrize(
    ("status", "code", "kind", "told"),
    [
        (403, "AuthenticationFailed", StorageDenied, "the account key or SAS token is wrong"),
        (403, "AuthorizationPermissionMismatch", StorageDenied, "the role Storage Blob Data Reader on the container"),
        (403, "AuthorizationFailure", StorageDenied, "by the account's firewall"),
        (401, "InvalidAuthenticationInfo", StorageDenied, "not valid for this account or tenant"),
        (403, "KeyBasedAuthenticationNotPermitted", StorageDenied, "the account takes no keys"),
        (409, "PublicAccessNotPermitted", StorageDenied, "the request had no credentials"),
        (409, "BlobArchived", StorageDenied, "rehydrate it first"),
        (403, "AccountIsDisabled", StorageDenied, "the storage account is disabled"),
        (400, "InvalidUri", StorageDenied, "Said by Azure"),
        (412, "ConditionNotMet", StorageUnavailable, "Said by Azure"),
        (500, "InternalError", StorageUnavailable, "Said by Azure"),
        (503, "ServerBusy", StorageUnavailable, "Said by Azure"),
    ],
)
def test_what_azure_refuses_is_told_in_its_kind(status, code, kind, told):
    server = azure_says(status, code)
    uri = "abfss://costs@devstoreaccount1.dfs.core.windows.net/r/"
    storage = AzureStorage(blob_service(f"{server.url}/devstoreaccount1", "QUJD", attempts=1), "billing")
    try:
        for work in (lambda: storage.list_folder(uri), lambda: storage.read(uri + "k")):
            with pytest.raises(kind, match=f"^{uri}.*{told}.*connection 'billing', {code}"):
                work()
    finally:
        server.close()


@pytest.mark.parametrize(
    ("status", "message", "kind", "told"),
    [
        (
            403,
            "x@y.iam does not have storage.objects.list access to the bucket",
            StorageDenied,
            "access denied: x@y.iam",
        ),
        (400, "Invalid bucket name: 'b*d'", StorageDenied, "Invalid bucket name"),
        (412, "The condition does not hold", StorageUnavailable, "The condition does not hold"),
        (429, "Slow down", StorageUnavailable, "Slow down"),
        (503, "Backend error", StorageUnavailable, "Backend error"),
    ],
)
def test_what_google_refuses_is_told_in_its_kind(google_server, status, message, kind, told):
    server = google_says(status, message)
    storage = GoogleStorage(google_server.client(server.url), "billing", patience=0)
    try:
        for work in (lambda: storage.list_folder("gs://costs/r/"), lambda: storage.read("gs://costs/r/k")):
            with pytest.raises(kind, match=f"^gs://costs/r/.*{told}.*connection 'billing'"):
                work()
    finally:
        server.close()


def test_server_that_is_busy_is_asked_again(google_server):
    azure, google = azure_says(503, "ServerBusy"), google_says(503, "Backend error")
    try:
        blobs = blob_service(f"{azure.url}/devstoreaccount1", "QUJD", attempts=2)
        with pytest.raises(StorageUnavailable):
            AzureStorage(blobs, "w").read("abfss://costs@devstoreaccount1.dfs.core.windows.net/k")
        with pytest.raises(StorageUnavailable):
            GoogleStorage(google_server.client(google.url), "g", patience=2).read("gs://costs/k")
        assert azure.tries == 2
        assert google.tries >= 2
    finally:
        azure.close()
        google.close()


# --- credentials of the command line


def test_command_line_takes_a_connection_string(azurite):
    root = azurite.new_root()
    azurite.put(f"{root}k", b"1")
    source = Source(name="cup", format="aws_cur", uri=root)
    storage = environment.storage(source, {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string()})
    assert storage.read(f"{root}k") == b"1"


@pytest.mark.parametrize("variable", ["AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN"])
def test_command_line_takes_the_account_of_the_uri_with_a_key_or_token(variable):
    source = Source(name="cup", format="aws_cur", uri="abfss://costs@billing.dfs.core.usgovcloudapi.net/r/")
    client = environment.storage(
        source, {variable: SECRET if variable.endswith("KEY") else f"sv=1&sig={SECRET}"}
    )._client
    assert client.url.startswith("https://billing.blob.core.usgovcloudapi.net/")
    assert client.account_name == "billing"


def test_command_line_takes_the_server_of_an_emulator(google_server, monkeypatch):
    root = google_server.new_root()
    google_server.put(f"{root}k", b"1")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google_server.endpoint_url)
    assert environment.storage(Source(name="cup", format="aws_cur", uri=root), {}).read(f"{root}k") == b"1"


def test_no_credentials_of_google_are_told():
    with pytest.raises(
        StorageDenied, match=r"^cup: gs://costs/: connection .* gives no Google credentials: Your default"
    ):
        environment.storage(Source(name="cup", format="aws_cur", uri="gs://costs/"), {})


def test_broken_connection_string_is_told_without_it():
    source = Source(name="cup", format="aws_cur", uri="abfss://costs@billing.dfs.core.windows.net/")
    broken = {"AZURE_STORAGE_CONNECTION_STRING": f"AccountKey={SECRET}"}
    with pytest.raises(StorageDenied, match=r"^cup: abfss://.*Connection string missing required connection") as raised:
        environment.storage(source, broken)
    assert SECRET not in str(raised.value)
