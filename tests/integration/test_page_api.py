"""The API of the Costs page on the bills of three clouds: every sum is that of `costs`, to the last digit."""

import csv
import io
import itertools
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from conftest import in_schema
from hostile import HOSTILE
from page_app import BROWSER, app_of, client_of, explore, get
from page_bills import DIMENSIONS, FEBRUARY, JANUARY, METRICS, load_bills, read_costs, sums
from roles import reading
from starlette.testclient import TestClient

from cloud_costs.database.postgres import Database
from cloud_costs.page.pool import Pool
from cloud_costs.page.problems import Refusal
from cloud_costs.publishing.load import load_raw
from cloud_costs.storage.local import LocalStorage

SECRET = "a-password-that-no-page-may-show"


@pytest.fixture(scope="module")
def loaded(schemas, tmp_path_factory):
    """The schemas with the bills, and their sources."""
    with schemas.borrowed() as database:
        yield database, load_bills(database, tmp_path_factory.mktemp("bucket"))


@pytest.fixture(scope="module")
def costs(loaded):
    """All rows of `costs`."""
    return read_costs(in_schema(loaded[0]))


@pytest.fixture(scope="module")
def client(postgres, loaded):
    """The app, which reads as the reader."""
    database, sources = loaded
    return client_of(postgres, database, sources)


def totals_of(answer: Any) -> dict[tuple[str, ...], Decimal]:
    return {tuple(one["values"]): Decimal(one["total"]) for one in answer["groups"]}


def matching(costs: Any, currency: str, first: date, last: date, column: str = "date") -> Any:
    return [row for row in costs if row["currency"] == currency and first <= row[column] <= last]


