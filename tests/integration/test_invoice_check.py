"""The operator's own list of invoices: the bill is compared with it, at the decimal places that it gives."""

import pytest
from pipeline import JANUARY, crafted_source, line, load_month, write_delivery

from cloud_costs.config.sources import load_sources
from cloud_costs.errors import AuditFailed, ConfigError
from cloud_costs.publishing.audit import audit

HEADER = "invoice_id,amount,currency\n"
CHECK = "invoices_are_as_listed"


@pytest.fixture
def listed(tmp_path):
    """Return the path of the list, after writing it."""

    def write(text: str):
        path = tmp_path / "invoices.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.fixture
def differences(database, bucket, query):
    """Load January with two invoices, 4.5 and 1.499995 USD, and an open line; return what differs from the list."""
    lines = [line(bill_invoice_id="007")] * 3
    lines += [line(bill_invoice_id="8", line_item_unblended_cost=1.499995), line()]
    write_delivery(bucket, lines)

    def load(path, **checks):
        load = load_month(database, crafted_source(bucket, invoices=path, checks=checks), JANUARY)
        rows = query("select sample from audit_results where check_name = %s and load_id = %s", CHECK, load.load_id)
        return [(row["invoice_id"], row["listed_amount"], row["billed_cost"]) for row in rows[0][0] or ()]

    return load


def test_bill_that_is_as_listed_passes(listed, differences):
    assert differences(listed(HEADER + "007,4.5,USD\n8,1.499995,USD\n")) == []


def test_amounts_are_compared_at_the_places_that_the_list_gives(listed, differences):
    assert differences(listed(HEADER + "007,4.50,USD\n8,1.50,USD\n")) == []
    assert differences(listed(HEADER + "007,4.50,USD\n8,1.49999,USD\n")) == [("8", "1.49999", "1.499995")]
    assert differences(listed(HEADER + "007,4.51,USD\n8,1.5,USD\n")) == [("007", "4.51", "4.5")]


def test_invoices_missing_on_either_side_are_shown(listed, differences):
    text = "invoice_id,month,amount,currency\n007,2025-01,4.5,USD\n9,2025-01,2,USD\n8,2025-02,1.5,USD\n"
    assert sorted(differences(listed(text))) == [("8", None, "1.499995"), ("9", "2", None)]
    # Without a month, nothing says that an invoice which the bill does not know should be in it.
    assert differences(listed(HEADER + "007,4.5,USD\n9,2,USD\n")) == [("8", None, "1.499995")]


def test_currency_is_compared_too(listed, differences):
    assert sorted(differences(listed(HEADER + "007,4.5,EUR\n8,1.5,USD\n")), key=str) == [
        ("007", "4.5", None),
        ("007", None, "4.5"),
    ]


def test_month_that_the_list_does_not_know_is_not_compared(listed, differences):
    assert differences(listed(HEADER)) == []
    assert differences(listed(HEADER + "1234,99,USD\n")) == []
    assert differences(listed("invoice_id,amount,currency,month\n1234,99,USD,2024-12\n")) == []


def test_difference_is_an_error_where_the_source_says_so(database, bucket, query, listed, differences):
    path = listed(HEADER + "007,4.6,USD\n")
    with pytest.raises(AuditFailed, match=rf"{CHECK} \(error\): .*invoice_id=007.*listed_amount=4\.6"):
        differences(path, **{CHECK: "error"})
    # The list is mended: the load is audited again.
    listed(HEADER + "007,4.5,USD\n8,1.5,USD\n")
    load_id = query("select load_id from load_history")[0][0]
    source = crafted_source(bucket, invoices=path, checks={CHECK: "error"})
    from cloud_costs.publishing.history import Load

    audit(database, source, Load(load_id, "crafted", JANUARY))
    assert query("select status from load_history") == [("staged",)]


def configured(tmp_path, value):
    config = tmp_path / "config" / "sources.yaml"
    config.parent.mkdir(exist_ok=True)
    config.write_text(
        f"sources: [{{name: cup, format: aws_cur, uri: 's3://bucket/cup/', invoices: {value}}}]", encoding="utf-8"
    )
    return load_sources({"CLOUD_COSTS_CONFIG": str(config)})[0].invoices


def test_path_is_relative_to_the_configuration_or_a_file_uri(tmp_path, listed):
    path = listed("\ufeff" + HEADER + "\n1,-2.50,USD\n")
    assert configured(tmp_path, "../invoices.csv").resolve() == path
    assert configured(tmp_path, str(path)) == path
    assert configured(tmp_path, f"file://{path}") == path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: the header is ''; expected invoice_id,amount,currency, and month if you like"),
        ("invoice,amount,currency\n", "line 1: the header is 'invoice,amount,currency'; expected invoice_id"),
        (HEADER.strip() + ",amount\n", "line 1: the header is"),
        (HEADER + '1,2,USD\n2,"1,234.50",USD\n', "line 3: amount '1,234.50' is not allowed; write a number such as"),
        (HEADER + "1,None,USD\n", "line 2: amount 'None' is not allowed"),
        (HEADER + "1,NaN,USD\n", "line 2: amount 'NaN' is not allowed"),
        (HEADER + "1,$5,USD\n", "line 2: amount '$5' is not allowed"),
        (HEADER + "1,1e5,USD\n", "line 2: amount '1e5' is not allowed"),
        (HEADER + "1,5,usd\n", "line 2: currency 'usd' is not allowed; write a code such as USD"),
        (HEADER + ",5,USD\n", "line 2: invoice_id is empty"),
        (HEADER + "1,5\n", "line 2: 2 values; the header names 3"),
        (HEADER + "1,5,USD\n2,5,USD\n1,5,USD\n", "line 4: the invoice '1' is on line 2 already"),
        ("month," + HEADER + "2025-13,1,5,USD\n", "line 2: month: "),
        (HEADER + '"1,5,USD\n', "not CSV: "),
        (HEADER.encode() + b"\xff,5,USD\n", "not UTF-8: "),
    ],
)
def test_broken_list_is_refused_before_anything_runs(tmp_path, listed, text, words):
    path = listed(text)
    with pytest.raises(ConfigError) as raised:
        configured(tmp_path, path)
    message = str(raised.value)
    assert f"sources.yaml: sources[0].invoices: {path}: " in message
    assert words in message


def test_list_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"sources\[0\].invoices: .*config/none.csv: cannot be read: No such file"):
        configured(tmp_path, "none.csv")
    with pytest.raises(ConfigError, match=r"'s3://bucket/invoices.csv' is not allowed; write a path, or file:///"):
        configured(tmp_path, "s3://bucket/invoices.csv")
    with pytest.raises(ConfigError, match=r"sources\[0\].invoices: "):
        configured(tmp_path, "[1]")
