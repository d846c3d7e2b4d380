"""Questions of finance people, through a real client of the protocol: every amount is that of `costs`, in all digits.

Each question is asked as a model would ask it: by the tool and the parameters that suit it.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from conftest import in_schema
from fastapi import HTTPException, Request
from finance_questions import (
    IN_FEBRUARY,
    IN_JANUARY,
    JANUARY_END,
    OF_JANUARY,
    QUESTIONS,
    S3,
    Asked,
    Rows,
    between,
    of,
    part,
    total,
    usd,
)
from mcp_clients import ToolFailed, over_http, over_stdio, served, settings_of
from page_app import SECRET, may_decide, person
from page_bills import JANUARY, load_bills, read_costs
from roles import reading

from cloud_costs.asking.server import add_to
from cloud_costs.asking.tools import Tools
from cloud_costs.page.app import create_app
from cloud_costs.page.costs import Costs
from cloud_costs.page.decisions import Decisions
from cloud_costs.page.pool import Pool
from cloud_costs.page.problems import Refusal

TOKEN = "a-token-of-airflow"


@pytest.fixture(scope="module")
def loaded(schemas, tmp_path_factory):
    """The schemas with the bills, and their sources."""
    with schemas.borrowed() as database:
        yield database, load_bills(database, tmp_path_factory.mktemp("bucket"))


@pytest.fixture(scope="module")
def costs(loaded) -> Rows:
    """All rows of `costs`."""
    return read_costs(in_schema(loaded[0]))


@pytest.fixture(scope="module")
def ask(postgres, loaded):
    """A client of `python -m cloud_costs mcp`, which reads as the reader."""
    with over_stdio(settings_of(postgres, loaded[0])) as client:
        yield client


@pytest.fixture(scope="module")
def address(postgres, loaded):
    """The Costs page on a real server; who brings the token may see it."""
    database, sources = loaded

    def guard(request: Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise HTTPException(401)

    costs = Costs(Pool(reading(postgres, database)), lambda: sources)
    app = create_app(costs, guard, person, may_decide, Decisions(database, SECRET))
    add_to(app, costs)
    with served(app) as root:
        yield f"{root}/mcp"


@pytest.fixture(scope="module", params=["auto", "legacy"])
def remote(request, address):
    """A client over HTTP, of the newest protocol and of the one before it."""
    with over_http(address, {"Authorization": f"Bearer {TOKEN}"}, request.param) as client:
        yield client


def answered(client: Any, asked: Asked) -> Any:
    answer = client(asked.tool, **asked.arguments)
    basis = answer["basis"]
    assert basis["as_of"] == max(one["published_at"] for one in basis["deliveries"])
    assert (basis["estimated"], basis["estimated_because"][:6]) == (False, "Final:")
    return asked.found(answer)


@pytest.mark.parametrize("asked", QUESTIONS, ids=lambda one: one.words)
def test_answer_is_that_of_costs(ask, costs, asked):
    expected = asked.expected(costs)
    assert answered(ask, asked) == expected
    assert expected


def test_thirty_questions_are_asked():
    assert len(QUESTIONS) == len({one.words for one in QUESTIONS}) == 30
    assert {one.tool for one in QUESTIONS} >= {"costs_by", "compare", "month_so_far", "trace", "query"}


@pytest.mark.parametrize("asked", QUESTIONS[::6], ids=lambda one: one.words)
def test_page_answers_the_same_over_http(remote, costs, asked):
    assert answered(remote, asked) == asked.expected(costs)


def test_both_ways_have_the_same_tools_which_only_read(ask, remote):
    tools = ask.tools()
    assert [one.name for one in tools] == [one.name for one in remote.tools()]
    assert all(one.annotations.read_only_hint and not one.annotations.destructive_hint for one in tools)
    for one in tools:
        assert one.description
        assert all("description" in parameter for name, parameter in one.input_schema["properties"].items()), one.name


def test_no_login_gets_no_tool(address, remote):
    for login in ({}, {"Authorization": "Bearer forged"}):
        for method in ("POST", "GET", "DELETE"):
            answer = httpx2.request(method, address, headers=login)
            assert (answer.status_code, answer.json()["detail"]) == (401, "You are not logged in.")
    login = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx2.get(address, headers=login).status_code == 405
    # A form of another site cannot send JSON.
    forged = httpx2.post(address, headers={**login, "Content-Type": "text/plain"}, content='{"jsonrpc": "2.0"}')
    assert forged.status_code == 400
    assert httpx2.post(address, headers=login, json={"long": "x" * 300_000}).status_code == 413


def test_what_can_be_asked_is_what_is_there(ask, remote, loaded):
    answer = remote("what_can_i_ask", relation="costs")
    assert answer["months"] == ["2025-02", "2025-01"]
    assert {one["currency"] for one in answer["currencies"]} == {"USD", "EUR"}
    assert {"tag:user%3Ateam", "tag:team"} <= {one["name"] for one in answer["dimensions"]}
    assert [one["source"] for one in answer["sources"]] == ["azure", "cup", "google", "hostile"]
    assert {one["complete_through"] for one in answer["sources"]} == {"2025-02-28"}
    assert {"costs", "focus_costs", "load_history"} <= {one["name"] for one in answer["relations"]}
    assert next(one for one in answer["columns"] if one["name"] == "cost")["meaning"]
    for one in answer["relations"]:
        ask("query", statement=f'select * from "{one["name"]}" limit 1')


def test_number_leads_down_to_its_load(ask, loaded):
    [load] = part(ask("trace", **OF_JANUARY, filters=["source:cup"], currency="USD"))["loads"]
    details = ask("load", load_id=load["load_id"])["load"]
    assert (details["version"], details["manifest_uri"]) == (load["version"], load["manifest_uri"])
    assert sum(one["rows"] for one in details["files"]) == load["rows"]
    answer = ask("changes", source="cup", billing_period="2025-01")["changes"]
    assert answer["loads"][0]["load_id"] == load["load_id"]
    [[change]] = in_schema(loaded[0])("select sum(cost_change) from restatements where source = 'cup'")
    assert Decimal(answer["changes"][0]["change"]) == change
    [restated] = part(ask("compare", **IN_FEBRUARY))["restated"]
    assert (restated["source"], restated["billing_period"], Decimal(restated["change"])) == ("cup", "2025-01", change)


def test_largest_charges_are_told_if_they_are_wanted(ask, loaded):
    answer = ask("trace", **OF_JANUARY, currency="USD", with_charges=True)
    place = [one["name"] for one in answer["columns"]].index("billedcost")
    largest = [Decimal(one["values"][place]) for one in answer["largest_charges"]]
    rows = in_schema(loaded[0])(
        "select billedcost from focus_costs where billing_period = '2025-01-01' and billingcurrency = 'USD' "
        "order by abs(billedcost) desc limit 20"
    )
    assert sorted(map(abs, largest)) == sorted(abs(one) for (one,) in rows)
    assert ask("trace", **OF_JANUARY)["largest_charges"] == []


def test_link_leads_to_the_same_number(ask, address, costs):
    login = {"Authorization": f"Bearer {TOKEN}"}
    answer = part(
        ask("costs_by", **IN_JANUARY, group_by=["service"], filters=[f"service:{S3}"], metric="effective_cost")
    )
    path = answer["explore"].replace("explore?", "api/explore?")
    shown = httpx2.get(address.replace("mcp", path), headers=login).json()
    assert shown["total"] == answer["total"]
    assert Decimal(shown["total"]) == total(of(between(usd(costs), JANUARY, JANUARY_END), service=S3), "effective_cost")


def test_changes_of_all_groups_sum_to_the_difference(ask):
    answer = part(ask("compare", **IN_FEBRUARY, group_by=["service", "region"], top=3))
    assert answer["other_groups"] > 0
    assert sum(Decimal(one["change"]) for one in answer["groups"]) + Decimal(answer["others"]) == Decimal(
        answer["change"]
    )


def test_answer_says_what_it_lacks(ask):
    assert "goes beyond" in ask("costs_by", first="2025-02-01", last="2025-03-31")["note"]
    assert (
        ask("costs_by", first="2025-01-01", last="2025-03-31", dates="billing")["note"]
        == "Nothing is published of 2025-03."
    )
    assert "31 and 28 days" in ask("compare", **IN_FEBRUARY)["note"]
    assert ask("costs_by", **IN_JANUARY)["note"] is None
    for tool, arguments, words in (
        ("costs_by", {"first": "2030-01-01", "last": "2030-01-31"}, "Nothing is published from 2030-01-01"),
        ("costs_by", {"group_by": ["colour"]}, "'colour' is not a dimension"),
        ("costs_by", {"currency": "CHF"}, "no costs are in 'CHF'"),
        ("load", {"load_id": 99}, "There is no load 99"),
        ("changes", {"source": "none", "billing_period": "2025-01"}, "none 2025-01 is not published"),
        ("compare", {**IN_FEBRUARY, "before_first": "2025-01-01"}, "one of them is missing"),
        ("query", {"statement": "select nothing from costs"}, 'column "nothing" does not exist'),
        ("query", {"statement": "select 1 / 0"}, "division by zero"),
    ):
        with pytest.raises(ToolFailed, match=words):
            ask(tool, **arguments)


def test_estimate_is_said(postgres, loaded, monkeypatch):
    database, sources = loaded
    monkeypatch.setattr("cloud_costs.asking.basis.now", lambda: datetime(2025, 3, 10, tzinfo=UTC))
    tools = Tools(Costs(Pool(reading(postgres, database)), lambda: sources))
    basis = tools.costs_by(date(2025, 1, 1), date(2025, 2, 28)).basis
    assert basis.estimated
    assert "2025-01, 2025-02 ended 10 days ago, and providers still change it" in basis.estimated_because


def test_slow_statement_is_ended(postgres, loaded, monkeypatch):
    database, sources = loaded
    monkeypatch.setattr("cloud_costs.asking.statements.SECONDS", 0.2)
    tools = Tools(Costs(Pool(reading(postgres, database)), lambda: sources))
    with pytest.raises(Refusal, match=r"did not answer within 0\.2 seconds"):
        tools.query("select count(*) from generate_series(1, 100000000000)")
    assert tools.query("select 1").rows == [["1"]]


def test_rows_and_bytes_are_bounded(ask):
    answer = ask("query", statement="select generate_series(1, 100000) as number")
    assert (len(answer["rows"]), answer["rows"][-1], answer["columns"]) == (500, ["500"], ["number"])
    assert "Only the first 500 rows" in answer["cut"]
    wide = ask(
        "query",
        statement="select string_agg('xxxxxxxxxx', '') from generate_series(1, 1500) n, generate_series(1, 20) m "
        "group by m",
    )
    assert 0 < len(wide["rows"]) < 20
    with pytest.raises(ToolFailed, match="more than 20,000 characters"):
        ask("query", statement="select string_agg('xxxxxxxxxx', '') from generate_series(1, 5000)")


def test_values_keep_their_digits_and_names(ask):
    answer = ask(
        "query",
        statement="select 0.1000000000000000000000000001 as a, 1 as a, null as b, true as c, date '2025-01-31' as d, "
        '\'{"z": [1.50, {"k": null}], "a": 2}\'::jsonb as e, 100 % 7 as f, \'é%s\' as g',
    )
    assert answer["columns"] == ["a", "a", "b", "c", "d", "e", "f", "g"]
    [[*values, objects, rest, text]] = answer["rows"]
    assert values == ["0.1000000000000000000000000001", "1", None, True, "2025-01-31"]
    assert (objects, rest, text) == ('{"a": "2", "z": ["1.50", {"k": null}]}', "2", "é%s")


def test_anomalies_and_budgets_are_those_of_the_tables(ask, loaded):
    query = in_schema(loaded[0])
    query(
        "insert into anomalies (source, currency, service, first_date, last_date, expected, actual, impact, severity, "
        "kind, running, explanation, news) values ('cup', 'USD', 'EC2', '2025-02-03', '2025-02-04', 10, 25.125, "
        '15.125, \'high\', \'anomaly\', false, \'{"days": [{"date": "2025-02-03", '
        '"expected": "4"}, {"date": "2025-02-04", "expected": "6"}]}\', true), '
        "('cup', 'USD', 'S3', '2025-01-03', '2025-01-04', 1, 2, 1, 'low', 'anomaly', false, '{}', true)"
    )
    query("update anomalies set status = 'expected' where service = 'S3'")
    query("insert into budgets values ('all', 100, 'USD', 'month', 'billed', '{}', '{}')")
    for start, end, actual in (("2025-01-01", "2025-01-31", "90"), ("2025-02-01", "2025-02-28", "120.000000001")):
        query(
            "insert into budget_status (budget, period_start, period_end, as_of, amount, currency, actual, forecast, "
            "low, high, share, status, thresholds) values ('all', %s, %s, %s, 100, 'USD', %s, 130, 120, 140, 1, "
            "'exceeded', '{}')",
            *(start, end, end, Decimal(actual)),
        )
    try:
        answer = ask("anomalies")
        [event] = answer["anomalies"]
        assert (event["service"], event["impact"], answer["details"]) == ("EC2", "15.125", None)
        assert {one["source"] for one in answer["basis"]["deliveries"]} == {"cup"}
        assert [one["service"] for one in ask("anomalies", everything=True)["anomalies"]] == ["EC2", "S3"]
        details = ask("anomalies", anomaly_id=event["anomaly_id"])["details"]
        assert [one["date"] for one in details["days"] if one["expected"]] == ["2025-02-03", "2025-02-04"]
        [budget] = ask("budgets")["budgets"]
        assert (budget["first"], budget["actual"], budget["share"], budget["status"]) == (
            *("2025-02-01", "120.000000001", 1.2, "exceeded"),
        )
    finally:
        for name in ("anomalies", "budget_status", "budgets"):
            query(f"delete from {name}")