def period_of(row: Any, per: str, dates: str) -> str:
    day = row["date"]
    if dates == "billing":
        end = (row["billing_period"] + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        day = min(max(day, row["billing_period"]), end)
    if per == "week":
        day -= timedelta(days=day.weekday())
    return str(day.replace(day=1) if per == "month" else day)


@pytest.mark.parametrize("dates", ["usage", "billing"])
@pytest.mark.parametrize("per", ["day", "week", "month"])
def test_every_group_metric_and_period_sums_to_costs(client, costs, per, dates):
    first, last = (
        (date(2025, 1, 6), date(2025, 2, 20)) if dates == "usage" and per != "month" else (JANUARY, date(2025, 2, 28))
    )
    column = "date" if dates == "usage" else "billing_period"
    rows = matching(costs, "USD", first, last, column)
    pairs = [(), *((one,) for one in DIMENSIONS), *itertools.combinations(DIMENSIONS[2:9:2], 2)]
    relations = set()
    for groups, metric in zip(pairs, itertools.cycle(METRICS), strict=False):
        answer = explore(
            client, first=first, last=last, dates=dates, per=per, group=groups, metric=metric, currency="USD", top=50
        )
        relations.add(answer["relation"])
        expected = sums(rows, groups, metric)
        if groups and len(expected) <= 50:
            assert totals_of(answer) == expected, (groups, metric)
        assert Decimal(answer["total"]) == sum(expected.values()), (groups, metric)
        by_period = {
            key[0]: value for key, value in sums(rows, [lambda row: period_of(row, per, dates)], metric).items()
        }
        found = dict(zip(answer["periods"], map(Decimal, answer["series"]), strict=True))
        assert {day: value for day, value in found.items() if value or day in by_period} == by_period
        for one in [*answer["groups"], *([answer["others"]] if answer["others"] else [])]:
            assert sum(map(Decimal, one["series"])) == Decimal(one["total"])
    assert "costs" in relations
    assert any(name.startswith("costs_by_") for name in relations)
    assert len(rows) > 300


def test_others_are_what_the_largest_groups_leave(client, costs):
    answer = explore(client, first=JANUARY, last="2025-02-28", group="service", top=3, currency="USD")
    expected = sums(matching(costs, "USD", JANUARY, date(2025, 2, 28)), ["service"], "billed_cost")
    largest = sorted(expected.values(), reverse=True)
    assert [Decimal(one["total"]) for one in answer["groups"]] == largest[:3]
    assert Decimal(answer["others"]["total"]) == sum(largest[3:])
    assert answer["others"]["groups"] == len(largest) - 3
    assert sum(one["share"] for one in [*answer["groups"], answer["others"]]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("dates", ["usage", "billing"])
def test_comparison_is_with_the_month_before(client, costs, dates):
    answer = explore(client, first=FEBRUARY, last="2025-02-28", dates=dates, group="service", top=50, currency="USD")
    column = "date" if dates == "usage" else "billing_period"
    before = sums(matching(costs, "USD", JANUARY, date(2025, 1, 31), column), ["service"], "billed_cost")
    assert (answer["previous_from"], answer["previous_to"]) == ("2025-01-01", "2025-01-31")
    assert {tuple(one["values"]): Decimal(one["previous"]) for one in answer["groups"]} == {
        tuple(one["values"]): before.get(tuple(one["values"]), 0) for one in answer["groups"]
    }
    assert Decimal(answer["previous"]) == sum(before.values())
    assert Decimal(answer["change"]) == Decimal(answer["total"]) - sum(before.values())
    alone = explore(client, first=FEBRUARY, last="2025-02-28", dates=dates, compare="none", currency="USD")
    assert (alone["total"], alone["previous"], alone["previous_from"]) == (answer["total"], None, None)


def test_nothing_published_before_is_not_zero(client):
    answer = explore(client, first=JANUARY, last="2025-01-31", dates="billing", group="service", currency="USD")
    assert answer["previous"] is None
    assert {one["change"] for one in answer["groups"]} == {None}


def test_filters_of_one_dimension_widen_and_of_two_narrow(client, costs):
    wanted = ["service:Amazon Elastic Compute Cloud", "service:Amazon Simple Storage Service", "tag:user%3Ateam:"]
    answer = explore(client, first=JANUARY, last="2025-02-28", filter=wanted, group="account_id", top=50)
    rows = [
        row
        for row in matching(costs, "USD", JANUARY, date(2025, 2, 28))
        if row["service"] in ("Amazon Elastic Compute Cloud", "Amazon Simple Storage Service")
        and not row["tag:user%3Ateam"]
    ]
    assert totals_of(answer) == sums(rows, ["account_id"], "billed_cost")
    assert len(answer["groups"]) > 1
    for one in answer["groups"]:
        alone = explore(client, first=JANUARY, last="2025-02-28", filter=one["filters"])
        assert alone["total"] == one["total"]


def test_costs_without_a_value_are_said_to_have_none(client):
    answer = explore(client, first=FEBRUARY, last="2025-02-28", group=["tag:user%3Ateam", "region"], top=50)
    labels = {tuple(one["labels"]) for one in answer["groups"] if one["values"] == ["", ""]}
    assert labels == {("untagged", "no region")}


def test_currencies_are_never_summed(client, costs):
    context = get(client, "context")
    assert [one["currency"] for one in context["currencies"]] == ["USD", "EUR"]
    for one in context["currencies"]:
        rows = [row for row in costs if row["currency"] == one["currency"]]
        assert Decimal(one["billed_cost"]) == sums(rows, [], "billed_cost")[()]
        assert one["first"] == str(min(row["date"] for row in rows))
        answer = explore(client, first="2024-12-01", last="2025-03-31", currency=one["currency"], dates="billing")
        assert Decimal(answer["total"]) == sums(rows, [], "billed_cost")[()]
        assert answer["currencies"] == ["USD", "EUR"]
    assert client.get("/api/explore", params={"currency": "CHF"}).json()["detail"] == "currency: no costs are in 'CHF'."


def test_hostile_values_are_data(client, loaded):
    for groups in (["service", "account_id"], ["region", "tag:user%3Ateam"]):
        answer = explore(client, currency="EUR", first=FEBRUARY, last="2025-02-28", group=groups, top=50)
        found = {tuple(one["values"]): Decimal(one["total"]) for one in answer["groups"]}
        assert found == {(text, text): number + Decimal("0.25") for number, text in enumerate(HOSTILE)}
        for one in answer["groups"]:
            alone = explore(client, currency="EUR", first=FEBRUARY, last="2025-02-28", filter=one["filters"])
            assert alone["total"] == one["total"]
    for text in HOSTILE:
        answer = client.get(
            "/api/explore", params={"group": f"tag:{text}", "filter": f"tag:{text[:9]}:x", "currency": "EUR"}
        )
        assert answer.status_code in (200, 422)
        assert client.get("/api/changes", params={"source": text, "billing_period": "2025-02"}).status_code == 404
    assert in_schema(loaded[0])("select count(*) from load_history") == [(8,)]


@pytest.mark.parametrize("groups", [[], ["account_id", "service"], ["tag:user%3Ateam", "region"]])
def test_downloads_have_every_group_and_digit(client, costs, groups):
    parameters = {
        "from": "2025-01-06",
        "to": "2025-02-20",
        "group": groups,
        "metric": "effective_cost",
        "currency": "USD",
    }
    text = client.get("/api/explore.csv", params=parameters)
    assert text.headers["Content-Disposition"] == 'attachment; filename="cloud-costs.csv"'
    rows = list(csv.DictReader(io.StringIO(text.text)))
    expected = sums(
        matching(costs, "USD", date(2025, 1, 6), date(2025, 2, 20)),
        [lambda row: str(row["date"]), *groups],
        "effective_cost",
    )
    assert {
        (row["period"], *(row[name] for name in groups)): Decimal(row["effective_cost"]) for row in rows
    } == expected
    table = pq.read_table(io.BytesIO(client.get("/api/explore.parquet", params=parameters).content))
    assert {
        (str(row["period"]), *(row[name] for name in groups)): row["effective_cost"] for row in table.to_pylist()
    } == expected
    assert str(table.schema.field("effective_cost").type).startswith("decimal")
    assert ("account_name" in table.column_names) == ("account_id" in groups)


def test_spreadsheets_get_no_formula(client):
    parameters = {"from": "2025-02-01", "to": "2025-02-28", "group": "service", "currency": "EUR"}
    rows = list(csv.DictReader(io.StringIO(client.get("/api/explore.csv", params=parameters).text)))
    assert "'=cmd|' /C calc'!A0" in {row["service"] for row in rows}
    assert {row["service"] for row in rows} == {f"'{text}" if text[0] in "=+-@\t\r" else text for text in HOSTILE}


def test_overview_compares_the_same_days(client, costs):
    answer = get(client, "overview", currency="USD")
    assert (answer["month"], answer["through"], answer["previous_month"]) == ("2025-02", "2025-02-28", "2025-01")
    for metric in ("billed_cost", "effective_cost"):
        now, before = (
            [row for row in costs if row["billing_period"] == month and row["currency"] == "USD" and row["date"] <= end]
            for month, end in ((FEBRUARY, date(2025, 2, 28)), (JANUARY, date(2025, 1, 31)))
        )
        total = answer["totals"][metric]
        assert Decimal(total["amount"]) == sums(now, [], metric)[()]
        assert Decimal(total["previous"]) == sums(before, [], metric)[()]
        assert Decimal(total["change"]) == Decimal(total["amount"]) - Decimal(total["previous"])
        clouds = {(one["value"],): Decimal(one[metric]["amount"]) for one in answer["by_cloud"]}
        assert clouds == sums(now, ["cloud_provider"], metric)
        services = {(one["value"],): Decimal(one[metric]["amount"]) for one in answer["by_service"]}
        expected = sums(now, ["service"], metric)
        assert services == {key: expected[key] for key in services}
        rest = Decimal(answer["other_services"][metric]["amount"]) if answer["other_services"] else 0
        assert sum(services.values()) + rest == sum(expected.values())
    assert answer["estimated"] is False
    assert len(answer["by_service"]) == 10
    days = {one["date"]: Decimal(one["billed_cost"]) for one in answer["days"]}
    both = [row for row in costs if row["currency"] == "USD"]
    assert days == {
        key[0]: value
        for key, value in sums(both, [lambda row: period_of(row, "day", "billing")], "billed_cost").items()
    }


@pytest.fixture
def delivered_on_the_15th(loaded):
    """February as it was in the middle of the month: the newest delivery of each source is of the 15th."""
    query = in_schema(loaded[0])
    where = "billing_period = '2025-02-01' and status = 'published'"
    before = query(f"select load_id, finished from load_history where {where}")
    query(f"update load_history set finished = '2025-02-15T12:00Z' where {where}")
    yield
    for load_id, finished in before:
        query("update load_history set finished = %s where load_id = %s", finished, load_id)


def test_running_month_is_compared_up_to_its_last_complete_day(client, costs, delivered_on_the_15th):
    answer = get(client, "overview", currency="USD")
    assert (answer["through"], answer["previous_through"]) == ("2025-02-14", "2025-01-14")
    assert {one["through"] for one in answer["through_by_source"]} == {"2025-02-14"}
    keys = ["source", "account_id", "service"]
    now, before = (
        [row for row in costs if row["billing_period"] == month and row["currency"] == "USD" and row["date"] <= end]
        for month, end in ((FEBRUARY, date(2025, 2, 14)), (JANUARY, date(2025, 1, 14)))
    )
    total = answer["totals"]["billed_cost"]
    assert Decimal(total["amount"]) == sums(now, [], "billed_cost")[()]
    assert Decimal(total["previous"]) == sums(before, [], "billed_cost")[()]
    after, earlier = sums(now, keys, "billed_cost"), sums(before, keys, "billed_cost")
    for one in answer["movers"]:
        key = tuple(one[name] for name in keys)
        assert (Decimal(one["before"]), Decimal(one["after"])) == (earlier.get(key, 0), after.get(key, 0))
    largest = max(abs(after.get(key, 0) - earlier.get(key, 0)) for key in {*after, *earlier})
    assert abs(Decimal(answer["movers"][0]["change"])) == largest


def test_movers_say_which_delivery_moved_them(client, costs, loaded):
    movers = get(client, "overview", currency="USD")["movers"]
    keys = ["source", "account_id", "service"]
    rows = [row for row in costs if row["currency"] == "USD"]
    now, before = (
        sums([row for row in rows if row["billing_period"] == month], keys, "billed_cost")
        for month in (FEBRUARY, JANUARY)
    )
    changes = {key: now.get(key, 0) - before.get(key, 0) for key in {*now, *before}}
    largest = sorted(map(abs, changes.values()), reverse=True)
    assert [abs(Decimal(one["change"])) for one in movers] == largest[:10]
    for one in movers:
        assert Decimal(one["change"]) == changes[tuple(one[key] for key in keys)]
        load = get(client, f"loads/{one['since_load']['load_id']}")
        assert (load["source"], load["billing_period"]) == (one["source"], "2025-02")
        alone = explore(client, first=FEBRUARY, last="2025-02-28", dates="billing", filter=one["filters"])
        assert alone["total"] == one["after"]


def test_changes_say_why_a_number_is_not_what_it_was(client, loaded):
    query = in_schema(loaded[0])
    answer = get(client, "changes", source="cup", billing_period="2025-01")
    new, old = answer["loads"]
    assert (new["is_current"], old["is_current"], old["changes"]) == (True, False, [])
    expected = query(
        "select sum(cost_change), sum(effective_cost_change), count(*) from restatements where source = 'cup'"
    )
    [[cost, effective, number]] = expected
    assert number > 0
    [change] = new["changes"]
    assert (Decimal(change["change"]), Decimal(change["effective_change"])) == (cost, effective)
    assert Decimal(change["after"]) - Decimal(change["before"]) == cost
    assert answer["changes"] == new["changes"]
    assert sum(Decimal(one["billed_cost"]) for one in answer["differences"]) == cost
    assert len(answer["differences"]) == number
    assert len(new["differences"]) + new["more_differences"] == number
    since = get(client, "changes", source="cup", billing_period="2025-01", since="2020-01-01")
    assert since["changes"][0]["before"] == "0"
    assert since["changes"][0]["after"] == change["after"]
    same = get(client, "changes", source="cup", billing_period="2025-01", since="2099-01-01T00:00:00Z")
    assert (same["changes"][0]["change"], same["differences"]) == ("0", [])
    first = get(client, "changes", source="azure", billing_period="2025-01")
    assert (first["changes"][0]["change"], first["differences"], len(first["loads"])) == ("0", [], 1)


def test_load_shows_its_files_checks_and_differences(client, loaded):
    query = in_schema(loaded[0])
    [[load_id]] = query("select max(load_id) from load_history where source = 'cup' and billing_period = '2025-01-01'")
    load = get(client, f"loads/{load_id}")
    assert (load["status"], load["billing_period"], load["run_url"]) == ("published", "2025-01", None)
    assert sum(one["rows"] for one in load["files"]) == load["rows"]
    assert {one["name"] for one in load["audits"]} == {
        name for (name,) in query("select check_name from audit_results where load_id = %s", load_id)
    }
    assert sum(Decimal(one["billed_cost"]) for one in load["differences"]) == Decimal(
        load["totals"][0]["billed_cost"]
    ) - Decimal(get(client, f"loads/{load['previous_load_id']}")["totals"][0]["billed_cost"])
    assert client.get("/api/loads/99999").json()["detail"] == "There is no load 99999."
    assert client.get(f"/api/loads/{2**70}").status_code == 422


def test_months_have_their_version_costs_and_checks(client, costs, loaded):
    months = get(client, "months")["months"]
    assert [(one["billing_period"], one["source"]) for one in months] == [
        *(("2025-02", name) for name in ("azure", "cup", "google", "hostile")),
        *(("2025-01", name) for name in ("azure", "cup", "google")),
    ]
    for one in months:
        month = date.fromisoformat(f"{one['billing_period']}-01")
        rows = [row for row in costs if (row["source"], row["billing_period"]) == (one["source"], month)]
        assert {(cost["currency"],): Decimal(cost["effective_cost"]) for cost in one["costs"]} == sums(
            rows, ["currency"], "effective_cost"
        )
        assert (one["failed_last"], one["stale"], one["estimated"]) == (False, False, False)
        assert one["checks_passed"] > 10


def test_commitments_are_those_of_focus_costs(client, loaded):
    answer = get(client, "commitments", **{"from": "2025-01", "to": "2025-02"}, currency="USD")
    rows = in_schema(loaded[0])(
        """
        select commitmentdiscountid, x_source,
            coalesce(sum(effectivecost) filter (where commitmentdiscountstatus = 'Used'), 0),
            coalesce(sum(effectivecost) filter (where commitmentdiscountstatus = 'Unused'), 0),
            coalesce(sum(listcost) filter (where commitmentdiscountstatus = 'Used'), 0)
        from focus_costs where commitmentdiscountid is not null and billingcurrency = 'USD' group by 1, 2
        """
    )
    assert {
        (one["commitment_id"], one["source"], *(Decimal(one[name]) for name in ("used", "unused", "covered")))
        for one in answer["commitments"]
    } == set(rows)
    assert {one["source"] for one in answer["commitments"]} == {"cup", "azure", "google"}
    for name, column in (("used", 2), ("unused", 3), ("covered", 4)):
        assert Decimal(answer["totals"][name]) == sum(row[column] for row in rows)
    for one in [answer["totals"], *answer["commitments"]]:
        assert Decimal(one["total"]) == Decimal(one["used"]) + Decimal(one["unused"])
        assert one["utilization"] is None or 0 <= one["utilization"] <= 1
    none = get(client, "commitments", currency="EUR")
    assert (none["commitments"], none["totals"]["total"], none["totals"]["utilization"]) == ([], "0", None)


def pages(client: TestClient, **parameters: Any) -> list[Any]:
    found, page = [], 1
    while page:
        answer = get(client, "charges", page=page, **parameters)
        names = [column["name"] for column in answer["columns"]]
        found += [{**one, **dict(zip(names, one["values"], strict=True))} for one in answer["charges"]]
        page = answer["next"]
    return found


@pytest.mark.parametrize("source", ["cup", "azure", "google"])
def test_number_leads_to_charges_and_lines(client, costs, loaded, source):
    query = in_schema(loaded[0])
    wanted = {
        "from": "2025-01-01",
        "to": "2025-01-31",
        "dates": "billing",
        "currency": "USD",
        "filter": f"source:{source}",
    }
    found = pages(client, **wanted)
    rows = [row for row in costs if row["source"] == source and row["billing_period"] == JANUARY]
    assert sum(Decimal(one["billedcost"]) for one in found) == sums(rows, [], "billed_cost")[()]
    assert sum(Decimal(one["effectivecost"]) for one in found) == sums(rows, [], "effective_cost")[()]
    keys = [one["line"] for one in found if one["line"]]
    # A recurring fee is two charges of one line; all other lines that are charged are there once.
    assert len(set(keys)) > 50
    [[lines]] = query(f"select count(*) from raw_{source} where billing_period = %s", JANUARY)
    assert len(set(keys)) <= lines
    largest = get(client, "charges", **wanted, order="largest")["charges"][0]
    assert Decimal(largest["values"][2]).copy_abs() == max(abs(Decimal(one["billedcost"])) for one in found)
    for one in [found[0], found[-1], largest]:
        if one["line"]:
            line = get(client, "lines", source=source, billing_period="2025-01", line=one["line"])
            assert len(line["lines"]) == 1
            assert line["lines"][0]["file"] in {
                file["uri"] for file in get(client, f"loads/{line['load']['load_id']}")["files"]
            }


def test_line_of_a_charge_is_its_own(client):
    wanted = {
        "from": "2025-01-01",
        "to": "2025-01-31",
        "currency": "USD",
        "filter": ["source:cup", "charge_category:Usage"],
    }
    for one in pages(client, **wanted)[::10]:
        answer = get(client, "lines", source="cup", billing_period="2025-01", line=one["line"])
        [raw] = answer["lines"]
        values = dict(zip([column["name"] for column in answer["columns"]], raw["values"], strict=True))
        assert (one["x_lineitemid"], one["x_timeinterval"]) == (
            values["identity_line_item_id"],
            values["identity_time_interval"],
        )
        assert (one["subaccountid"], one["x_lineitemtype"]) == (
            values["line_item_usage_account_id"],
            values["line_item_line_item_type"],
        )


def test_charges_of_filters_and_days_sum_to_costs(client, costs):
    for name in (
        "service",
        "region",
        "account_id",
        "tag:user%3Ateam",
        "invoice_id",
        "charge_category",
        "cloud_provider",
    ):
        day = date(2025, 1, 10)
        rows = matching(costs, "USD", day, day)
        value = max(sums(rows, [name], "billed_cost").items(), key=lambda item: item[1])[0][0]
        found = pages(client, **{"from": day, "to": day, "currency": "USD", "filter": f"{name}:{value}"})
        expected = sums([row for row in rows if (row[name] or "") == value], [], "billed_cost")[()]
        # What nobody used of a commitment is one charge for its whole period. Its billed cost is on the first day.
        own = [one for one in found if one["chargeperiodstart"].startswith(str(day))]
        assert {one["commitmentdiscountstatus"] for one in found if one not in own} <= {"Unused"}
        assert (name, value, sum(Decimal(one["billedcost"]) for one in own)) == (name, value, expected)
        assert own


def test_line_of_an_older_load_is_refused(client, loaded):
    [[load_id]] = in_schema(loaded[0])("select min(load_id) from load_history where source = 'cup'")
    asked = {"source": "cup", "billing_period": "2025-01"}
    answer = client.get("/api/lines", params={**asked, "line": f"{load_id}-0-1"})
    assert answer.status_code == 404
    assert "loaded again" in answer.json()["detail"]
    for line in ("x", "1-2", f"{load_id}-0-1;", "1-99999999999-1"):
        assert client.get("/api/lines", params={**asked, "line": line}).status_code == 422


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2025-02-30"}, "from"),
        ({"from": "2025-03-01", "to": "2025-02-01"}, "to"),
        ({"from": "0001-01-01"}, "from"),
        ({"group": "colour"}, "group"),
        ({"group": ["service", "region", "source"]}, "group"),
        ({"group": ["service", "service"]}, "group"),
        ({"group": "tag:"}, "group"),
        ({"filter": "service"}, "filter"),
        ({"filter": "tag:team"}, "filter"),
        ({"filter": "service:\0"}, "filter"),
        ({"metric": "cost"}, "metric"),
        ({"per": "hour"}, "per"),
        ({"from": "1990-01-01", "to": "2025-01-01"}, "per"),
        ({"top": "51"}, "top"),
        ({"currency": "XXX"}, "currency"),
        ({"dates": "invoice"}, "dates"),
        ({"compare": "budget"}, "compare"),
    ],
)
def test_wrong_parameter_is_named(client, parameters, name):
    answer = client.get("/api/explore", params=parameters)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{name}: ")
    assert answer.json()["hint"]


