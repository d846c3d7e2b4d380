"""Airflow connections of the types `wasb` and `google_cloud_platform`, by the fields that providers document."""

import json
import sys

import pytest
from clouds import ACCOUNT, ACCOUNT_KEY
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cloud_costs.airflow import connections
from cloud_costs.config.sources import Source
from cloud_costs.errors import ConfigError, StorageDenied

SECRET = "c2VjcmV0LXRoYXQtbm8tbG9nLW1heS1zaG93"
AZURE = "abfss://costs@billing.dfs.core.windows.net/exports/"
BILLING = "https://billing.blob.core.windows.net/"


def client(uri, conn_id=None):
    given = {"conn_id": conn_id} if conn_id else {}
    return connections.storage(Source(name="cup", format="aws_cur", uri=uri, **given))._client


@pytest.fixture
def wasb(monkeypatch):
    """Define the connection `wasb_default`."""

    def define(**fields):
        monkeypatch.setenv("AIRFLOW_CONN_WASB_DEFAULT", json.dumps({"conn_type": "wasb", **fields}))

    return define


@pytest.fixture
def google(monkeypatch):
    """Define the connection `google_cloud_default`."""

    def define(**extra):
        connection = {"conn_type": "google_cloud_platform", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(connection))

    return define


@pytest.fixture(scope="module")
def key():
    """A service account's key file, with a private key of its own."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "billing",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "loader@billing.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }


def test_connection_string_reads_the_container(wasb, azurite):
    root = azurite.new_root()
    azurite.put(f"{root}k", b"1")
    wasb(extra={"connection_string": azurite.connection_string()})
    assert connections.storage(Source(name="cup", format="aws_cur", uri=root)).read(f"{root}k") == b"1"


def test_account_url_and_key_read_the_container(wasb, azurite):
    root = azurite.new_root()
    azurite.put(f"{root}k", b"1")
    wasb(host=f"{azurite.endpoint_url}/{ACCOUNT}", login=ACCOUNT, password=ACCOUNT_KEY)
    assert connections.storage(Source(name="cup", format="aws_cur", uri=root)).read(f"{root}k") == b"1"


@pytest.mark.parametrize(
    ("fields", "credential"),
    [
        ({"login": "id", "password": SECRET, "extra": {"tenant_id": "t"}}, "ClientSecretCredential"),
        ({"login": "id", "password": SECRET, "extra": {"extra__wasb__tenant_id": "t"}}, "ClientSecretCredential"),
        ({"extra": {"shared_access_key": SECRET}}, "SharedKeyCredentialPolicy"),
        ({"extra": {"account_key": SECRET}}, "SharedKeyCredentialPolicy"),
        ({"login": "billing", "password": SECRET}, "SharedKeyCredentialPolicy"),
        ({"extra": {"sas_token": f"?sv=1&sig={SECRET}"}}, "NoneType"),
        ({"extra": {"sas_token": f"{BILLING}?sv=1&sig={SECRET}"}}, "NoneType"),
        ({"extra": {"managed_identity_client_id": "m"}}, "DefaultAzureCredential"),
        ({"extra": {"managed_identity_client_id": "m", "workload_identity_tenant_id": "t"}}, "DefaultAzureCredential"),
        ({"host": "billing.blob.core.windows.net"}, "DefaultAzureCredential"),
        ({"host": "billing", "extra": {"tenant_id": ""}}, "DefaultAzureCredential"),
        ({}, "DefaultAzureCredential"),
    ],
)
def test_every_documented_field_of_wasb_is_taken(wasb, fields, credential):
    wasb(**fields)
    found = client(AZURE)
    assert found.url.startswith(BILLING)
    assert found.account_name == "billing"
    assert type(found.credential).__name__ == credential
    # A SAS token is a part of every address.
    assert ("sig=" in found.url) == ("sas_token" in fields.get("extra", {}))


def test_clouds_default_connection_need_not_be_defined():
    assert type(client(AZURE).credential).__name__ == "DefaultAzureCredential"
    with pytest.raises(StorageDenied, match=r"connection 'google_cloud_default' gives no Google credentials"):
        client("gs://costs/")


@pytest.mark.parametrize(("uri", "kind"), [(AZURE, "wasb"), ("gs://costs/", "google_cloud_platform")])
def test_other_connection_has_to_be_defined_and_of_the_type(monkeypatch, uri, kind):
    with pytest.raises(ConfigError, match=f"'other' is not defined; add a connection of type {kind} with this id"):
        client(uri, "other")
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "aws"}))
    with pytest.raises(ConfigError, match=f"'other' is of the type 'aws'; it has to be of the type '{kind}'"):
        client(uri, "other")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"extra": {"tenant_id": "t"}}, "tenant_id needs the client id as login"),
        ({"extra": {"connection_string": f"AccountKey={SECRET}"}}, "Connection string missing required connection"),
    ],
)
def test_wrong_fields_of_wasb_are_told_without_secrets(wasb, fields, told):
    wasb(**fields)
    with pytest.raises(ConfigError, match=f"^the Airflow connection 'wasb_default' gives no access: {told}") as raised:
        client(AZURE)
    assert SECRET not in str(raised.value)


def test_key_of_a_service_account_is_taken(google, key, tmp_path):
    (tmp_path / "key.json").write_text(json.dumps(key))
    read_only = ["https://www.googleapis.com/auth/devstorage.read_only"]
    for fields in (
        {"keyfile_dict": json.dumps(key)},
        {"keyfile_dict": key},
        {"key_path": str(tmp_path / "key.json")},
        {"extra__google_cloud_platform__keyfile_dict": json.dumps(key)},
        {"credential_config_file": json.dumps(key)},
        {"credential_config_file": str(tmp_path / "key.json")},
    ):
        google(project="other", **fields)
        found = client("gs://costs/")
        assert found.project == "other"
        assert found._credentials.service_account_email == key["client_email"]
        assert found._credentials.scopes == read_only


def test_impersonation_quota_and_scope_are_taken(google, key):
    google(keyfile_dict=key, impersonation_chain="a@x.iam, b@x.iam", quota_project_id="payer")
    found = client("gs://costs/")._credentials
    assert (found._target_principal, found._delegates, found.quota_project_id) == ("b@x.iam", ["a@x.iam"], "payer")
    assert found._target_scopes == ["https://www.googleapis.com/auth/devstorage.read_only"]
    google(keyfile_dict=key, scope="https://www.googleapis.com/auth/cloud-platform,openid")
    assert client("gs://costs/")._credentials.scopes == ["https://www.googleapis.com/auth/cloud-platform", "openid"]


def test_anonymous_reads_the_bucket(google, google_server, monkeypatch):
    root = google_server.new_root()
    google_server.put(f"{root}k", b"1")
    google(is_anonymous=True)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google_server.endpoint_url)
    assert connections.storage(Source(name="cup", format="aws_cur", uri=root)).read(f"{root}k") == b"1"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"keyfile_dict": "{"}, "keyfile_dict is not JSON"),
        ({"keyfile_dict": "[1]"}, "keyfile_dict is not a JSON object"),
        ({"keyfile_dict": {"private_key": SECRET}}, "Service account info was not in the expected format"),
        ({"key_path": "/nowhere/key.json"}, "/nowhere/key.json: No such file or directory"),
        ({"key_path": "k", "keyfile_dict": "{}"}, "key_path and keyfile_dict are given; keep one of them"),
        ({"key_secret_name": "s"}, "key_secret_name needs Airflow's Google provider"),
        ({"idp_issuer_url": "https://idp"}, "idp_issuer_url needs Airflow's Google provider"),
    ],
)
def test_wrong_fields_of_google_are_told_without_secrets(google, fields, told):
    google(**fields)
    with pytest.raises(
        (ConfigError, StorageDenied), match=f"connection 'google_cloud_default' gives no.*{told}"
    ) as said:
        client("gs://costs/")
    assert SECRET not in str(said.value)


@pytest.mark.parametrize(
    ("cloud", "module", "uri"),
    [("azure", "azure.storage.blob", AZURE), ("google", "google.cloud.storage", "gs://costs/")],
)
def test_cloud_that_is_not_installed_is_told_what_to_install(monkeypatch, cloud, module, uri):
    monkeypatch.setitem(sys.modules, module, None)
    if cloud == "google":
        monkeypatch.setitem(sys.modules, f"{module}.exceptions", None)
    with pytest.raises(ConfigError, match=f"which is not installed: install requirements-{cloud}.txt with constraints"):
        client(uri)
