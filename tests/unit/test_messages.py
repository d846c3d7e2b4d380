"""What is said of the text of others: one line, nothing for a terminal, no secret."""

import pytest
from hostile import HOSTILE, NAMES, one_line

from cloud_costs.errors import CloudCostsError, ConfigError, DatabaseDenied
from cloud_costs.messages import safe

SECRET = "geheim/+=%41"


@pytest.mark.parametrize("text", HOSTILE, ids=NAMES)
def test_any_text_is_one_line_and_stays_so(text):
    assert one_line(safe(text))
    assert safe(safe(text)) == safe(text)


@pytest.mark.parametrize(
    "text", ["é 日本 🜁", "cup 2025-01: s3://b/key: no such object (connection 'aws_default', 404)"]
)
def test_what_people_write_stays_as_it_is(text):
    assert safe(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "connection to postgresql://loader:{}@db.example.com:5432/costs failed",
        "redis://:{}@redis:6379/0",
        "s3://AKIAEXAMPLE:{}@bucket/key is not a storage address",
        "invalid connection info: host=db user=loader password={} dbname=costs",
        "invalid connection info: password = '{}' sslpassword='{}'",
        '{{"login": "loader", "password": "{}", "extra": {{"aws_session_token": "{}"}}}}',
        "create or replace secret s (type s3, key_id 'AKIA', secret '{}', session_token '{}')",
        "Could not use aws_secret_access_key={}; AWS_SESSION_TOKEN: {}",
        "HTTPSConnectionPool(host='hooks.slack.com', port=443): Max retries exceeded with url: /services/T0/B0/geheim",
        "DefaultEndpointsProtocol=https;AccountName=billing;AccountKey={};EndpointSuffix=core.windows.net",
        "BlobEndpoint=https://billing.blob.core.windows.net;SharedAccessSignature=sv=2024&sig={}&se=2030",
        "Max retries exceeded with url: /costs?restype=container&comp=list&sv=2024-11-04&sp=rl&sig={}",
        "ClientSecretCredential(tenant_id='t', client_secret='{}')",
        '{{"account_key": "{}", "sas_token": "{}"}}',
        "HTTP 403 on https://storage.googleapis.com/b/k?X-Goog-Credential={}&X-Goog-Signature={}",
        '{{"type": "x", "private_key": "-----BEGIN PRIVATE KEY-----\\ngeheim\\n-----END PRIVATE KEY-----"}}',
        "Could not deserialize key -----BEGIN RSA PRIVATE KEY-----\ngeheim\n-----END RSA PRIVATE KEY-----",
        "Authorization: Bearer ya29.geheim-{}",
        "HTTP 403 on https://b.s3.amazonaws.com/k?X-Amz-Credential={}&X-Amz-Signature={}&X-Amz-Expires=60",
    ],
)
def test_secret_is_masked_and_the_rest_is_not(text):
    before = text.format(*[SECRET.replace("/", "_")] * 2)
    said = safe(before)
    assert "geheim" not in said
    # Nothing but the secret is gone: what stands before the first is as it was.
    kept = said.partition("***")[0]
    assert len(kept) > 5
    assert before.startswith(kept)


@pytest.mark.parametrize(
    "text",
    [
        'password authentication failed for user "loader"',
        "the secret access key is wrong (connection 'aws_default', SignatureDoesNotMatch)",
        "fe_sendauth: no password supplied",
        "http://127.0.0.1:5000/bucket/key",
        "wrong password, no such database, missing rights",
        "the account key or SAS token is wrong, has expired, or this machine's clock is wrong",
        "bearer of bad news: the account takes no keys; use an identity",
    ],
)
def test_words_about_secrets_are_not_masked(text):
    assert safe(text) == text


@pytest.mark.parametrize("kind", [CloudCostsError, ConfigError, DatabaseDenied])
def test_every_error_is_safe_to_log(kind):
    assert str(kind("a\nb\x1b postgresql://u:geheim@h")) == "a\\nb\\x1b postgresql://u:***@h"