def test_context_names_everything_to_ask_for(client):
    context = get(client, "context")
    assert context["months"] == ["2025-02", "2025-01"]
    assert [one["name"] for one in context["sources"]] == ["azure", "cup", "google", "hostile"]
    names = [one["name"] for one in context["dimensions"]]
    assert names[:8] == list(DIMENSIONS[:8])
    assert {"tag:user%3Ateam", "tag:user%3Aenvironment", "tag:team", "tag:Env", "tag:env"} == set(names[8:])
    assert context["dag_url"] == "../dags/cloud_costs"


def test_everything_is_behind_the_guard(client):
    routes = {(route.path, method) for route in client.app.routes for method in route.methods}
    paths = {"/", "/explore", "/api/explore.csv", "/api/openapi.json", "/static/{version}/{name:path}", "/budgets"}
    paths |= {"/reports", "/api/reports/{report_id}.html", "/api/reports/{report_id}.pdf"}
    assert routes >= {(path, "GET") for path in paths} | {("/api/anomalies/{anomaly_id}", "POST")}
    for path, method in routes:
        path = re.sub(r"\{\w+_id\}", "1", path).replace("{version}", "x").replace("{name:path}", "plotly.min.js")
        for login, status in (("none", 401), ("no right", 403)):
            answer = client.request(method, path, headers={"X-Login": login}, follow_redirects=False)
            assert (path, answer.status_code) == (path, status)
            assert answer.json()["hint"]
    for path in ("/docs", "/redoc", "/openapi.json", "/nowhere"):
        assert client.get(path).status_code == 404


