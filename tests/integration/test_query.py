"""`python -m cloud_costs query` answers from the delivery's files alone, and says in one line what is wrong."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deliveries import write_month
from pipeline import JANUARY
from typer.testing import CliRunner

from cloud_costs.cli import app
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import ConfigError
from cloud_costs.loading.query import ask
from cloud_costs.publishing.load import find_manifest
from cloud_costs.storage.local import LocalStorage

SUM = "select sum(line_item_unblended_cost)::decimal(18, 2) as cost, count(*) as n from lines"


@pytest.fixture
def query_cup(cup, tmp_path, monkeypatch):
    """Run the command in this process, as the shell does; return its status and all that it says."""
    path = tmp_path / "sources.yaml"
    path.write_text(f"sources:\n  - name: cup\n    format: aws_cur\n    uri: {cup.source.uri}\n")
    monkeypatch.setenv("CLOUD_COSTS_CONFIG", str(path))

    def run(statement: str, *options: str, source: str = "cup", month: str = "2025-01") -> tuple[int, str]:
        done = CliRunner().invoke(app, ["query", "--source", source, "--month", month, *options, statement])
        # A wrong answer is one line, never a traceback.
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, " ".join(done.output.split())

    return run


def test_answer_is_a_table(cup, query_cup):
    truth = cup.deliver()
    status, shown = query_cup("select count(*) as n from lines")
    assert (status, str(truth.raw_lines) in shown) == (0, True)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("selct 1", 'error: the query failed: Parser Error: syntax error at or near "selct"'),
        ("select no_such_column from lines", 'Referenced column "no_such_column" not found'),
        ("select * from costs", "Table with name costs does not exist"),
        ("select 'x'::integer", "Could not convert string 'x' to INT32"),
        ("", "error: the query failed: the statement is empty"),
        ("/* nothing */", "error: the query failed: the statement is empty"),
    ],
)
def test_wrong_statement_is_told_in_the_words_of_duckdb(cup, query_cup, statement, message):
    cup.deliver()
    status, shown = query_cup(statement)
    assert status == 1
    assert message in shown


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"month": "2024-12"}, "error: cup 2024-12: no manifest of this month below file://"),
        ({"month": "2025"}, "error: --month: "),
        ({"source": "cpu"}, "cpu"),
    ],
)
def test_what_is_not_there_is_told(cup, query_cup, where, message):
    cup.deliver()
    status, shown = query_cup("select 1", **where)
    assert status == 1
    assert message in shown


@pytest.mark.parametrize("form", ["csv", "parquet", "table"])
def test_output_that_cannot_be_written_is_told(cup, query_cup, tmp_path, form):
    cup.deliver()
    status, shown = query_cup("select 1 as a", "--format", form, "--output", str(tmp_path / "no/such/folder/a"))
    assert status == 1
    assert "error: --output: " in shown
    assert "cannot be written: No such file or directory" in shown


def test_parquet_needs_a_file_to_write(cup, query_cup):
    cup.deliver()
    assert query_cup("select 1", "--format", "parquet") == (
        1,
        "error: --output: Parquet needs a file to write; name one",
    )


def test_broken_file_is_told_by_name(cup, query_cup):
    cup.deliver()
    [path, *_] = sorted(cup.bucket.rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:100])
    status, shown = query_cup("select count(*) from lines")
    assert status == 1
    assert f"error: cup 2025-01: file://{path}: " in shown


def test_compressed_file_that_is_cut_is_told(bucket, cup, query_cup):
    """DuckDB itself takes it for a shorter file."""
    bill = Bill(lines=2000, files=1, file_type="csv", prefix=cup.bill.prefix, report=cup.bill.report)
    write_month(bill, JANUARY, bucket)
    [path] = bucket.rglob("*.csv.gz")
    path.write_bytes(path.read_bytes()[:-2000])
    status, shown = query_cup("select count(*) from lines")
    assert status == 1
    assert f"error: cup 2025-01: file://{path}: Compressed file ended before" in shown


@pytest.fixture
def secret(tmp_path) -> Path:
    path = tmp_path / "secret.csv"
    path.write_text("a\nsecret-that-no-query-may-show\n")
    return path


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_csv('{secret}')",
        "select * from read_text('{secret}')",
        "select * from read_blob('{secret}')",
        "select * from '{secret}'",
        "select * from read_parquet('{folder}/*')",
        "select * from glob('{folder}/*')",
        "select * from read_csv('file://{secret}')",
        "select * from read_text('delivery://../{secret}')",
        "copy lines to '{folder}/copied.csv'",
        "copy (select 1) to '{folder}/copied.parquet' (format parquet)",
        "export database '{folder}/copied'",
        "import database '{folder}'",
        "attach '{folder}/copied.db' as other",
        "install httpfs",
        "load httpfs",
        "load '{folder}/extension'",
        "select * from read_csv('https://example.com/a.csv')",
        "select * from read_parquet('s3://bucket/a.parquet')",
        "set disabled_filesystems = ''",
        "reset disabled_filesystems",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "set temp_directory = '{folder}'",
        "set memory_limit = '100GB'",
        "pragma temp_directory = '{folder}'",
    ],
)
def test_query_reads_and_writes_nothing_but_the_delivery(cup, query_cup, secret, statement):
    cup.deliver()
    folder = secret.parent
    before = {path for path in folder.rglob("*") if path.is_file()}
    status, shown = query_cup(statement.format(secret=secret, folder=folder))
    assert status == 1, shown
    assert "error: " in shown
    assert "secret-that-no-query-may-show" not in shown
    assert {path for path in folder.rglob("*") if path.is_file()} == before


def test_several_statements_do_not_open_a_way_out(cup, query_cup, secret):
    cup.deliver()
    status, shown = query_cup(f"reset disabled_filesystems; select * from read_text('{secret}')")
    assert status == 1
    assert "secret-that-no-query-may-show" not in shown


def test_query_that_needs_more_memory_ends_and_fills_no_disk(cup, monkeypatch, tmp_path):
    cup.deliver()
    monkeypatch.chdir(tmp_path)
    storage = LocalStorage()
    delivery = cup.source.form.read_delivery(find_manifest(storage, cup.source, JANUARY), storage)
    monkeypatch.setattr("cloud_costs.loading.query.MEMORY", "50MB")
    statement = "select a.range from range(30000000) a order by hash(a.range)"
    with (
        pytest.raises(ConfigError, match="the query failed: Out of Memory Error"),
        ask(storage, delivery, cup.source.form, statement) as answer,
    ):
        list(answer.rows())
    assert not list(tmp_path.glob("*.tmp"))


def test_answer_as_parquet_has_the_types_of_the_files(cup, query_cup, tmp_path):
    truth = cup.deliver()
    file = tmp_path / "answer.parquet"
    assert query_cup(SUM, "--format", "parquet", "--output", str(file)) == (0, "")
    assert pq.read_table(file).column("n").to_pylist() == [truth.raw_lines]
