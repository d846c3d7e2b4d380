"""The IAM policy of docs/security.md: what it allows is what the package asks of S3, no more and no less."""

import json
import re
import threading
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from deliveries import write_month
from pipeline import JANUARY, load_month
from werkzeug.serving import make_server

from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import StorageDenied
from cloud_costs.formats.aws import FORMATS
from cloud_costs.storage.s3 import S3Storage

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
PREFIX = "cup/CUP-Cost-Usage-Report/"
EXPORTS = [
    (name, files, manifest)
    for name in sorted(FORMATS)
    for files, manifest in (("parquet", "required"), ("csv", "none"))
]


def policy_for(bucket: str, prefix: str = PREFIX) -> dict[str, Any]:
    """Return the documented policy for another bucket and folder."""
    [text] = re.findall(r"^```json\n(.+?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    policy = text.replace("arn:aws:s3:::billing", f"arn:aws:s3:::{bucket}").replace(PREFIX, prefix)
    found: dict[str, Any] = json.loads(policy)
    return found


@pytest.fixture
def recorded(s3: Any) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Give moto's S3 at another address, and the list of the requests that come there."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    application = DomainDispatcherApplication(create_backend_app)
    requests: list[tuple[str, str, str]] = []

    def record(environ: Any, start_response: Any) -> Any:
        requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"]))
        return application(environ, start_response)

    server = make_server("127.0.0.1", 0, record, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", requests
    server.shutdown()
    thread.join()


def needed(method: str, path: str, query: str) -> tuple[str, str, str | None]:
    """Return the action of IAM that S3 asks for, its resource, and the prefix of a listing."""
    bucket, _, key = path.removeprefix("/").partition("/")
    parameters = parse_qs(query, keep_blank_values=True)
    if method == "GET" and not key and parameters.get("list-type") == ["2"]:
        return "s3:ListBucket", f"arn:aws:s3:::{bucket}", parameters.get("prefix", [""])[0]
    if method in ("GET", "HEAD") and key and not parameters:
        return "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", None
    return f"{method} {path}?{query}", "", None


def statement_for(policy: dict[str, Any], action: str, resource: str, prefix: str | None) -> str | None:
    """Return the statement that allows a request; one with a condition on a prefix allows only a listing of it."""
    for statement in policy["Statement"]:
        [pattern] = statement.get("Condition", {}).get("StringLike", {"s3:prefix": None}).values()
        listable = pattern is None or (prefix is not None and fnmatchcase(prefix, pattern))
        if statement["Action"] == action and fnmatchcase(resource, statement["Resource"]) and listable:
            return str(statement["Sid"])
    return None


def test_policy_allows_two_actions_on_what_is_named():
    policy = policy_for("b")
    assert [(one["Effect"], one["Action"], one["Resource"]) for one in policy["Statement"]] == [
        ("Allow", "s3:ListBucket", "arn:aws:s3:::b"),
        ("Allow", "s3:GetObject", f"arn:aws:s3:::b/{PREFIX}*"),
    ]
    assert policy["Statement"][0]["Condition"] == {"StringLike": {"s3:prefix": f"{PREFIX}*"}}


@pytest.mark.parametrize(("form", "files", "manifest"), EXPORTS)
def test_load_asks_for_nothing_that_the_policy_does_not_allow(
    database, query, s3, tmp_path, recorded, form, files, manifest
):
    endpoint_url, requests = recorded
    bucket = s3.new_bucket()
    bill = Bill(lines=60, files=2, format=form, file_type=files)
    truth = write_month(bill, JANUARY, tmp_path)
    s3.upload(tmp_path, bucket)
    prefix = f"{bill.prefix}/{bill.report}/"
    requests.clear()
    source = Source(name="cup", format=form, uri=f"s3://{bucket}/{prefix}", manifest=manifest)
    load_month(
        database, source, JANUARY, S3Storage(s3.session().client("s3", endpoint_url=endpoint_url), "aws_default")
    )
    assert query("select sum(cost) from costs") == [(truth.billed_cost,)]
    policy = policy_for(bucket, prefix)
    used = {statement_for(policy, *needed(*request)): request for request in requests}
    assert sorted(used) == ["ListTheExport", "ReadTheExport"], used


def test_policy_is_enforced_and_enough(database, query, s3, tmp_path, monkeypatch):
    """A user with this policy alone loads the month, and may neither write nor look elsewhere."""
    bucket = s3.new_bucket()
    bill = Bill(lines=60, files=2)
    truth = write_month(bill, JANUARY, tmp_path)
    s3.upload(tmp_path, bucket)
    s3.client().put_object(Bucket=bucket, Key="salaries.csv", Body=b"secret")
    iam = s3.session().client("iam", endpoint_url=s3.endpoint_url)
    iam.create_user(UserName="reads-costs")
    iam.put_user_policy(
        UserName="reads-costs",
        PolicyName="costs",
        PolicyDocument=json.dumps(policy_for(bucket, f"{bill.prefix}/{bill.report}/")),
    )
    key = iam.create_access_key(UserName="reads-costs")["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    storage = S3Storage(session.client("s3", endpoint_url=s3.endpoint_url), "aws_default")
    monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0.0)
    source = Source(name="cup", format="aws_cur", uri=f"s3://{bucket}/{bill.prefix}/{bill.report}/")
    load_month(database, source, JANUARY, storage)
    assert query("select sum(cost) from costs") == [(truth.billed_cost,)]
    with pytest.raises(StorageDenied, match="access denied"):
        storage.read(f"s3://{bucket}/salaries.csv")
    client = session.client("s3", endpoint_url=s3.endpoint_url)
    object_key = f"{bill.prefix}/{bill.report}/new"
    for forbidden in (
        lambda: client.put_object(Bucket=bucket, Key=object_key, Body=b""),
        lambda: client.delete_object(Bucket=bucket, Key=object_key),
        lambda: client.list_buckets(),
        lambda: client.get_bucket_policy(Bucket=bucket),
    ):
        with pytest.raises(client.exceptions.ClientError, match=r"AccessDenied|Forbidden"):
            forbidden()
