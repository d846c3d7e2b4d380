"""Whatever a bucket holds is data: it is loaded exactly or refused, and never run, followed or shown."""

import csv
import json
import logging
from decimal import Decimal

import pytest
from hostile import HOSTILE, one_line
from pipeline import JANUARY, crafted_source, line, load_month, write_delivery

from cloud_costs.months import MonthRange
from cloud_costs.publishing.plan import list_manifests
from cloud_costs.storage.local import LocalStorage

TABLES = ("audit_results", "load_history", "published_totals", "raw_columns", "raw_months", "schema_versions")


@pytest.fixture(autouse=True)
def _nothing_was_run(database, query, tmp_path, monkeypatch):
    """After each test the bookkeeping is there, no command was run, and every line of the log is one line."""
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("cloud_costs")
    logger.addHandler(handler)
    monkeypatch.setattr(logger, "level", logging.INFO)
    monkeypatch.chdir(tmp_path)
    yield
    logger.removeHandler(handler)
    assert [record.getMessage() for record in records if not one_line(record.getMessage())] == []
    assert [name for name in TABLES if query("select to_regclass(%s) is null", name)[0][0]] == []
    assert list(tmp_path.rglob("owned")) == []


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def test_parquet_names_and_values_are_kept_to_the_byte(database, bucket, query):
    values = dict(zip(HOSTILE, reversed(HOSTILE), strict=True))
    write_delivery(bucket, [line(**values)])
    load_month(database, crafted_source(bucket), JANUARY)
    names = dict(query("select original_name, column_name from raw_columns"))
    assert set(HOSTILE) <= set(names)
    for original, value in values.items():
        with database.session() as connection:
            column = quoted(names[original])
            assert connection.execute(f'select {column} from "{database.schema}".raw_crafted').fetchall() == [(value,)]


def test_values_of_every_kind_reach_the_tables_as_they_are(database, bucket, read):
    kinds = (
        *("identity_line_item_id", "bill_payer_account_id", "bill_invoice_id", "line_item_usage_account_id"),
        *("line_item_product_code", "line_item_line_item_type", "line_item_line_item_description"),
        *("line_item_resource_id", "product_region", "resource_tags_user_team"),
    )
    source = crafted_source(bucket, tags=("user:team",))
    for version in ("v1", "v2"):
        write_delivery(bucket, [line(**dict.fromkeys(kinds, text)) for text in HOSTILE], version=version)
        load_month(database, source, JANUARY)
    columns = "billing_account_id, account_id, service, region, invoice_id, tags ->> 'user:team'"
    found = read(f"select {columns}, cost from costs")
    assert sorted(found) == sorted((*[text] * 6, Decimal("1.5")) for text in HOSTILE)
    # The types are none that AWS documents: a check says so, with some of the values.
    [(violations, sample)] = read(
        "select violations, sample from audit_results where check_name = 'line_item_types_are_known' and load_id = 2"
    )
    assert violations == len(HOSTILE)
    assert {row["line_item_type"] for row in sample} <= set(HOSTILE)


def test_tag_keys_are_data(database, bucket, read):
    write_delivery(bucket, [line(**{f"resource_tags_{text}": text for text in HOSTILE})])
    load_month(database, crafted_source(bucket, tags=(*HOSTILE, *(f"user:{text}" for text in HOSTILE))), JANUARY)
    [(tags,)] = read("select tags from focus_costs")
    assert sorted(tags.values()) == sorted(HOSTILE)
    assert read("select sum(cost) from costs") == [(1.5,)]


CSV_LINE = {
    "identity/LineItemId": "line",
    "bill/PayerAccountId": "011254002932",
    "bill/BillingPeriodStartDate": "2025-01-01T00:00:00Z",
    "lineItem/LineItemType": "Usage",
    "lineItem/UsageStartDate": "2025-01-01T00:00:00Z",
    "lineItem/UsageEndDate": "2025-01-01T01:00:00Z",
    "lineItem/ProductCode": "AmazonEC2",
    "lineItem/CurrencyCode": "USD",
    "lineItem/UnblendedCost": "1.5",
}


