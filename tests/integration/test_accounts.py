"""`accounts`: a list of the operator's names the accounts that an export has no names for, in published months too."""

import logging

import pytest
from pipeline import JANUARY, crafted_source, line, load_month, write_delivery

from cloud_costs.charges.views import refresh_views
from cloud_costs.config.accounts import Account, read_accounts
from cloud_costs.config.sources import load_accounts, load_sources
from cloud_costs.errors import ConfigError

PAYER, MEMBER = "011254002932", "004512887103"
LIST = f"""account_id,name,owner,Cost Center
{PAYER},Acme Management,Kim,
{MEMBER},"Acme, Shop",,42
"""


@pytest.fixture
def crafted(database, bucket):
    """A published month of a legacy CUR, which has no names: of a member, and of an account that no list has."""
    write_delivery(bucket, [line(), line(line_item_usage_account_id="999999999999")])
    load_month(database, crafted_source(bucket), JANUARY)
    return database


def listed(tmp_path, text=LIST):
    path = tmp_path / "accounts.csv"
    path.write_text(text, encoding="utf-8")
    return read_accounts(path)


NAMES = "select account_id, account_name from costs order by 1"


def test_names_are_filled_in_published_months_without_loading_them_again(crafted, query, read, tmp_path):
    assert read(NAMES) == [(MEMBER, None), ("999999999999", None)]
    loads = query("select count(*) from load_history")
    refresh_views(crafted, listed=listed(tmp_path))
    assert read(NAMES) == [(MEMBER, "Acme, Shop"), ("999999999999", None)]
    focus = "select distinct SubAccountName, BillingAccountName from {} order by 1"
    for view in ("focus_costs", "focus_costs_v1_0"):
        assert read(focus.format(view)) == [("Acme, Shop", "Acme Management"), (None, "Acme Management")]
    assert query("select count(*) from load_history") == loads
    # A change of the list alone changes no view.
    assert (
        refresh_views(crafted, listed=listed(tmp_path, f"account_id,name,owner,cost_center\n{MEMBER},Store,Kim,42\n"))
        == []
    )
    assert read(NAMES) == [(MEMBER, "Store"), ("999999999999", None)]
    refresh_views(crafted, listed=())
    assert read(NAMES) == [(MEMBER, None), ("999999999999", None)]
    assert read("select count(*) from accounts") == [(0,)]


def test_relation_has_the_further_columns_and_who_is_unknown_or_unused(crafted, read, tmp_path, caplog):
    text = LIST.replace("\n", "\n5,Old,,\n", 1)
    with caplog.at_level(logging.WARNING):
        refresh_views(crafted, listed=listed(tmp_path, text))
    assert read("select account_id, name, owner, cost_center, listed, last_month::text from accounts order by 1") == [
        (MEMBER, "Acme, Shop", None, "42", True, "2025-01-01"),
        (PAYER, "Acme Management", "Kim", None, True, "2025-01-01"),
        ("5", "Old", None, None, True, None),
        ("999999999999", None, None, None, False, "2025-01-01"),
    ]
    assert "accounts: 1 account(s) of costs are not in the list: 999999999999" in caplog.text
    assert "accounts: 1 account(s) of the list are in no costs: 5" in caplog.text
    by_owner = (
        "select owner, sum(cost) from costs inner join accounts on billing_account_id = accounts.account_id group by 1"
    )
    assert read(by_owner) == [("Kim", 3)]
    # An account that is listed later is no longer unknown, one that left the list and has costs is.
    refresh_views(crafted, listed=listed(tmp_path, "account_id,name,team\n999999999999,New,red\n"))
    assert read("select account_id, listed, team from accounts order by 1") == [
        (MEMBER, False, None),
        (PAYER, False, None),
        ("999999999999", True, "red"),
    ]


def test_name_of_the_export_is_kept(database, read, bucket, tmp_path):
    write_delivery(bucket, [line(line_item_usage_account_name="By AWS", bill_payer_account_name="Payer by AWS")])
    load_month(database, crafted_source(bucket), JANUARY)
    refresh_views(database, listed=listed(tmp_path))
    assert read(NAMES) == [(MEMBER, "By AWS")]
    assert read("select SubAccountName, BillingAccountName from focus_costs") == [("By AWS", "Payer by AWS")]


