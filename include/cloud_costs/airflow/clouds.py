"""Airflow connections of the types `wasb` and `google_cloud_platform`, with the fields that their providers document.

This module reads the fields itself and does not use the providers' hooks. Microsoft's provider brings the libraries of
every Azure service, and Google's those of every Google service, while a load only lists and reads objects
(docs/adr/0010-clouds-as-extras.md). A connection that works with the hooks works here.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from cloud_costs.errors import CloudCostsError, ConfigError
from cloud_costs.storage import azure, gcs
from cloud_costs.storage.extras import extra

AZURE, GOOGLE = "wasb", "google_cloud_platform"
# Fields that the Google provider knows and this module does not, and what to use instead.
NOT_READ = {
    "key_secret_name": "put the key into keyfile_dict, or the whole connection into an Airflow secrets backend",
    "idp_issuer_url": "use credential_config_file",
}
KEYS = ("key_path", "keyfile_dict", "credential_config_file")


class AirflowConnection(Protocol):
    """The fields of an Airflow connection that this module reads."""

    conn_type: str
    host: str | None
    login: str | None
    password: str | None

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """The extra of the connection, as a dictionary."""


@dataclass(frozen=True)
class Fields:
    """The fields of a connection's extra. Older versions of the providers saved them with a prefix."""

    extra: Mapping[str, Any]
    conn_type: str

    def __call__(self, name: str) -> Any:
        """Return a field's value, None where it is absent or empty."""
        if name in self.extra:
            return self.extra[name] or None
        return self.extra.get(f"extra__{self.conn_type}__{name}") or None


def azure_storage(connection: AirflowConnection | None, conn_id: str, uri: str) -> azure.AzureStorage:
    """Return the storage behind a `wasb` connection; None means the machine's own identity.

    A connection that names no account is for the account in the source's uri. Raises `ConfigError` for a connection of
    another type, or whose fields make no credentials.
    """
    if connection is None:
        return azure.AzureStorage(azure.blob_service(azure.account_url(uri), azure.default_credential()), conn_id)
    with _fields(connection, conn_id, AZURE) as field:
        if connection_string := field("connection_string"):
            client = azure.blob_service(connection_string=connection_string)
        else:
            url, credential = _account_url(connection, field("tenant_id"), uri), _azure_credential(connection, field)
            # The provider also takes a whole SAS URL as the token. It holds the account and the token.
            if isinstance(credential, str) and credential.startswith("https://"):
                url, credential = credential, None
            client = azure.blob_service(url, credential)
    return azure.AzureStorage(client, conn_id)


def _azure_credential(connection: AirflowConnection, field: Fields) -> Any:
    """Return a service principal, a key, a SAS token or an identity: the first that is given, in this order."""
    if tenant := field("tenant_id"):
        if not connection.login or not connection.password:
            raise ValueError("tenant_id needs the client id as login and the client secret as password")
        options = field("client_secret_auth_config") or {}
        return azure.client_secret_credential(tenant, connection.login, connection.password, options)
    secret = field("shared_access_key") or field("sas_token") or connection.password or field("account_key")
    if secret:
        return str(secret).removeprefix("?")
    names = ("managed_identity_client_id", "workload_identity_tenant_id")
    return azure.default_credential({name: field(name) for name in names if field(name)})


def _account_url(connection: AirflowConnection, tenant: str | None, uri: str) -> str:
    """Return the address of the account: a URL, a host or a name in `host`, a name in `login`, or the uri's."""
    ours = azure.account_url(uri)
    account = connection.host or (None if tenant else connection.login)
    if not account:
        return ours
    if "://" in account:
        return account
    return f"https://{account}" if "." in account else f"https://{account}.{ours.partition('.')[2]}"


def google_storage(connection: AirflowConnection | None, conn_id: str, scope: str = gcs.READ_ONLY) -> gcs.GoogleStorage:
    """Return the storage behind a `google_cloud_platform` connection; None means the machine's own identity.

    `scope` is what the credentials are for, unless the connection names scopes of its own. Raises `ConfigError` for a
    connection of another type, or whose fields make no credentials.
    """
    if connection is None:
        return gcs.GoogleStorage(gcs.client(scope=scope), conn_id)
    with _fields(connection, conn_id, GOOGLE) as field:
        client = gcs.client(_google_credentials(field, scope), field("project"), scope)
    return gcs.GoogleStorage(client, conn_id)


def _google_credentials(field: Fields, scope: str) -> Any:
    """Return the credentials that the fields describe, or None for the machine's own."""
    for name, instead in NOT_READ.items():
        if field(name):
            raise ValueError(f"{name} needs Airflow's Google provider, which is not used here; {instead}")
    given = [name for name in KEYS if field(name)]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} are given; keep one of them")
    with extra("google", "gs"):
        from google.auth import credentials, impersonated_credentials

    if str(field("is_anonymous")).lower() == "true":
        return credentials.AnonymousCredentials()
    scopes = [one.strip() for one in str(field("scope") or scope).split(",")]
    chain = _chain(field("impersonation_chain"))
    found = _own_credentials(given, field, scopes)
    # The accounts before the last one only pass the right to impersonate on.
    if chain:
        found = found or gcs.default_credentials(scopes)
        found = impersonated_credentials.Credentials(found, chain[-1], target_scopes=scopes, delegates=chain[:-1])
    if field("quota_project_id"):
        found = (found or gcs.default_credentials(scopes)).with_quota_project(field("quota_project_id"))
    return found


def _own_credentials(given: list[str], field: Fields, scopes: list[str]) -> Any:
    """Return the credentials of the key or the configuration that is given; None where none is."""
    import google.auth
    from google.oauth2 import service_account

    if given == ["key_path"]:
        return service_account.Credentials.from_service_account_file(field("key_path"), scopes=scopes)
    if given == ["keyfile_dict"]:
        key = _mapping(field("keyfile_dict"), "keyfile_dict")
        return service_account.Credentials.from_service_account_info(key, scopes=scopes)
    if given == ["credential_config_file"]:
        config = field("credential_config_file")
        if isinstance(config, str) and not config.lstrip().startswith("{"):
            with open(config, encoding="utf-8") as file:
                config = file.read()
        # Any kind of credential, as the provider accepts it. People who may write connections are trusted.
        return google.auth.load_credentials_from_dict(_mapping(config, "credential_config_file"), scopes=scopes)[0]
    return None


def _mapping(value: Any, name: str) -> dict[str, Any]:
    """Return JSON as a mapping. Errors never quote it, because it holds a key."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(f"{name} is not JSON") from None
    if not isinstance(found, dict):
        raise ValueError(f"{name} is not a JSON object")
    return found


def _chain(value: Any) -> list[str]:
    """Return the service accounts to impersonate, in order. The last one reads the bucket."""
    accounts = value.split(",") if isinstance(value, str) else value or []
    return [account.strip() for account in accounts if account.strip()]


@contextmanager
def _fields(connection: AirflowConnection, conn_id: str, conn_type: str) -> Iterator[Fields]:
    """Give a connection's fields. Raises `ConfigError` for another type, and for fields that make no credentials."""
    where = f"the Airflow connection {conn_id!r}"
    if connection.conn_type != conn_type:
        raise ConfigError(f"{where} is of the type {connection.conn_type!r}; it has to be of the type {conn_type!r}")
    try:
        yield Fields(connection.extra_dejson, conn_type)
    except CloudCostsError:
        raise
    except OSError as error:
        raise ConfigError(f"{where} gives no access: {error.filename or ''}: {error.strerror or error}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{where} gives no access: {error}") from None