def test_csv_names_and_values_are_kept_to_the_byte(database, bucket, query, read):
    write_delivery(bucket, [line()])
    [parquet] = bucket.rglob("*.parquet")
    [manifest] = bucket.rglob("*-Manifest.json")
    path = parquet.with_name("crafted-1.csv")
    # The header is one line of the file.
    names = [text.replace("\n", "").replace("\r", "") for text in HOSTILE]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            [*CSV_LINE, "lineItem/UsageAccountId", *names, *(f"resourceTags/user:{name}" for name in names)]
        )
        writer.writerows([*CSV_LINE.values(), account, *HOSTILE, *HOSTILE] for account in HOSTILE)
    manifest.write_text(manifest.read_text().replace(parquet.name, path.name))
    load_month(database, crafted_source(bucket), JANUARY)
    columns = dict(query("select original_name, column_name from raw_columns"))
    for name, text in zip(names, HOSTILE, strict=True):
        with database.session() as connection:
            statement = f'select distinct {quoted(columns[name])} from "{database.schema}".raw_crafted'
            assert connection.execute(statement).fetchall() == [(text,)]
    assert sorted(read("select account_id, cost from costs")) == sorted((text, Decimal("1.5")) for text in HOSTILE)
    [(tags,)] = read("select distinct tags from focus_costs")
    assert sorted(tags.values()) == sorted(HOSTILE)


def test_versions_are_data(database, bucket, read):
    source = crafted_source(bucket)
    for text in HOSTILE:
        write_delivery(bucket, [line()], version=text)
        plan = list_manifests(database, [source], lambda _: LocalStorage(), MonthRange())
        assert [entry for entry in plan.lines() if not one_line(entry)] == []
        load_month(database, source, JANUARY)
        assert read("select version from published_months") == [(text,)]
        again = list_manifests(database, [source], lambda _: LocalStorage(), MonthRange())
        assert [month.decision for month in again.months] == ["unchanged"]


def renamed(bucket, texts):
    """Deliver a line in a file of each name, and beside it a file that the name would match as a pattern."""
    paths = write_delivery(bucket, *([line(line_item_unblended_cost=1.5)] for _ in texts))
    [manifest] = bucket.rglob("*-Manifest.json")
    content = json.loads(manifest.read_text())
    for number, (path, text) in enumerate(zip(paths, texts, strict=True)):
        name = f"*{text}[a-z]?.snappy.parquet"
        path.with_name(f"x{text}bc.snappy.parquet").write_bytes(path.read_bytes())
        path.rename(path.with_name(name))
        content["reportKeys"][number] = content["reportKeys"][number].replace(path.name, name)
    manifest.write_text(json.dumps(content))


def test_file_names_are_data(database, bucket, read):
    """Nothing in them is a pattern or a command; the file beside each, which a pattern would match, is not read."""
    texts = [text.replace("/", "|")[:60] for text in HOSTILE]
    renamed(bucket, texts)
    load_month(database, crafted_source(bucket), JANUARY)
    assert read("select sum(line_items), max(cost) from costs") == [(len(texts), Decimal("1.5") * len(texts))]


def test_listed_invoices_are_data(database, bucket, read, tmp_path):
    texts = [text for text in HOSTILE if text == text.strip()]
    path = tmp_path / "invoices.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("invoice_id", "amount", "currency"))
        writer.writerows((text, "1.5", "USD") for text in texts)
    write_delivery(bucket, [line(bill_invoice_id=text) for text in texts])
    load_month(database, crafted_source(bucket, invoices=path), JANUARY)
    assert read("select passed from audit_results where check_name = 'invoices_are_as_listed'") == [(True,)]
    path.write_text(path.read_text().replace("1.5", "2.5"))
    load_month(database, crafted_source(bucket, invoices=path), JANUARY)
    [(violations,)] = read(
        "select violations from audit_results where check_name = 'invoices_are_as_listed' order by load_id desc limit 1"
    )
    assert violations == len(texts)