def test_database_of_an_earlier_version_gets_the_names(crafted, query, read, tmp_path):
    definition = (
        "select account_id, cost, date, billing_period, billing_account_id, account_name from crafted_normalized"
    )
    query(f"drop view costs, accounts; create view costs as {definition}")
    assert refresh_views(crafted, listed=listed(tmp_path)) == ["accounts", "costs"]
    assert read(NAMES) == [(MEMBER, "Acme, Shop"), ("999999999999", None)]


def test_list_before_the_first_month_waits_for_it(database, read, bucket, tmp_path):
    refresh_views(database, listed=listed(tmp_path))
    assert read("select count(*), count(last_month) from accounts") == [(2, 0)]
    write_delivery(bucket, [line()])
    load_month(database, crafted_source(bucket), JANUARY)
    assert read(NAMES) == [(MEMBER, "Acme, Shop")]


def test_hostile_values_are_data(crafted, read, tmp_path):
    nasty = "'; drop table costs; -- {x} %s \\ \N{SNOWMAN}"
    refresh_views(crafted, listed=(Account(MEMBER, nasty, {nasty: nasty}),))
    assert read(NAMES)[0] == (MEMBER, nasty)
    assert read("select count(*) from accounts where to_jsonb(accounts) ? %s", nasty) == [(3,)]


@pytest.mark.parametrize(("wanted", "reads"), [("account_id, service", False), ("account_name", True)])
def test_query_that_does_not_ask_for_names_does_not_read_the_list(crafted, query, tmp_path, wanted, reads):
    refresh_views(crafted, listed=listed(tmp_path))
    for relation, columns in (("costs", wanted), ("focus_costs", wanted.replace("account_", "SubAccount"))):
        columns = columns.replace("service", "ServiceName") if relation == "focus_costs" else columns
        plan = query(f"explain select {columns}, count(*) from {relation} group by {columns}")
        assert any("account_list" in line for (line,) in plan) == reads


# --- the file

GOOD = "account_id,name\n"


def test_configuration_names_the_list_beside_it(tmp_path):
    config = tmp_path / "sources.yaml"
    text = "sources:\n  - {name: cup, format: aws_cur, uri: 's3://b/cup/r/'}\n"
    environ = {"CLOUD_COSTS_CONFIG": str(config)}
    config.write_text(text)
    assert load_accounts(environ) == ()
    config.write_text(text + "accounts: accounts.csv\n")
    (tmp_path / "accounts.csv").write_text("\ufeffaccount_id , name\r\n007 ,Bond\r\n\r\n", encoding="utf-8")
    assert load_accounts(environ) == (Account("007", "Bond", {}),)
    assert [source.name for source in load_sources(environ)] == ["cup"]
    (tmp_path / "accounts.csv").write_text("id,name\n")
    with pytest.raises(ConfigError, match=r"sources\.yaml: accounts: .*accounts\.csv: line 1: the header is 'id,name'"):
        load_sources(environ)
    config.write_text(text + "accounts: s3://b/accounts.csv\n")
    with pytest.raises(ConfigError, match=r"accounts: 's3://b/accounts\.csv' is not allowed; write a path"):
        load_sources(environ)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the header is ''; expected account_id,name and any further columns"),
        ("account_id;name\n1;a\n", "line 1: the header is 'account_id;name'"),
        ("account_id,name,name\n", "line 1: column 'name' is given twice"),
        ("account_id,name,Cost Center,cost_center\n", "line 1: column 'cost_center' is given twice"),
        ("account_id,name,listed\n", "line 1: column 'listed': the relation accounts has one of its own"),
        ("account_id,name,\n", "line 1: column 3: '' is not a valid name of a column"),
        (GOOD + "1,a\n2,b,c\n", "line 3: 3 values; the header names 2"),
        (GOOD + "1,a\n\n1,b\n", "line 4: account_id: '1' is on line 2 already"),
        (GOOD + " ,a\n", "line 2: account_id: it is empty; write it as the bill does"),
        (GOOD + "1,a\0b\n", "line 2: name: it holds a NUL character"),
        (GOOD + '1,"a\n', "line 2: not CSV"),
    ],
)
def test_broken_list_is_refused_with_the_line_and_the_column(tmp_path, text, said):
    with pytest.raises(ConfigError) as raised:
        listed(tmp_path, text)
    assert str(raised.value).startswith(f"{tmp_path}/accounts.csv: ")
    assert said in str(raised.value)


def test_file_that_is_not_there_or_no_text_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_accounts(tmp_path / "accounts.csv")
    (tmp_path / "accounts.csv").write_bytes(b"account_id,name\n1,\xff\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_accounts(tmp_path / "accounts.csv")
