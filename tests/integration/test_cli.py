"""The command line, as a person or a script runs it: a process of its own, exit codes, plain lines and bars.

Most of these processes are forked with the modules of the command line in them. `started` runs the very command.
"""

import os
import pty
import re
import select
import subprocess
import sys
from datetime import date
from pathlib import Path

import psycopg
import pytest
from deliveries import write_month
from pipeline import JANUARY, cost_totals, truth_totals
from processes import command_line
from roles import drop_roles, make_roles

from cloud_costs.demo.sample_bill import Bill

ROOT = Path(__file__).parents[2]
FEBRUARY = date(2025, 2, 1)
TINY = Bill(lines=20, files=1)
PASSWORD = "password-that-no-line-may-show"


class CommandLine:
    """`python -m cloud_costs` with the settings of one test."""

    def __init__(self, settings: dict[str, str]) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.environ = {
            **kept,
            "PYTHONPATH": str(ROOT / "include"),
            "PYTHONWARNINGS": "error",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            **settings,
        }

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return command_line(arguments, self.environ | settings, seconds=60)

    def started(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cloud_costs", *arguments],
            env=self.environ | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def lines(self, *arguments: str, **settings: str) -> list[str]:
        """Return the lines of a run that succeeds."""
        done = self.run(*arguments, **settings)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def error(self, *arguments: str, **settings: str) -> str:
        """Return the only error of a run that fails as it should: one line, no traceback."""
        done = self.run(*arguments, **settings)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        [error] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert done.stderr.splitlines()[-1] == error
        return error.removeprefix("error: ")

    def on_terminal(self, *arguments: str) -> str:
        """Run on a pseudo-terminal and return all that it shows."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "cloud_costs", *arguments],
            env={**self.environ, "TERM": "xterm", "COLUMNS": "200"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        try:
            while select.select([ours], [], [], 60)[0]:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # Linux's word for the end of a terminal
                    break
                if not part:
                    break
                shown += part
        finally:
            os.close(ours)
            assert process.wait(60) == 0, shown.decode()
        return shown.decode()


@pytest.fixture
def sources(tmp_path, cup):
    """A configuration with the source `cup`."""
    path = tmp_path / "sources.yaml"
    path.write_text(f"sources:\n  - name: cup\n    format: aws_cur\n    uri: {cup.source.uri}\n")
    return path


@pytest.fixture
def cli(postgres, database, sources):
    return CommandLine(
        {
            "CLOUD_COSTS_CONFIG": str(sources),
            "POSTGRES_HOST": str(postgres.socket_dir),
            "POSTGRES_PORT": str(postgres.port),
            "POSTGRES_DB": "postgres",
            "POSTGRES_USER": f"{database.schema}_loader",
            "POSTGRES_SCHEMA": database.schema,
        }
    )


def test_sync_loads_what_is_new_and_then_nothing(cli, cup, query):
    truth = cup.deliver()
    done = cli.started("sync")
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()
    assert first[-1] == "1 month(s) published, 0 failed"
    assert first[1].split() == ["cup", "2025-01", truth.assembly_id, "-", "load", "(new)"]
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)
    second = cli.lines("sync")
    assert second[-1] == "0 month(s) published, 0 failed"
    assert second[1].split() == ["cup", "2025-01", truth.assembly_id, truth.assembly_id, "unchanged"]
    assert query("select count(*) from load_history") == [(1,)]
    assert cli.lines("sync", "--force")[-1] == "1 month(s) published, 0 failed"
    assert query("select count(*) from load_history") == [(2,)]


def test_sync_shows_plain_lines_and_no_terminal_codes_in_a_log(cli, cup):
    cup.deliver()
    done = cli.run("sync")
    assert "\x1b" not in done.stdout + done.stderr
    assert "step=load_raw source=cup month=2025-01" in done.stderr


def test_sync_shows_bars_on_a_terminal(cli, cup):
    truth = cup.deliver()
    shown = cli.on_terminal("sync")
    assert "\x1b[" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert re.search(rf"cup 2025-01 ━+ {truth.raw_lines:,} rows  published", plain)
    assert "1 month(s) published, 0 failed" in plain
    assert " INFO " not in plain


def test_dry_run_shows_the_plan_and_loads_nothing(cli, cup, query):
    cup.deliver()
    assert cli.lines("sync", "--dry-run")[1].endswith("load (new)")
    assert query("select count(*) from load_history") == [(0,)]
    assert query("select to_regclass('raw_cup')") == [(None,)]


def test_dry_run_fails_when_a_source_cannot_be_listed(cli, cup, sources):
    cup.deliver()
    sources.write_text(sources.read_text() + "  - {name: lost, format: aws_cur, uri: 'file:///nowhere/lost/'}\n")
    assert cli.error("sync", "--dry-run").startswith("lost: no manifest below file:///nowhere/lost/")


def test_raw_only_publishes_raw_and_no_costs(cli, cup, query):
    truth = cup.deliver()
    assert cli.lines("sync", "--raw-only")[-1] == "1 month(s) published, 0 failed"
    assert query("select count(*) from raw_cup") == [(truth.raw_lines,)]
    assert query("select raw_only from load_history") == [(True,)]
    assert cli.lines("list-manifests")[1].endswith("load (only raw is published)")
    assert cli.lines("list-manifests", "--force")[1].endswith("load (forced)")


def test_months_and_sources_can_be_picked(cli, cup, sources, tmp_path):
    write_month(TINY, JANUARY, tmp_path / "eu")
    sources.write_text(
        sources.read_text()
        + f"  - {{name: eu, format: aws_cur, uri: 'file://{tmp_path}/eu/{TINY.prefix}/{TINY.report}'}}\n"
    )
    for month in (JANUARY, FEBRUARY, date(2025, 3, 1)):
        cup.deliver(month)

    def planned(*arguments: str) -> list[str]:
        return [" ".join(line.split()[:2]) for line in cli.lines("list-manifests", *arguments)[1:]]

    assert planned() == ["cup 2025-03", "cup 2025-02", "cup 2025-01", "eu 2025-01"]
    assert planned("--source", "eu", "--source", "cup", "--to-month", "2025-01") == ["cup 2025-01", "eu 2025-01"]
    assert planned("--source", "cup", "--from-month", "2025-02", "--to-month", "2025-02") == ["cup 2025-02"]


def test_month_that_fails_hinders_no_other_and_fails_the_run(cli, cup, query):
    cup.deliver(JANUARY)
    cup.deliver(FEBRUARY)
    [broken] = cup.bucket.rglob("month=2/*-00001.snappy.parquet")
    broken.write_bytes(b"not parquet")
    assert cli.error("sync").startswith(f"cup 2025-02: file://{broken}: ")
    assert query("select billing_period, status from load_history order by 1") == [
        (JANUARY, "published"),
        (FEBRUARY, "failed"),
    ]


def test_source_that_fails_is_told_and_the_others_are_loaded(cli, cup, sources, query):
    cup.deliver()
    sources.write_text(sources.read_text() + "  - {name: lost, format: aws_cur, uri: 'file:///nowhere/lost/'}\n")
    assert cli.error("sync").startswith("lost: no manifest below file:///nowhere/lost/")
    assert query("select status from load_history") == [("published",)]
    assert cli.error("list-manifests").startswith("lost: no manifest below")


def test_connection_is_tested_and_the_tables_made(cli, postgres):
    schema = "t_made_by_the_command_line"
    own = {"POSTGRES_SCHEMA": schema, "POSTGRES_USER": f"{schema}_loader"}
    make_roles(postgres, schema)
    try:
        first, second = cli.lines("test-connection", **own)
        assert re.fullmatch(rf"{schema}_loader@/.+:5432/postgres: PostgreSQL 18\..+, user {schema}_loader: ok", first)
        assert re.fullmatch(rf"schema {schema}: applied 001_tables\.sql.*", second)
        assert cli.lines("test-connection", **own)[1] == f"schema {schema}: up to date"
    finally:
        drop_roles(postgres, schema)


def test_source_is_tested_down_to_the_rows_of_its_newest_file(cli, cup, sources):
    cup.deliver(JANUARY)
    truth = cup.deliver(FEBRUARY)
    [line] = cli.lines("test-source", "--source", "cup")
    assert re.fullmatch(
        rf"cup: 2 month\(s\), 2025-01 to 2025-02; the newest is version {truth.assembly_id}, 2 file\(s\), \d+ bytes; "
        r"the first has \d+ rows, \d+ columns: ok",
        line,
    )
    sources.write_text(sources.read_text() + "    raw: mapped\n")
    assert re.search(r"\d+ rows, \d+ columns, \d\d of them kept: ok$", cli.lines("test-source")[0])
    [broken] = cup.bucket.rglob("month=2/*-00001.snappy.parquet")
    broken.write_bytes(b"not parquet")
    assert cli.error("test-source").startswith(f"cup 2025-02: file://{broken}: ")


def test_source_in_a_bucket_is_tested_with_credentials_from_the_environment(cli, s3, sources, tmp_path):
    bucket = s3.new_bucket()
    write_month(TINY, JANUARY, tmp_path / "export")
    s3.upload(tmp_path / "export", bucket)
    sources.write_text(f"sources: [{{name: cup, format: aws_cur, uri: 's3://{bucket}/{TINY.prefix}/{TINY.report}'}}]")
    keys = {"AWS_ACCESS_KEY_ID": s3.key_id, "AWS_SECRET_ACCESS_KEY": PASSWORD, "AWS_ENDPOINT_URL": s3.endpoint_url}
    assert cli.lines("test-source", **keys)[0].endswith("columns: ok")
    assert cli.lines("sync", **keys)[-1] == "1 month(s) published, 0 failed"
    down = {**keys, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    assert "Could not connect to the endpoint URL" in cli.error("sync", **down)
    assert "gives no AWS credentials" in cli.error("test-source", AWS_ENDPOINT_URL=s3.endpoint_url)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["sync", "--from-month", "2025-13"],
            "from_month: '2025-13' is not a month; write YYYY-MM, for example 2025-01",
        ),
        (
            ["list-manifests", "--to-month", "January"],
            "to_month: 'January' is not a month; write YYYY-MM, for example 2025-01",
        ),
        (["test-source", "--source", "nope"], "sources: 'nope' is not configured; configured are cup"),
    ],
)
def test_wrong_argument_is_told_on_one_line(cli, arguments, told):
    assert cli.error(*arguments).startswith(told)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"CLOUD_COSTS_CONFIG": "/nowhere/sources.yaml"}, "/nowhere/sources.yaml: no such file (CLOUD_COSTS_CONFIG"),
        ({"POSTGRES_HOST": ""}, "POSTGRES_HOST is not set; .env.example lists what the command line needs"),
        ({"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": "1"}, "_loader@127.0.0.1:1/postgres'): "),
        ({"POSTGRES_DB": "nope"}, 'database "nope" does not exist'),
        ({"POSTGRES_USER": "nope"}, 'role "nope" does not exist'),
    ],
)
def test_wrong_setting_is_told_on_one_line(cli, settings, told):
    assert told in cli.error("sync", **settings)


def test_command_that_is_started_says_the_same(cli, cup):
    cup.deliver()
    for arguments in (["sync", "--from-month", "2025-13"], ["sink"], ["--help"], ["list-manifests"]):
        started, forked = cli.started(*arguments), cli.run(*arguments)
        for name in ("returncode", "stdout", "stderr"):
            assert getattr(started, name) == getattr(forked, name), name


@pytest.fixture
def locked(postgres):
    """A role that needs its password, on the server of all tests: rules for it alone come before the others."""
    rules = postgres.data_dir / "pg_hba.conf"
    before = rules.read_text()
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute("create role locked login password 'right'; grant connect on database postgres to locked")
        connection.execute("create role barred login")
        rules.write_text("local all locked scram-sha-256\nlocal all barred reject\n" + before)
        connection.execute("select pg_reload_conf()")
        yield
        rules.write_text(before)
        connection.execute("select pg_reload_conf()")
        connection.execute("drop owned by locked; drop role locked")
        connection.execute("drop role barred")


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"POSTGRES_USER": "locked", "POSTGRES_PASSWORD": PASSWORD}, "password authentication failed"),
        ({"POSTGRES_USER": "locked"}, "no password supplied"),
        ({"POSTGRES_USER": "barred", "POSTGRES_PASSWORD": PASSWORD}, 'pg_hba.conf rejects connection for .*"barred"'),
    ],
)
def test_database_that_refuses_is_told_without_the_password(cli, settings, told):
    assert re.search(told, cli.error("test-connection", **settings))


@pytest.mark.usefixtures("locked")
def test_every_missing_right_is_told_on_a_line(cli):
    done = cli.run("test-connection", POSTGRES_USER="locked", POSTGRES_PASSWORD="right", POSTGRES_SCHEMA="theirs")
    assert done.returncode == 1
    assert "PostgreSQL 18." in done.stdout
    schemas, temporary = done.stderr.splitlines()
    assert re.fullmatch(r"error: locked@.+: locked may not create the schema theirs and theirs_staging in .+", schemas)
    assert re.fullmatch(r"error: locked@.+: locked may not make temporary tables, .+", temporary)


def test_unknown_flag_and_command_are_usage_errors(cli):
    for arguments in (["sync", "--sauce", "cup"], ["sink"]):
        done = cli.run(*arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_log_level_that_is_none_is_no_error(cli, cup):
    cup.deliver()
    assert cli.lines("list-manifests", LOG_LEVEL="nonsense")


def test_every_command_and_flag_has_help(cli):
    shown = "\n".join(cli.lines("--help"))
    assert all(command in shown for command in ("sync", "list-manifests", "test-connection", "test-source"))
    shown = "\n".join(cli.lines("sync", "--help"))
    assert all(
        flag in shown for flag in ("--source", "--from-month", "--to-month", "--force", "--dry-run", "--raw-only")
    )


@pytest.mark.alone
def test_command_line_starts_fast_and_without_airflow_or_boto3(cli):
    program = (
        "import sys, time; began = time.process_time(); import cloud_costs.cli; "
        "print(time.process_time() - began, sorted({'airflow', 'boto3', 'botocore'} & set(sys.modules)))"
    )
    fastest = 10.0
    # What else the machine does can cost a process time of its own, but not thrice.
    for _ in range(3):
        shown = subprocess.run(
            [sys.executable, "-c", program], env=cli.environ, capture_output=True, text=True, check=True
        ).stdout
        seconds, modules = shown.split(maxsplit=1)
        assert modules.strip() == "[]"
        fastest = min(fastest, float(seconds))
    assert fastest < 1


def test_renew_derives_published_months_again(cli, cup, query):
    truth = cup.deliver()
    cli.lines("sync")
    assert cli.lines("renew")[-1] == "0 month(s) derived again, 0 failed"
    query("update load_history set mapping = 'earlier'")
    query("update cup_normalized set service = 'AmazonEC2'")
    assert "unchanged (derived by an earlier version: renew it)" in cli.lines("list-manifests")[1]
    assert cli.lines("renew", "--dry-run")[-2:] == ["cup 2025-01", "1 month(s) would be derived again"]
    assert query("select distinct service from costs") == [("AmazonEC2",)]
    assert cli.lines("renew")[-2:] == ["cup 2025-01", "1 month(s) derived again, 0 failed"]
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)
    assert cli.lines("renew", "--force", "--from-month", "2025-02")[-1] == "0 month(s) derived again, 0 failed"
    query("drop table raw_cup cascade")
    assert "the published lines were dropped too" in cli.error("renew", "--force")


def test_sync_exports_what_it_published_and_export_and_query_do_so_by_themselves(cli, cup, sources, tmp_path):
    truth = cup.deliver()
    lake = f"file://{tmp_path}/lake/"
    sources.write_text(sources.read_text() + f"    export: {{to: '{lake}'}}\n")
    shown = cli.lines("sync")
    assert shown[-2] == "1 month(s) published, 0 failed"
    assert re.fullmatch(r"cup 2025-01: exported, [\d,]+ rows, version [0-9a-f]{16}", shown[-1])
    assert cli.lines("export", "--to", lake) == [shown[-1].replace("exported", "unchanged")]

    statement = "select source, month, sum({}) as cost from lines join files using (file) group by all"
    asked = ("query", "--format", "csv", "--export", f"{lake}focus_costs_v1_2/")
    expected = ["source,month,cost", f"cup,2025-01,{truth.billed_cost:.18f}"]
    assert cli.lines(*asked, statement.format("billedcost")) == expected
    assert cli.lines(*asked, "--month", "2025-01", statement.format("billedcost")) == expected
    [shown] = cli.lines("export", "--to", lake, "--relation", "costs", "--format", "csv", "--source", "cup")
    assert shown.startswith("cup 2025-01: exported")
    asked = ("query", "--format", "csv", "--export", f"{lake}costs")
    assert cli.lines(*asked, "--source", "cup", statement.format("cost")) == expected
    manifest = "select version, content ->> 'source' as source from manifest"
    assert cli.lines(*asked, manifest) == ["version,source", f"{shown[-16:]},cup"]

    assert "--export: no exported month below" in cli.error(*asked, "--source", "ca", manifest)
    assert cli.error("query", manifest) == "a query needs --source and --month, or --export"
    assert "'nowhere' is not a storage address" in cli.error("query", "--export", "nowhere", manifest)
    assert cli.error("export", "--to", "nowhere").startswith("--to: 'nowhere' is not a storage address")
    assert cli.error("export", "--to", lake, "--version", "1.9").startswith("--version: '1.9' is not allowed")
    assert cli.error("export", "--to", lake, "--source", "ca") == (
        "sources: 'ca' has no published month; published are months of cup"
    )
    # A sync whose export fails has published all the same.
    (tmp_path / "a file").write_text("")
    sources.write_text(sources.read_text().replace("/lake/", "/a file/"))
    cup.deliver(version=2)
    done = cli.run("sync")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "1 month(s) published, 0 failed")
    assert re.search(r"error: cup 2025-01: file://.*/a file/\S+: (Not a directory|File exists)", done.stderr)