def test_browser_is_led_to_the_login_and_back(client):
    headers = {"X-Login": "none", **BROWSER}
    for path, login, back in (
        (
            "/explore?group=service&filter=a%3Ab",
            "./../api/v2/auth/login",
            "%2Fexplore%3Fgroup%3Dservice%26filter%3Da%253Ab",
        ),
        ("/loads/7", "../../api/v2/auth/login", "%2Floads%2F7"),
        ("/", "./../api/v2/auth/login", "%2F"),
    ):
        answer = client.get(path, headers=headers, follow_redirects=False)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{login}?next={back}")
    assert client.get("/api/months", headers=headers, follow_redirects=False).status_code == 401
    refused = client.get("/explore", headers={"X-Login": "no right", **BROWSER})
    assert (refused.status_code, "You may not see the costs." in refused.text) == (403, True)


def test_description_has_every_answer(client):
    description = get(client, "openapi.json")
    for name in (
        "context",
        "overview",
        "explore",
        "explore.csv",
        "charges",
        "lines",
        "loads/{load_id}",
        "changes",
        "months",
        "anomalies",
        "anomalies/{anomaly_id}",
        "budgets",
        "session",
        "reports",
        "reports/{report_id}",
        "reports/{report_id}.html",
        "reports/{report_id}.pdf",
    ):
        answers = description["paths"][f"/api/{name}"]["get"]["responses"]
        assert {"200", "401", "403", "422", "503"} <= set(answers)
    assert description["components"]["schemas"]["Group"]["properties"]["total"]["type"] == "string"


