"""Secrets that other programs are handed do not come back in what they say of an error."""

import json
import subprocess
import sys
import traceback

import boto3
import psycopg
import pytest
from deliveries import write_month
from pipeline import JANUARY, load_month, staged_tables

from cloud_costs import environment
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import CloudCostsError, DatabaseDenied, DatabaseUnavailable, StorageDenied
from cloud_costs.storage.s3 import S3Storage

KEY, SECRET, TOKEN, PASSWORD = "AKIAGEHEIM", "geheim-key/+=", "geheim-token==", "geheim:@/%41'\" password"


def all_said(error: BaseException) -> str:
    """Return the error with its causes as a log has them."""
    return "".join(traceback.format_exception(error)) + repr(error)


def storage_of(s3):
    session = boto3.Session(KEY, SECRET, TOKEN, region_name="us-east-1")
    return S3Storage(session.client("s3", endpoint_url=s3.endpoint_url), "aws_default")


def test_load_that_is_denied_says_nothing_of_keys(database, query, s3, tmp_path, monkeypatch, caplog):
    bucket = s3.new_bucket()
    write_month(Bill(lines=60), JANUARY, tmp_path)
    s3.upload(tmp_path, bucket)
    monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0.0)
    source = Source(name="cup", format="aws_cur", uri=f"s3://{bucket}/{Bill().prefix}/{Bill().report}/")
    with pytest.raises(StorageDenied) as raised:
        load_month(database, source, JANUARY, storage_of(s3))
    rows = query("select * from load_history")
    assert [row for row in rows if "failed" in row]
    for said in (all_said(raised.value), str(rows), caplog.text):
        assert "geheim" not in said
    assert staged_tables(database) == []


@pytest.mark.parametrize(
    "conninfo",
    [
        "postgresql://loader:geheim@host:port/costs",
        "postgresql://loader:geheim@[bad/costs",
        "postgresql://loader:geheim@/costs?no_such_option=1",
        "host=/nowhere user=loader password=geheim no_such_option=1",
        "host=/nowhere user=loader password='geheim",
        "host=/nowhere user=loader password = geheim",
    ],
)
def test_broken_connection_string_is_refused_without_its_password(conninfo):
    database = Database(lambda: psycopg.connect(conninfo), "costs", "costs_db")
    with pytest.raises((DatabaseDenied, DatabaseUnavailable)) as raised, database.session():
        pass
    assert "geheim" not in all_said(raised.value) + repr(database)


def test_password_is_in_no_error_of_a_database_that_does_not_answer():
    names = {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": "1", "POSTGRES_DB": "costs", "POSTGRES_USER": "loader"}
    database = environment.database({**names, "POSTGRES_PASSWORD": PASSWORD})
    with pytest.raises(DatabaseUnavailable) as raised, database.session():
        pass
    assert "geheim" not in all_said(raised.value) + database.name


def test_address_with_a_password_in_the_configuration_is_refused_without_it(tmp_path):
    from cloud_costs.config.sources import load_sources

    path = tmp_path / "sources.yaml"
    source = {"name": "cup", "format": "aws_cur", "uri": f"https://{KEY}:geheim@s3.example.com/bucket/"}
    path.write_text(json.dumps({"sources": [source]}))
    with pytest.raises(CloudCostsError, match=r"https://AKIAGEHEIM:\*\*\*@s3") as raised:
        load_sources({"CLOUD_COSTS_CONFIG": str(path)})
    assert "geheim@" not in str(raised.value)


def test_traceback_of_the_command_line_shows_no_local_variable(tmp_path):
    """An error that nobody foresaw, in the middle of code that holds the password."""
    program = (
        "import psycopg, sys\n"
        "from cloud_costs import cli\n"
        "def connect(**options):\n    raise RuntimeError('nobody foresaw this')\n"
        "psycopg.connect = connect\n"
        "sys.argv = ['cloud_costs', 'test-connection']\n"
        "cli.app()\n"
    )
    names = {"POSTGRES_HOST": "h", "POSTGRES_DB": "d", "POSTGRES_USER": "u", "POSTGRES_PASSWORD": "geheim"}
    include = environment.__file__.rpartition("/cloud_costs/")[0]
    environ = {"PYTHONPATH": include, "PATH": "/usr/bin:/bin", **names}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "nobody foresaw this" in done.stderr
    assert "geheim" not in done.stdout + done.stderr
