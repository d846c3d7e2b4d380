"""CSV files as hostile as they come: what is exact is loaded, what is not is refused by file, line and column."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from decimal import Decimal, localcontext
from pathlib import Path

import pyarrow as pa
import pytest
from pipeline import JANUARY, crafted_source, line, load_month, staged_tables, write_delivery
from roles import loader_uri

from cloud_costs.config.sources import Source
from cloud_costs.errors import AuditFailed, ColumnTypeError, DeliveryError, DeliveryNotReady
from cloud_costs.loading.csv_files import holds_end_mark
from cloud_costs.publishing.load import load_raw
from cloud_costs.storage import ranges
from cloud_costs.storage.local import LocalStorage

LINE = {
    "identity/LineItemId": "line",
    "bill/PayerAccountId": "011254002932",
    "bill/InvoiceId": "",
    "bill/BillingPeriodStartDate": "2025-01-01T00:00:00Z",
    "bill/BillingPeriodEndDate": "2025-02-01T00:00:00Z",
    "lineItem/UsageAccountId": "004512887103",
    "lineItem/LineItemType": "Usage",
    "lineItem/UsageStartDate": "2025-01-01T00:00:00Z",
    "lineItem/UsageEndDate": "2025-01-01T01:00:00Z",
    "lineItem/ProductCode": "AmazonEC2",
    "lineItem/CurrencyCode": "USD",
    "lineItem/LineItemDescription": "",
    "lineItem/UnblendedCost": "1.5",
}
COST = list(LINE).index("lineItem/UnblendedCost")
DESCRIPTION = "lineItem/LineItemDescription"


def row(**values: str) -> dict[str, str]:
    """Return one line of 1.5 USD; `cost`, `description`, `invoice`, `account` replace a value."""
    keys = {
        "cost": "lineItem/UnblendedCost",
        "description": DESCRIPTION,
        "invoice": "bill/InvoiceId",
        "account": "lineItem/UsageAccountId",
    }
    return {**LINE, **{keys[name]: value for name, value in values.items()}}


def text(*rows: dict[str, str], end: str = "\n") -> bytes:
    """Return rows as CSV with the header of the first."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else list(LINE), lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def zipped(**members: bytes) -> bytes:
    """Return a zip of members; `a_csv` is named a.csv."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return out.getvalue()


def deliver(folder: Path, *files: bytes, suffix: str = "csv", month: str = "01", version: str = "v1") -> list[Path]:
    """Deliver files as they are, as a legacy report in overwrite mode."""
    keys = [f"crafted/2025{month}01-2025{int(month) + 1:02}01/crafted-{n:05}.{suffix}" for n, _ in enumerate(files, 1)]
    paths = [folder / key for key in keys]
    for path, content in zip(paths, files, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    manifest = {
        "assemblyId": version,
        "bucket": "crafted",
        "billingPeriod": {"start": f"2025{month}01T000000.000Z"},
        "reportKeys": keys,
    }
    paths[0].with_name("crafted-Manifest.json").write_text(json.dumps(manifest))
    return paths


@pytest.fixture
def source(bucket: Path) -> Source:
    return crafted_source(bucket)


def refuse(database, source, kind=DeliveryError, storage=None) -> str:
    with pytest.raises(kind) as raised:
        load_raw(database, storage or LocalStorage(), source, JANUARY)
    assert str(raised.value).startswith("crafted 2025-01: ")
    return str(raised.value)


@pytest.mark.parametrize("junk", ["None", "null", "1,234.5", "$5", "1.5 USD", "-", "1.5.5", "\\N", "ⅷ", "0,5", "--1"])
def test_junk_in_a_money_column_names_file_line_and_column(database, bucket, published, junk):
    paths = deliver(bucket, text(row(), row()), text(row(), row(), row(cost=junk), row()))
    message = refuse(database, published)
    assert f"file://{paths[1]}: line 4, column line_item_unblended_cost: " in message
    assert f'"{junk}"' in message


@pytest.mark.parametrize("suffix", ["csv.gz", "csv.zip"])
def test_junk_in_a_packed_file_names_the_line_of_its_csv(database, bucket, published, suffix):
    bad = text(row(), row(cost="None"))
    packed = gzip.compress(bad) if suffix == "csv.gz" else zipped(a_csv=text(row()), b_csv=bad)
    path = deliver(bucket, packed, suffix=suffix)[0]
    name = f"file://{path}" if suffix == "csv.gz" else f"file://{path} (b.csv)"
    assert f"{name}: line 3, column line_item_unblended_cost: " in refuse(database, published)


def test_line_is_that_of_an_editor_after_a_line_break_in_quotes(database, bucket, published):
    """COPY counts physical lines, and so does what shows the file to a human."""
    content = text(row(description="one\ntwo\nthree"), row(cost="None"))
    deliver(bucket, content)
    assert content.decode().split("\n")[4].endswith("None")
    assert ": line 5, column line_item_unblended_cost: " in refuse(database, published)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-inf"])
def test_cost_that_is_no_finite_number_is_refused(database, bucket, published, value):
    deliver(bucket, text(row(), row(cost=value)))
    with pytest.raises(AuditFailed, match=r"costs_are_finite .*line_item_id=line"):
        load_month(database, published, JANUARY)
    deliver(bucket, text(row()), version="v2")
    load_month(database, published, JANUARY)


def test_junk_in_a_date_names_the_column(database, bucket, published):
    deliver(bucket, text({**row(), "lineItem/UsageStartDate": "yesterday evening"}))
    assert ": line 2, column line_item_usage_start_date: " in refuse(database, published)


def test_every_digit_of_money_is_kept(database, bucket, query, source):
    costs = ["0.00000000000000000001", "-1234567890123456789.123456789", "1E-7", "1.5E3", "+2", " 3 ", ".5", "007"]
    deliver(bucket, text(*(row(cost=cost) for cost in costs)))
    load_month(database, source, JANUARY)
    with localcontext(prec=60):
        assert query("select sum(cost) from costs") == [(sum(Decimal(cost) for cost in costs),)]


def test_rows_of_wrong_width_are_refused(database, bucket, published):
    good = text(row())
    for extra, words in ((b"a,b\n", "missing data"), (good.split(b"\n")[1] + b",more\n", "extra data"), (b"\n", "")):
        deliver(bucket, good + extra)
        message = refuse(database, published)
        assert ": line 3" in message
        assert words in message


def test_last_line_needs_no_line_break(database, bucket, query, source):
    deliver(bucket, text(row(), row()).removesuffix(b"\n"))
    load_month(database, source, JANUARY)
    assert query("select sum(cost), sum(line_items) from costs") == [(3, 2)]


def test_backslash_and_dot_is_data(database, bucket, query, source):
    """Older clients end a copy at such a line."""
    deliver(bucket, text(row(description="a\n\\.\nb"), row(description="\\."), row(description="\\N")))
    load_month(database, source, JANUARY)
    assert query("select line_item_line_item_description from raw_crafted order by 1 desc") == [
        ("a\n\\.\nb",),
        ("\\N",),
        ("\\.",),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_bom_and_crlf_change_nothing(database, bucket, query, source, bom, end):
    deliver(bucket, bom + text(row(description="two\nlines"), row(), end=end), bom + text(row(cost="2"), end=end))
    load_month(database, source, JANUARY)
    assert query("select sum(cost) from costs") == [(5,)]
    assert query(
        "select identity_line_item_id, line_item_line_item_description from raw_crafted order by 2 limit 1"
    ) == [("line", "two\nlines")]
    names = {name for (name,) in query("select original_name from raw_columns")}
    assert set(LINE) <= names


def test_carriage_returns_alone_are_refused_and_not_taken_for_an_empty_month(database, bucket, published):
    deliver(bucket, text(row(), row(), end="\r"))
    assert "the lines end with a carriage return alone" in refuse(database, published)


def test_quoted_empty_values_are_absent(database, bucket, query, source):
    header, values = text(row()).decode().splitlines()
    deliver(bucket, f"{header}\n{values}\n{','.join(f'{chr(34)}{v}{chr(34)}' for v in values.split(','))}\n".encode())
    load_month(database, source, JANUARY)
    assert query("select count(*) from raw_crafted where bill_invoice_id is null") == [(2,)]
    assert query("select sum(cost), count(distinct invoice_id) from costs") == [(3, 0)]


def test_ids_keep_their_leading_zeros(database, bucket, query, source):
    deliver(bucket, text(row(invoice="000123"), row(invoice="123", account="000000000001")))
    load_month(database, source, JANUARY)
    assert query("select invoice_id, account_id, billing_account_id from costs order by 1") == [
        ("000123", "004512887103", "011254002932"),
        ("123", "000000000001", "011254002932"),
    ]


def test_very_long_fields_are_kept(database, bucket, query, source):
    long = "é\n" * 3_000_000
    deliver(bucket, text(row(), row(description=long)))
    load_month(database, source, JANUARY)
    assert query("select max(length(line_item_line_item_description)), sum(1) from raw_crafted") == [(len(long), 2)]


def test_headers_that_collide_are_all_kept_and_told_apart(database, bucket, query, source):
    tags = ["resourceTags/user:Name", "resourceTags/user:name", "resourceTags/user:na-me", "resourceTags/user:na:me"]
    deliver(bucket, text({**row(), **{tag: tag[-5:] for tag in tags}}))
    load_month(database, source, JANUARY)
    names = dict(query("select original_name, column_name from raw_columns where original_name like 'resourceTags/%%'"))
    assert sorted(names) == sorted(tags)
    assert len(set(names.values())) == 4
    for tag, name in names.items():
        assert query(f'select "{name}" from raw_crafted') == [(tag[-5:],)]
    # Another order in another file, and in the next delivery, changes no name.
    second = {**row(), **{tag: tag[-5:] for tag in reversed(tags)}}
    deliver(bucket, text(second), text({**row(), **{tag: tag[-5:] for tag in tags[:2]}}), version="v2")
    load_month(database, source, JANUARY)
    assert names == dict(
        query("select original_name, column_name from raw_columns where original_name like 'resourceTags/%%'")
    )
    assert query(f'select count(*) from raw_crafted where "{names[tags[0]]}" = %s', tags[0][-5:]) == [(2,)]
    assert query("select tags from focus_costs order by length(tags::text) desc limit 1")[0][0].keys() == {
        tag[13:] for tag in tags
    }


def test_header_that_names_a_column_twice_is_refused(database, bucket, published):
    header, values, _ = text(row()).split(b"\n")
    path = deliver(bucket, header + b",lineItem/UnblendedCost\n" + values + b",7\n")[0]
    assert f"file://{path}: the header names 'lineItem/UnblendedCost' twice" in refuse(database, published)


def test_files_with_a_header_alone_are_an_empty_month(database, bucket, query, source):
    deliver(bucket, text(), text().rstrip(b"\n"))
    load_month(database, source, JANUARY)
    assert query("select count(*) from costs") == [(0,)]
    assert query("select rows, files, billed_cost from load_history") == [(0, 2, {})]
    deliver(bucket, text(row()), text(), text(row(), row()), version="v2")
    load_month(database, source, JANUARY)
    assert query("select sum(cost) from costs") == [(Decimal("4.5"),)]


def test_file_with_nothing_in_it_is_refused(database, bucket, published):
    for content, suffix in (
        (b"", "csv"),
        (b"\n\n", "csv"),
        (b"\xef\xbb\xbf", "csv"),
        (b"", "csv.gz"),
        (gzip.compress(b""), "csv.gz"),
        (zipped(a_csv=b""), "csv.zip"),
    ):
        path = deliver(bucket, content, suffix=suffix)[0]
        message = refuse(database, published)
        assert f"file://{path}" in message
        assert "not even a header is there" in message
    deliver(bucket, b"", suffix="csv.zip")
    assert "not a zip file" in refuse(database, published)


def test_columns_that_differ_between_files_are_one_table(database, bucket, query, source):
    other = {"lineItem/UnblendedCost": "", **row(cost="2"), "product/New": "x"}
    deliver(bucket, text(row()), text(other))
    load_month(database, source, JANUARY)
    assert query("select sum(cost) from costs") == [(Decimal("3.5"),)]
    assert query("select product_new from raw_crafted order by 1") == [("x",), (None,)]


def test_too_many_columns_are_refused(database, bucket, published):
    many = {f"product/a{n}": "" for n in range(1600)}
    deliver(bucket, text({**row(), **many}))
    assert f"{1600 + len(LINE)} columns; PostgreSQL takes 1599 at most" in refuse(database, published)
    # Each file would do; together they are too many, and so are they with the published months.
    few = [{**row(), **{f"product/a{n}": "" for n in numbers}} for numbers in (range(900), range(900, 1800))]
    deliver(bucket, *(text(one) for one in few))
    assert f"{1800 + len(LINE)} columns in all files" in refuse(database, published)
    write_delivery(bucket, [line(**dict.fromkeys(many, "x"))])
    (bucket / "crafted/20250101-20250201/crafted-00001.csv").unlink()
    assert "columns; PostgreSQL takes 1599 at most" in refuse(database, published)


def test_columns_of_all_months_are_counted(database, bucket, query, source):
    for month, numbers in (("01", range(900)), ("02", range(900, 1800))):
        deliver(bucket, text({**row(), **{f"product/a{n}": "" for n in numbers}}), month=month)
    load_month(database, source, JANUARY)
    with pytest.raises(DeliveryError, match=f"crafted 2025-02: .*{1800 + len(LINE)} with those of the published"):
        load_raw(database, LocalStorage(), source, JANUARY.replace(month=2))


def test_line_that_no_page_can_hold_is_refused(database, bucket, published):
    wide = {f"product/a{n}": "0123456789" for n in range(1500)}
    path = deliver(bucket, text({**row(), **dict.fromkeys(wide, "")}, {**row(), **wide}))[0]
    words = "PostgreSQL cannot hold a line: row is too big"
    assert f"file://{path}: {words}" in refuse(database, published)
    path.unlink()
    path = write_delivery(bucket, [line(), line(**wide)])[0]
    assert f"file://{path}: {words}" in refuse(database, published)
    path.unlink()
    path.parent.rmdir()


@pytest.mark.parametrize("content", [b"\xff\xfe", "é".encode("latin-1"), b"a\x00b"])
def test_text_that_is_not_utf8_names_file_and_line(database, bucket, published, content):
    path = deliver(bucket, text(row(), row(description="HERE")).replace(b"HERE", content))[0]
    message = refuse(database, published)
    assert f"file://{path}: line 3" in message
    assert "invalid byte sequence" in message
    path = deliver(bucket, text().replace(b"ProductCode", content) + b"x\n")[0]
    message = refuse(database, published)
    assert f"file://{path}" in message


def test_quote_that_never_ends_is_refused(database, bucket, published):
    deliver(bucket, text(row()) + text(row()).split(b"\n")[1].replace(b"line,", b'"line,'))
    assert "unterminated CSV quoted field" in refuse(database, published)
    deliver(bucket, b'"lineItem/UnblendedCost\n1\n')
    assert "the header is not CSV" in refuse(database, published)


@pytest.mark.parametrize("at", [5, 100, -1, -8, -9])
@pytest.mark.parametrize("suffix", ["csv.gz", "csv.zip"])
def test_truncated_file_is_refused(database, bucket, published, suffix, at):
    content = text(*(row(description=os.urandom(9).hex()) for _ in range(500)))
    packed = gzip.compress(content) if suffix == "csv.gz" else zipped(a_csv=content)
    path = deliver(bucket, packed[:at], suffix=suffix)[0]
    message = refuse(database, published)
    assert f"file://{path}: " in message
    assert "(the file is damaged)" in message


@pytest.mark.parametrize("suffix", ["csv.gz", "csv.zip"])
def test_flipped_bits_are_refused(database, bucket, published, suffix):
    content = text(*(row(description=os.urandom(9).hex()) for _ in range(500)))
    packed = bytearray(gzip.compress(content) if suffix == "csv.gz" else zipped(a_csv=content))
    packed[len(packed) // 2] ^= 0x10
    path = deliver(bucket, bytes(packed), suffix=suffix)[0]
    assert f"file://{path}" in refuse(database, published)


def test_zip_holds_several_csv_files_or_none(database, bucket, query, source):
    deliver(bucket, zipped(b_csv=text(row()), a_csv=text(row(), row()), readme_txt=b"no bill"), suffix="csv.zip")
    load_month(database, source, JANUARY)
    assert query("select sum(cost) from costs") == [(Decimal("4.5"),)]
    deliver(bucket, zipped(readme_txt=b"no bill"), suffix="csv.zip", version="v2")
    assert "the zip file holds no CSV file" in refuse(database, source)
    deliver(bucket, zipped(a_csv=text(row()), b_csv=text({**row(), "x/Y": ""})), suffix="csv.zip", version="v3")
    assert "(b.csv): its columns are not those of " in refuse(database, source)


def test_gzip_of_several_parts_is_one_file(database, bucket, query, source):
    parts = text(row(), row(cost="2"))
    deliver(bucket, gzip.compress(parts[:70]) + gzip.compress(parts[70:]) + b"\0" * 9, suffix="csv.gz")
    load_month(database, source, JANUARY)
    assert query("select sum(cost) from costs") == [(Decimal("3.5"),)]


def test_numbers_and_text_are_never_mixed(database, bucket, query, source):
    """What is text in Parquet cannot become a number in CSV: the column, both types and the file are named."""
    write_delivery(bucket, [line(line_item_unblended_cost="1.5")])
    load_month(database, source, JANUARY)
    path = deliver(bucket, text(row()), month="02")[0]
    for folder in bucket.glob("crafted/crafted"):
        folder.rename(bucket / "gone")
    with pytest.raises(ColumnTypeError) as raised:
        load_raw(database, LocalStorage(), source, JANUARY.replace(month=2))
    message = str(raised.value)
    assert message.startswith("crafted 2025-02: column 'line_item_unblended_cost' is numeric in ")
    assert f"file://{path}" in message
    assert "text in the published months" in message


@pytest.mark.parametrize(("one", "other", "joined"), [("1", 1.5, None), (1, 1.5, None), (1, 2**40, "bigint")])
def test_types_of_files_are_widened_or_refused_by_name(database, bucket, query, source, one, other, joined):
    first = pa.Table.from_pylist([line()]).append_column(
        "odd", pa.array([one], pa.int32() if isinstance(one, int) else pa.string())
    )
    paths = write_delivery(bucket, first, [line(odd=other)])
    if joined:
        load_month(database, source, JANUARY)
        assert query("select type from raw_columns where column_name = 'odd'") == [(joined,)]
    elif isinstance(one, int):
        load_month(database, source, JANUARY)
        assert query("select sum(odd) from raw_crafted") == [(2.5,)]
    else:
        message = refuse(database, source, ColumnTypeError)
        assert "column 'odd' is double precision in " in message
        assert f"file://{paths[1]}" in message


# From S3: the same files, read in pieces.


@pytest.fixture
def remote(s3, monkeypatch):
    """A bucket, and a storage that reads its objects 1,000 bytes at a time."""
    monkeypatch.setattr(ranges, "PIECE_BYTES", 1000)
    return s3.new_bucket(), s3.storage()


def remote_source(name: str) -> Source:
    return Source(name="crafted", format="aws_cur", uri=f"s3://{name}/crafted/")


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "csv.zip"])
def test_objects_are_streamed_in_pieces(database, query, bucket, s3, remote, suffix):
    name, reader = remote
    content = text(*(row(description=os.urandom(20).hex(), invoice="007") for _ in range(400)))
    packed = {"csv": content, "csv.gz": gzip.compress(content), "csv.zip": zipped(a_csv=content)}[suffix]
    deliver(bucket, packed, packed, suffix=suffix)
    s3.upload(bucket, name)
    load_month(database, remote_source(name), JANUARY, reader)
    assert query("select sum(cost), sum(line_items), min(invoice_id) from costs") == [(1200, 800, "007")]


def test_bad_object_is_named_as_a_bad_file_is(database, bucket, s3, remote):
    name, reader = remote
    for number, (content, suffix, words) in enumerate(
        [
            (text(row(), row(cost="None")), "csv", "line 3, column line_item_unblended_cost"),
            (gzip.compress(text(row()) * 99)[:-20], "csv.gz", "(the file is damaged)"),
            (zipped(a_csv=text(row()))[:-20], "csv.zip", "(the file is damaged)"),
            (zipped(a_txt=b""), "csv.zip", "holds no CSV file"),
            (b"", "csv", "not even a header"),
        ]
    ):
        deliver(bucket / str(number), content, suffix=suffix)
        s3.upload(bucket / str(number), name)
        message = refuse(database, remote_source(name), storage=reader)
        assert f"s3://{name}/crafted/20250101-20250201/crafted-00001.{suffix}" in message
        assert words in message
        s3.client().delete_object(Bucket=name, Key=f"crafted/20250101-20250201/crafted-00001.{suffix}")


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "csv.zip"])
def test_object_that_changes_while_it_is_read_is_tried_again(database, query, bucket, s3, remote, suffix):
    name, reader = remote
    contents = [text(*(row(description=os.urandom(20).hex()) for _ in range(1_200))) for _ in range(2)]
    packed = [
        {"csv": content, "csv.gz": gzip.compress(content), "csv.zip": zipped(a_csv=content)}[suffix]
        for content in contents
    ]
    deliver(bucket, packed[0], suffix=suffix)
    keys = s3.upload(bucket, name)
    load_month(database, remote_source(name), JANUARY, reader)
    key = next(key for key in keys if key.endswith(suffix))
    read, pieces = reader._client.get_object, []

    def interfering(**request):
        if request["Key"] == key:
            pieces.append(request)
            assert request["IfMatch"]
            if len(pieces) == 3:
                s3.client().put_object(Bucket=name, Key=key, Body=packed[1])
        return read(**request)

    reader._client.get_object = interfering
    message = refuse(database, remote_source(name), DeliveryNotReady, reader)
    assert f"s3://{name}/{key} changed while it was read" in message
    assert query("select sum(cost) from costs") == [(1_800,)]
    assert staged_tables(database) == []


SCRIPT = """
import sys
from datetime import date
import psycopg
from cloud_costs.config.sources import Source
from cloud_costs.publishing.load import load_raw
from cloud_costs.database.postgres import Database
from cloud_costs.storage.local import LocalStorage
uri, schema, name, folder = sys.argv[1:]
database = Database(lambda: psycopg.connect(uri), schema, "costs_db")
load_raw(database, LocalStorage(), Source(name=name, format="aws_cur", uri=folder), date(2025, 1, 1))
# getrusage would count what the process that started this one held.
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process its own peak")
def test_file_is_never_held_in_memory(database, postgres, tmp_path, query):
    include = str(Path(sys.modules["cloud_costs"].__file__ or "").parents[1])
    uri = loader_uri(postgres, database.schema)
    peaks = {}
    # DuckDB fills buffers of 150 MB, whatever more a file holds.
    for name, times in (("small", 1600), ("large", 3200)):
        lines = text(*(row(description=f"{n} " + "x" * 900) for n in range(100))).partition(b"\n")[2]
        path = deliver(tmp_path / name, b"", suffix="csv.gz")[0]
        with gzip.open(path, "wb", 1) as file:
            file.write(text())
            for _ in range(times):
                file.write(lines)
        finished = subprocess.run(
            [sys.executable, "-c", SCRIPT, uri, database.schema, name, f"file://{tmp_path}/{name}/crafted/"],
            env={**os.environ, "PYTHONPATH": include},
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        peaks[name] = int(finished.stdout.splitlines()[-1]) / 1024
    assert len(lines) * times > 300 << 20
    assert query("select max(rows) from load_history") == [(320_000,)]
    assert peaks["large"] / peaks["small"] < 1.15, peaks
    assert peaks["large"] < 400, peaks


@pytest.mark.parametrize(
    ("before", "chunk", "found"),
    [
        (b"header\n", b"\\.\nrest", True),
        (b"header\n", b"a,b\n\\.\r\n", True),
        (b"a\n\\.", b"\n", True),
        (b"a\n\\", b".\nb", True),
        (b"a", b"\\.\n", False),
        (b"a\n", b"x\\.\n", False),
        (b"a\n", b"\\.,b\n", False),
    ],
)
def test_line_that_older_servers_take_for_the_end_is_noticed(before, chunk, found):
    assert holds_end_mark(before, chunk) is found