def test_database_that_is_away_is_said_in_one_sentence():
    app = app_of(Database(lambda: psycopg.connect("host=127.0.0.1 port=1 user=x", password=SECRET), "s", "costs_db"))
    answer = TestClient(app).get("/api/overview")
    assert answer.status_code == 503
    assert answer.json() == {
        "detail": "The database of the costs does not answer.",
        "hint": "Try again in a minute, or ask who runs Airflow.",
    }


def test_slow_database_is_given_up(postgres, loaded, administer):
    database, sources = loaded
    slow = TestClient(app_of(reading(postgres, database), sources, seconds=0.2))
    with psycopg.connect(postgres.uri()) as other:
        other.execute(f'lock table "{database.schema}".costs_by_day_service in access exclusive mode')
        answer = slow.get("/api/explore")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "The database did not answer within 0.2 seconds."
    assert slow.get("/api/explore").status_code == 200


def test_sessions_are_few_and_ended_ones_are_replaced(postgres, loaded):
    database, sources = loaded
    app = app_of(reading(postgres, database), sources, size=3)
    with TestClient(app) as client, psycopg.connect(postgres.uri(), autocommit=True) as other:
        count = (
            "select count(*) from pg_stat_activity "
            "where application_name = 'cloud_costs_page' and usename = %s and backend_type = 'client backend'"
        )

        def ask(number: int) -> tuple[int, int]:
            status = client.get(
                "/api/explore", params={"group": "service", "from": f"2025-01-{number + 1:02}"}
            ).status_code
            return status, other.execute(count, [database.reader]).fetchone()[0]

        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(ask, range(24)))
        assert {status for status, _ in answers} == {200}
        # The module's client may have up to four.
        assert max(number for _, number in answers) <= 3 + 4
        time.sleep(1.1)
        other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'cloud_costs_page' and usename = %s",
            [database.reader],
        )
        assert ask(1)[0] == 200


