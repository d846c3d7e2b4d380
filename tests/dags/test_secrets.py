"""No log, no row and no XCom holds a secret, whether a run succeeds or is refused for a wrong one."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

AWS_SECRET = "wrong-secret-key-that-no-log-may-show"
PG_PASSWORD = "wrong-password-that-no-log-may-show"


def all_that_is_kept(run: Any, query: Any) -> str:
    """Return the run's logs, its XComs, and every row that it may have written about itself."""
    rows = [query(f"select * from {table}") for table in ("load_history", "audit_results") if exists(query, table)]
    return "\n".join([run.log, json.dumps(run.xcoms()), str(rows), str(run.asset_events())])


def exists(query: Any, table: str) -> bool:
    return bool(query("select to_regclass(%s) is not null", table)[0][0])


@pytest.fixture
def signatures_count(s3: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the S3 server check signatures; gives an access key id that it knows."""
    iam = s3.session().client("iam", endpoint_url=s3.endpoint_url)
    name = f"loader-{uuid.uuid4().hex}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]

    monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0.0)
    return str(key)


@pytest.fixture
def passwords_count(postgres: Any) -> Iterator[str]:
    """Make PostgreSQL ask one user for a password; gives its name."""
    rules = postgres.data_dir / "pg_hba.conf"
    before = rules.read_text()
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute("create role asked login superuser password 'the right one'")
        rules.write_text(f"local all asked scram-sha-256\n{before}")
        connection.execute("select pg_reload_conf()")
    yield "asked"
    rules.write_text(before)
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute("select pg_reload_conf()")
        connection.execute("reassign owned by asked to postgres")
        connection.execute("drop role asked")


def connection_of(postgres: Any, user: str, password: str) -> str:
    return json.dumps(
        {
            "conn_type": "postgres",
            "host": str(postgres.socket_dir),
            "port": postgres.port,
            "login": user,
            "password": password,
            "schema": "postgres",
        }
    )


def test_successful_run_keeps_secrets_to_itself(
    run_dag, configure, bucket_on_s3, postgres, s3, query, monkeypatch, passwords_count
):
    monkeypatch.setenv("AIRFLOW_CONN_COSTS_DB", connection_of(postgres, passwords_count, "the right one"))
    bucket_on_s3.deliver("cup")
    run = run_dag(sources=["cup"])
    assert run.state == "success"
    kept = all_that_is_kept(run, query)
    assert "step=load_raw source=cup" in kept
    assert s3.secret not in kept
    assert "the right one" not in kept


def test_wrong_aws_secret_is_said_without_it(
    run_dag, configure, bucket_on_s3, s3, query, monkeypatch, signatures_count
):
    wrong = json.loads(s3.connection()) | {"login": signatures_count, "password": AWS_SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(wrong))
    run = run_dag(sources=["cup"])
    assert run.state == "failed"
    # No retries: a wrong secret stays wrong.
    assert (run.tasks["list_manifests"], run.tries["list_manifests"]) == ("failed", 1)
    kept = all_that_is_kept(run, query)
    assert "the secret access key is wrong" in kept
    assert "connection 'aws_default'" in kept
    assert AWS_SECRET not in kept


def test_wrong_postgres_password_is_said_without_it(run_dag, configure, postgres, query, monkeypatch, passwords_count):
    monkeypatch.setenv("AIRFLOW_CONN_COSTS_DB", connection_of(postgres, passwords_count, PG_PASSWORD))
    run = run_dag(sources=["cup"])
    assert run.state == "failed"
    assert (run.tasks["list_manifests"], run.tries["list_manifests"]) == ("failed", 1)
    assert run.tasks["refresh_views"] == "skipped"
    kept = all_that_is_kept(run, query)
    assert "list_manifests failed: PostgreSQL (connection 'costs_db')" in kept
    assert 'password authentication failed for user "asked"' in kept
    assert PG_PASSWORD not in kept


def test_missing_connection_is_named(run_dag, configure, query, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_COSTS_DB")
    run = run_dag(sources=["cup"])
    assert run.state == "failed"
    assert run.tries["list_manifests"] == 1
    assert "the Airflow connection 'costs_db' is not defined; add a connection of type Postgres with this id" in run.log


def test_aws_profile_that_does_not_exist_fails_its_own_source(run_dag, configure, bucket_on_s3, query, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "aws", "extra": {"profile_name": "nobody", "region_name": "x"}})
    )
    configure(["cup"], more=[{"name": "other", "format": "aws_cur", "uri": "s3://other/cur/", "conn_id": "other"}])
    bucket_on_s3.deliver("cup")
    run = run_dag()
    assert run.tasks["publish_0"] == "success"
    assert run.tasks["report"] == "failed"
    assert "1 problem(s): " in run.log
    assert "the Airflow connection 'other' gives no access: The config profile (nobody) could not be found" in run.log


def test_session_token_of_a_role_stays_secret(run_dag, configure, s3, query, monkeypatch, signatures_count):
    extra = {"endpoint_url": s3.endpoint_url, "region_name": "us-east-1", "aws_session_token": "token-no-log-may-show"}
    wrong = {"conn_type": "aws", "login": signatures_count, "password": AWS_SECRET, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(wrong))
    run = run_dag(sources=["cup"])
    assert run.tasks["list_manifests"] == "failed"
    kept = all_that_is_kept(run, query)
    assert "connection 'aws_default'" in kept
    assert "token-no-log-may-show" not in kept
    assert AWS_SECRET not in kept


@pytest.mark.parametrize(
    "connection",
    [
        "postgres://loader:wrong-password-that-no-log-may-show@localhost:port/costs",
        "postgres://loader:wrong-password-that-no-log-may-show@127.0.0.1:1/costs?no_such_option=1",
        '{"conn_type": "postgres", "login": "loader", "password": "wrong-password-that-no-log-may-show"',
    ],
)
def test_broken_connection_is_refused_without_its_password(run_dag, configure, query, monkeypatch, connection):
    monkeypatch.setenv("AIRFLOW_CONN_COSTS_DB", connection)
    run = run_dag(sources=["cup"])
    assert run.tasks["list_manifests"] == "failed"
    assert PG_PASSWORD not in all_that_is_kept(run, query)
