"""What the checks say of a wrong database or source: the words that an operator acts on."""

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from deliveries import write_month
from pipeline import JANUARY

from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.publishing.diagnosis import Diagnosis, Server, diagnose_database, diagnose_source, server_problems
from cloud_costs.storage.local import LocalStorage
from cloud_costs.storage.s3 import S3Storage

TINY = Bill(lines=30, files=2)
GOOD = Server("18.4", 180004, "loader", "costs", "UTF8", False, False, True, True)


@pytest.fixture
def server(postgres: Any) -> Callable[..., None]:
    """Run statements as the superuser, each by itself."""

    def run(*statements: str) -> None:
        with psycopg.connect(postgres.uri(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    return run


def only(diagnosis: Diagnosis) -> str:
    """Return the only problem."""
    [problem] = diagnosis.problems
    return problem


# --- the database


def test_good_database_is_told_with_its_version_role_and_schema(database):
    server, schema = diagnose_database(database).facts
    assert server.startswith("costs_db: PostgreSQL 18.")
    assert server.endswith(f"user {database.schema}_loader: ok")
    assert schema == f"schema {database.schema}: up to date"
    assert diagnose_database(database).problems == ()


def test_server_that_does_not_answer_is_told_what_to_look_at(database):
    nowhere = replace(database, connect=lambda: psycopg.connect("host=127.0.0.1 port=1 user=x dbname=x"))
    problem = only(diagnose_database(nowhere))
    assert "PostgreSQL (connection 'costs_db'): " in problem
    assert problem.endswith("; see that host and port of the connection are right, and that the server runs")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": "15.7", "version_num": 150007}, "PostgreSQL 15.7 is too old; use 16 or newer"),
        ({"encoding": "LATIN1"}, "the database costs has the encoding LATIN1"),
        ({"is_replica": True, "is_read_only": True}, "this server is a replica, which nobody can write to"),
        ({"is_read_only": True}, "default_transaction_read_only is on for loader: alter role"),
    ],
)
def test_server_that_cannot_hold_the_tables_is_told(changes, said):
    assert list(server_problems(GOOD)) == []
    [problem] = server_problems(replace(GOOD, **changes))
    assert problem.startswith(said)


def test_database_in_another_encoding_is_told_and_left_alone(postgres, database, server):
    name = f"ascii_{uuid.uuid4().hex[:8]}"
    server(f"create database {name} encoding 'SQL_ASCII' locale 'C' template template0")
    try:
        ascii_only = replace(database, connect=lambda: psycopg.connect(postgres.uri(), dbname=name))
        assert f"the database {name} has the encoding SQL_ASCII, which takes any bytes" in only(
            diagnose_database(ascii_only)
        )
        with psycopg.connect(postgres.uri(), dbname=name) as connection:
            made = connection.execute("select to_regnamespace(%s)", [database.schema]).fetchone()
        assert made == (None,)
    finally:
        server(f"drop database {name}")


def test_role_that_may_not_make_the_schemas_is_told_the_grant_that_mends_it(database, server):
    other = replace(database, schema=f"{database.schema}_2")
    role = f"{database.schema}_loader"
    problem = only(diagnose_database(other))
    schemas = f"{other.schema} and {other.staging_schema}"
    assert problem == (
        f"costs_db: {role} may not create the schema {schemas} in the database postgres; "
        f'run include/sql/schema/roles.sql as an administrator, or grant create on database "postgres" to "{role}"'
    )
    server(problem.partition(", or ")[2])
    applied = diagnose_database(other)
    assert applied.problems == ()
    assert applied.facts[1].startswith(f"schema {other.schema}: applied 001_tables.sql, ")


def test_what_belongs_to_another_role_is_told_with_the_statement_that_mends_it(database, administer):
    staging, role = database.staging_schema, f"{database.schema}_loader"
    administer(f"alter schema {staging} owner to postgres")
    administer("alter table load_history owner to postgres")
    problems = diagnose_database(database).problems
    for problem, what in zip(problems, (f"schema {staging}", f"table {database.schema}.load_history"), strict=True):
        mend = f"alter {what} owner to {role}"
        assert problem == f"costs_db: {what} belongs to postgres, not to {role}; connect as postgres, or: {mend}"
        administer(mend)
    assert diagnose_database(database).problems == ()


def test_read_only_role_and_missing_right_to_temporary_tables_are_told(postgres, database, server):
    name, role = f"strict_{uuid.uuid4().hex[:8]}", f"{database.schema}_loader"
    server(
        f"create database {name} owner {role}",
        f"revoke all on database {name} from public, {role}",
        f"grant connect, create on database {name} to {role}",
        f"alter role {role} in database {name} set default_transaction_read_only to on",
    )
    try:
        strict = replace(database, connect=lambda: psycopg.connect(postgres.uri(user=role), dbname=name))
        read_only, temporary = diagnose_database(strict).problems
        assert f"default_transaction_read_only is on for {role}" in read_only
        assert temporary == (
            f"costs_db: {role} may not make temporary tables, which the checks need: "
            f'grant temporary on database "{name}" to "{role}"'
        )
    finally:
        server(f"drop database {name}")


def test_pooler_that_shares_a_session_is_told(database):
    """Two clients of a pooler in transaction mode take turns on one session of PostgreSQL."""

    class Pooled(psycopg.Connection[Any]):
        def close(self) -> None:
            pass

    with database.session() as own:
        shared = Pooled.connect(own.info.dsn)
    try:
        problem = only(diagnose_database(replace(database, connect=lambda: shared)))
        assert "costs_db: two connections share one session, as through a pooler in transaction mode" in problem
    finally:
        psycopg.Connection.close(shared)