@pytest.mark.parametrize("before", ["select 1", "set transaction read write"])
def test_page_can_change_nothing(postgres, loaded, before):
    database, _ = loaded

    def change(pool: Pool) -> None:
        with pool.reading() as connection:
            connection.execute(before)
            connection.execute(f'delete from "{database.schema}".load_history')

    # The reader may not; and were it the loader, its transactions may not.
    for pool in (Pool(reading(postgres, database)), *([Pool(database)] if before == "select 1" else [])):
        with pytest.raises(Refusal):
            change(pool)
    assert in_schema(database)("select count(*) from load_history") == [(8,)]


def test_empty_database_says_what_to_do(database, postgres):
    client = TestClient(app_of(reading(postgres, database)))
    for name in ("overview", "explore", "commitments", "charges"):
        answer = client.get(f"/api/{name}")
        assert (answer.status_code, answer.json()["detail"]) == (404, "Nothing is published yet.")
    assert get(client, "context")["default_currency"] is None
    assert get(client, "months")["months"] == []


def test_failed_load_is_told_and_the_month_before_stays(database, postgres, cup):
    from pipeline import load_month

    client = TestClient(app_of(reading(postgres, database), [cup.source]))
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    before = explore(client, first=JANUARY, last="2025-01-31", dates="billing")["total"]
    cup.deliver(version=2)
    load_raw(database, LocalStorage(), cup.source, JANUARY)
    in_schema(database)("update load_history set status = 'failed', error = 'broken' where status = 'staged'")
    [month] = get(client, "months")["months"]
    assert (month["failed_last"], month["error"], month["checks_warned"]) == (True, "broken", 0)
    assert month["load_id"] != month["failed_load_id"]
    assert explore(client, first=JANUARY, last="2025-01-31", dates="billing")["total"] == before