def test_tables_of_a_newer_version_are_told(database, query):
    query("insert into schema_versions (name) values ('999_later.sql')")
    assert "999_later.sql" in only(diagnose_database(database))


# --- a source


def source_of(bill: Bill, bucket: Any, **settings: Any) -> Source:
    given = {"format": bill.format, "tags": ("user:team",), **settings}
    return Source(name="cup", uri=f"file://{bucket}/{bill.prefix}/{bill.report}/", **given)


def diagnose(source: Source) -> Diagnosis:
    return diagnose_source(source, lambda source: LocalStorage())


@pytest.mark.parametrize("form", ["aws_cur", "aws_cur2", "aws_focus"])
@pytest.mark.parametrize("file_type", ["parquet", "csv"])
def test_good_source_is_told_down_to_its_first_file(bucket, form, file_type):
    bill = replace(TINY, format=form, file_type=file_type)
    truth = write_month(bill, JANUARY, bucket)
    found = diagnose(source_of(bill, bucket))
    assert found.problems == ()
    [fact] = found.facts
    assert fact.startswith(
        f"cup: 1 month(s), 2025-01 to 2025-01; the newest is version {truth.assembly_id}, 2 file(s), "
    )
    assert fact.endswith(" columns: ok")


@pytest.mark.parametrize(
    ("exported", "configured", "folders"),
    [
        ("aws_cur2", "aws_cur", "aws_cur2 or aws_focus"),
        ("aws_focus", "aws_cur", "aws_cur2 or aws_focus"),
        ("aws_cur", "aws_cur2", "aws_cur"),
        ("aws_cur", "aws_focus", "aws_cur"),
    ],
)
def test_format_of_another_layout_is_told(bucket, exported, configured, folders):
    bill = replace(TINY, format=exported)
    write_month(bill, JANUARY, bucket)
    problem = only(diagnose(source_of(bill, bucket, format=configured)))
    assert problem.endswith(f"; its folders are those of {folders}: correct format, which is {configured}")


@pytest.mark.parametrize("file_type", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("exported", "configured", "said"),
    [("aws_focus", "aws_cur2", "aws_focus"), ("aws_cur2", "aws_focus", "aws_cur or aws_cur2")],
)
def test_format_of_other_columns_is_told(bucket, file_type, exported, configured, said):
    bill = replace(TINY, format=exported, file_type=file_type)
    write_month(bill, JANUARY, bucket)
    problem = only(diagnose(source_of(bill, bucket, format=configured)))
    assert problem == f"cup: the columns of 2025-01 are those of {said}: correct format, which is {configured}"


def test_bucket_without_manifests_is_told_the_setting(bucket):
    write_month(TINY, JANUARY, bucket)
    for manifest in bucket.rglob("*-Manifest.json"):
        manifest.unlink()
    problem = only(diagnose(source_of(TINY, bucket)))
    assert problem.endswith("; it holds data files, so if nothing copies the manifests, set manifest: none")
    assert diagnose(source_of(TINY, bucket, manifest="none")).problems == ()


def test_empty_folder_is_told_as_it_is(bucket):
    problem = only(diagnose(source_of(TINY, bucket)))
    assert problem.startswith("cup: no manifest below file://")
    assert problem.endswith("; found nothing")


def test_first_month_after_the_newest_is_told(bucket):
    write_month(TINY, JANUARY, bucket)
    assert only(diagnose(source_of(TINY, bucket, first_month="2025-03"))) == (
        "cup: nothing is loaded: first_month is 2025-03, and the newest month of the export is 2025-01; correct "
        "first_month, or wait"
    )


def test_tag_without_a_column_is_told_with_those_that_have_one(bucket):
    write_month(TINY, JANUARY, bucket)
    problem = only(diagnose(source_of(TINY, bucket, tags=("user:team", "user:teem"))))
    assert problem.startswith("cup: tags: no column of 2025-01 holds 'user:teem', the export has ")
    assert "team" in problem.partition("the export has ")[2]


def test_stale_source_is_told(bucket):
    write_month(TINY, JANUARY, bucket)
    then = time.time() - 100 * 3600
    for manifest in bucket.rglob("*-Manifest.json"):
        os.utime(manifest, (then, then))
    assert only(diagnose(source_of(TINY, bucket))).startswith("cup is stale: its newest delivery, of 2025-01, ")
    assert diagnose(source_of(TINY, bucket, stale_after_hours=0)).problems == ()


def test_missing_file_is_told(bucket):
    write_month(TINY, JANUARY, bucket)
    next(bucket.rglob("*-00002.snappy.parquet")).unlink()
    assert "which is not at file://" in only(diagnose(source_of(TINY, bucket)))


def test_bucket_that_refuses_or_does_not_answer_is_told_what_to_do(s3):
    source = Source(name="cup", format="aws_cur", uri="s3://no-such-bucket-here/cup/")
    refused = only(diagnose_source(source, lambda source: s3.storage()))
    assert "the bucket does not exist" in refused
    assert refused.endswith("; correct the credentials, the bucket or its region, or grant list and read on it")
    nowhere = S3Storage(s3.session().client("s3", endpoint_url="http://127.0.0.1:1"), "aws_default")
    silent = only(
        diagnose_source(
            source,
            lambda source: nowhere,
        )
    )
    assert "Could not connect to the endpoint URL" in silent
    assert silent.endswith("; see that network, proxy and endpoint let this machine reach the storage")
