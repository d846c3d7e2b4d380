"""Anomalies, budgets and the month's end on the Costs page: exact, with hostile names, and who may decide.

The tests read one bill of three months with an event in the last. What they change of it, they change back.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from conftest import Query, in_schema
from insights_bill import EC2, MONTHS, WEB, Bill
from itsdangerous import TimestampSigner
from markupsafe import escape
from page_app import client_of, explore, get
from roles import reading
from starlette.testclient import TestClient

from cloud_costs.config.anomalies import ChangeLimits
from cloud_costs.config.budgets import Budget
from cloud_costs.insights.anomalies import detect_anomalies
from cloud_costs.insights.budgets import check_budgets
from cloud_costs.insights.forecasts import forecast
from cloud_costs.insights.reports import archive, periods
from cloud_costs.insights.telling import Channel, write_notices
from cloud_costs.page import decisions, tokens

TODAY = date(2025, 5, 20)
FIRST, LAST = date(2025, 5, 12), date(2025, 5, 19)
MAY = MONTHS[-1]
SCRIPT = "<script>document.title = 'ran'</script>"
TAGGED = {"tag": {"user:team": "web"}, "service": [EC2, SCRIPT]}
BUDGETS = (
    Budget(name="all", amount=6500, currency="USD"),
    Budget(name="web", amount=2400, currency="USD", filters=TAGGED, cost="effective"),
    Budget(name="spring", amount=100_000, currency="USD", period="quarter"),
    Budget(name="francs", amount=1, currency="CHF"),
)


@pytest.fixture(scope="module")
def bill(schemas: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bill]:
    """Three months, the last until the 20th, in which one service of an account costs more."""
    with schemas.borrowed() as database:
        bill = Bill(tmp_path_factory.mktemp("bill"), database, names={"AmazonS3": SCRIPT})
        bill.plant(WEB, "AmazonEC2", FIRST, LAST, 80)
        for month in MONTHS[-3:]:
            bill.load(month, until=TODAY)
        bring_up_to_date(bill)
        write_notices(database, BUDGETS, [])
        yield bill


def bring_up_to_date(bill: Bill) -> None:
    detect_anomalies(bill.database, ChangeLimits())
    forecast(bill.database)
    check_budgets(bill.database, BUDGETS)


@pytest.fixture(scope="module")
def client(postgres: Any, bill: Bill) -> TestClient:
    return client_of(postgres, bill.database, [bill.source])


@pytest.fixture
def query(bill: Bill) -> Query:
    return in_schema(bill.database)


@pytest.fixture
def changed(query: Query) -> Iterator[Query]:
    """The tables of anomalies and budgets, which a test may change."""
    tables = ("anomalies", "anomaly_actions", "budgets", "budget_status", "forecasts")
    for table in tables:
        query(f"create table kept_{table} as table {table}")
    yield query
    query("delete from anomalies")
    for table in tables:
        query(f"delete from {table}")
        query(f"insert into {table} overriding system value table kept_{table}")
        query(f"drop table kept_{table}")


def only(client: TestClient) -> Any:
    """Return the number of the one event that the bill has."""
    [one] = get(client, "anomalies")["anomalies"]
    return one["anomaly_id"]


# --- anomalies


def test_event_is_shown_with_exact_days_parts_and_its_load(client: TestClient, query: Query) -> None:
    one = get(client, f"anomalies/{only(client)}")
    [(actual, expected, impact)] = query("select actual, expected, impact from anomalies")
    assert [Decimal(one[name]) for name in ("actual", "expected", "impact")] == [actual, expected, impact]
    assert (one["account_id"], one["service"], one["status"], one["running"]) == (WEB, EC2, "open", True)
    assert one["impact_share"] == pytest.approx(float(impact / expected), abs=1e-6)
    days = dict(
        query(
            "select date::text, sum(effective_cost) from costs where account_id = %s and service = %s "
            "and charge_category = 'Usage' group by 1",
            *(WEB, EC2),
        )
    )
    # Nothing is published of the days after it.
    shown = [str(FIRST + timedelta(days=number)) for number in range(-28, 8)]
    assert {day["date"]: Decimal(day["actual"]) for day in one["days"]} == {day: days[day] for day in shown}
    of_event = [day for day in one["days"] if day["expected"] is not None]
    assert [day["date"] for day in of_event] == shown[-8:]
    assert sum(Decimal(day["actual"]) for day in of_event) == actual
    assert sum(Decimal(day["expected"]) for day in of_event) == expected
    assert all(abs(Decimal(day["actual"]) - Decimal(day["expected"]) - 80) < 5 for day in of_event)
    parts = {of["dimension"]: of["parts"] for of in one["parts"]}
    assert list(parts) == ["Services of accounts", "Usage types", "Resources", "Regions", "Tag user:team"]
    assert parts["Usage types"][0]["label"] == "Usage:planted"
    [(load_id,)] = query("select load_id from load_history where billing_period = %s", MAY)
    assert (one["load"]["load_id"], one["load"]["version"]) == (load_id, "v1")
    assert (one["reason"], one["actions"]) == (None, [])


def test_its_filters_lead_to_the_same_money_in_explore(client: TestClient) -> None:
    one = get(client, f"anomalies/{only(client)}")
    asked = {"metric": "effective_cost", "currency": one["currency"], "first": FIRST, "last": LAST}
    assert explore(client, **asked, filter=one["filters"])["total"] == one["actual"]
    for of in one["parts"]:
        for part in of["parts"]:
            if part["filters"]:
                assert Decimal(explore(client, **asked, filter=part["filters"])["total"]) > 0


@pytest.fixture
def many(changed: Query) -> Query:
    """The event sixty times more, of two sources, with a service that is no text for a page."""
    changed(
        """
        insert into anomalies (
            source, currency, account_id, service, first_date, last_date, expected, actual, impact, severity, kind,
            status, running, explanation, news, muted_until
        )
        select
            case when number %% 2 = 0 then 'crafted' else 'other' end, currency, null, %s, date '2024-01-01' + number,
            date '2024-01-02' + number, number, number + 1.00000000000000000001, 1.00000000000000000001,
            (array['low', 'medium', 'high'])[number %% 3 + 1], 'anomaly',
            (array['open', 'acknowledged', 'muted', 'expected', 'explained', 'merged'])[number %% 6 + 1], false,
            '{"tag <b>": [{"value": "<i>", "impact": "1.00"}], "regions": [{"value": "", "impact": "1.00"}]}', false,
            '2024-06-30'
        from anomalies cross join generate_series(1, 60) as number
        """,
        SCRIPT,
    )
    return changed


def test_open_events_come_first_and_pages_have_each_once(client: TestClient, many: Query) -> None:
    first, second = get(client, "anomalies"), get(client, "anomalies", page=2)
    assert (first["total"], first["next"], second["next"]) == (51, 2, None)
    shown = first["anomalies"] + second["anomalies"]
    order = ["open", "acknowledged", "muted", "expected", "explained"]
    assert [one["status"] for one in shown] == sorted((one["status"] for one in shown), key=order.index)
    assert [one["status"] for one in shown].count("open") == first["open"] == 11
    assert [one["news"] for one in shown if one["status"] == "open"].count(False) == first["past"] == 10
    assert len({one["anomaly_id"] for one in shown}) == 51
    days = [one["last_date"] for one in shown if one["status"] == "open"]
    assert days == sorted(days, reverse=True)
    assert get(client, "anomalies", page=3)["anomalies"] == []
    assert first["sources"] == ["crafted", "other"]


def test_filters_find_what_they_say(client: TestClient, many: Query) -> None:
    for asked in (
        {"status": "open"},
        {"status": ["muted", "explained"], "severity": "high"},
        {"source": "other", "severity": ["low", "medium"]},
        {"source": "nowhere"},
        {"status": "open", "news": True},
        {"news": False},
    ):
        conditions = " and ".join(f"{name} = any(%s)" for name in asked)
        values = [value if isinstance(value, list) else [value] for value in asked.values()]
        [(count,)] = many(
            f"select count(*) from anomalies where status <> 'merged' and {conditions}",
            *values,
        )
        answer = get(client, "anomalies", **asked)
        assert answer["total"] == len(answer["anomalies"]) == count
        for name, wanted in zip(asked, values, strict=True):
            assert {one[name] for one in answer["anomalies"]} <= set(wanted)


def test_names_in_events_are_data(client: TestClient, many: Query) -> None:
    [found] = [one for one in get(client, "anomalies")["anomalies"] if one["first_date"] == "2024-01-07"]
    one = get(client, f"anomalies/{found['anomaly_id']}")
    assert (one["service"], one["account_id"], one["account_name"]) == (SCRIPT, None, None)
    assert one["actual"] == "7.00000000000000000001"
    assert one["filters"] == ["source:crafted", f"service:{SCRIPT}", "charge_category:Usage"]
    assert [(of["dimension"], of["parts"][0]["label"]) for of in one["parts"]] == [
        ("Regions", "no region"),
        ("Tag <b>", "<i>"),
    ]
    assert one["parts"][1]["parts"][0]["filters"] == [*one["filters"][:-1], "tag:%3Cb%3E:<i>", one["filters"][-1]]
    # Its costs are of before the first bill.
    assert {day["actual"] for day in one["days"]} == {"0"}
    assert one["load"] is None


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"status": "merged"}, "status"),
        ({"severity": "huge"}, "severity"),
        ({"page": 0}, "page"),
        ({"source": "a\0b"}, "source"),
    ],
)
def test_wrong_parameter_is_named(client: TestClient, parameters: Any, name: str) -> None:
    answer = client.get("/api/anomalies", params=parameters)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{name}: ")
    assert client.get("/api/anomalies/77").json()["detail"] == "There is no anomaly 77."


# --- decisions


def decide(client: TestClient, number: int, body: Any, **headers: str) -> Any:
    """Send a decision as the page does; a header that is empty is left out."""
    session = client.get("/api/session", headers={"X-May-Decide": "yes"}).json()
    sent = {
        "X-May-Decide": "yes",
        "X-CSRF-Token": session["token"],
        "Origin": "http://testserver",
        "Sec-Fetch-Site": "same-origin",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    sent = {name: value for name, value in sent.items() if value}
    return client.post(f"/api/anomalies/{number}", json=body, headers=sent)


ACKNOWLEDGE = {"action": "acknowledge", "note": "asked the web team"}
OTHER_SITE = "The request comes from another site."
NO_RIGHT = "You may not decide about anomalies."
NO_TOKEN = "The request has no token, or one that is not good any more."


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({"X_Login": "none"}, "You are not logged in."),
        ({"X_Login": "no right"}, "You may not see the costs."),
        ({"Sec_Fetch_Site": "cross-site"}, OTHER_SITE),
        ({"Sec_Fetch_Site": "same-site"}, OTHER_SITE),
        ({"Sec_Fetch_Site": "none"}, OTHER_SITE),
        ({"Sec_Fetch_Site": "", "Origin": "https://evil.example"}, OTHER_SITE),
        ({"Sec_Fetch_Site": "", "Origin": "http://testserver.evil.example"}, OTHER_SITE),
        ({"Sec_Fetch_Site": "", "Origin": "null"}, OTHER_SITE),
        # Who may only read the DAG sees everything and decides nothing.
        ({"X_May_Decide": "no"}, NO_RIGHT),
        ({"X_CSRF_Token": ""}, NO_TOKEN),
        ({"X_CSRF_Token": "forged"}, NO_TOKEN),
        # The token is somebody else's.
        ({"X_Person": "Mallory"}, NO_TOKEN),
    ],
)
def test_decision_is_refused(client: TestClient, query: Query, headers: dict[str, str], detail: str) -> None:
    answer = decide(client, only(client), ACKNOWLEDGE, **headers)
    assert answer.status_code == (401 if headers == {"X_Login": "none"} else 403)
    assert answer.json()["detail"] == detail
    assert answer.json()["hint"]
    assert query("select status from anomalies") == [("open",)]
    assert query("select count(*) from anomaly_actions") == [(0,)]


def test_token_is_good_for_an_hour(client: TestClient, query: Query, monkeypatch: pytest.MonkeyPatch) -> None:
    made = TimestampSigner.get_timestamp

    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: made(self) - tokens.SECONDS - 2)
    old = client.get("/api/session", headers={"X-May-Decide": "yes"}).json()["token"]
    monkeypatch.undo()
    answer = decide(client, only(client), ACKNOWLEDGE, X_CSRF_Token=old)
    assert (answer.status_code, answer.json()["detail"]) == (403, NO_TOKEN)
    assert query("select count(*) from anomaly_actions") == [(0,)]


def test_who_may_only_read_is_told_so_and_gets_no_token(client: TestClient) -> None:
    assert get(client, "session") == {"person": "Kim", "may_decide": False, "token": None}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "action is missing."),
        ({"action": "delete"}, "action: 'delete' is not valid."),
        ({"action": "acknowledge", "person": "Ana"}, "person: 'Ana' is not valid."),
        ({"action": "acknowledge", "note": "x" * 1001}, "note: "),
        ({"action": "acknowledge", "note": "\0"}, "note: "),
        ({"action": "mute"}, "until: muting needs a last day, and nothing else has one."),
        ({"action": "expect", "until": "2025-06-30"}, "until: muting needs a last day, and nothing else has one."),
        ({"action": "mute", "until": "soon"}, "until: 'soon' is not valid."),
    ],
)
def test_wrong_decision_is_named(client: TestClient, query: Query, body: Any, named: str) -> None:
    answer = decide(client, only(client), body)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(named)
    assert query("select count(*) from anomaly_actions") == [(0,)]


def test_decisions_are_written_with_who_made_them(client: TestClient, changed: Query) -> None:
    number = only(client)
    for body, status in (
        (ACKNOWLEDGE, "acknowledged"),
        ({"action": "mute", "until": "2025-06-30"}, "muted"),
        ({"action": "expect", "note": f"  {SCRIPT} "}, "expected"),
    ):
        answer = decide(client, number, body)
        assert (answer.status_code, answer.json()["status"]) == (200, status), answer.text
        # The list has it at once, and so has the overview, which is kept otherwise.
        assert get(client, "anomalies")["anomalies"][0]["status"] == status
    assert changed("select action, person, note, muted_until::text from anomaly_actions order by 1") == [
        ("acknowledge", "Kim", "asked the web team", None),
        ("expect", "Kim", SCRIPT, None),
        ("mute", "Kim", None, "2025-06-30"),
    ]
    log = get(client, f"anomalies/{number}")["actions"]
    assert [(entry["action"], entry["person"], entry["note"]) for entry in log] == [
        ("expect", "Kim", SCRIPT),
        ("mute", "Kim", None),
        ("acknowledge", "Kim", "asked the web team"),
    ]


def test_program_and_page_behind_a_proxy_may_decide(client: TestClient, changed: Query) -> None:
    for headers in (
        # A program is no browser, and says nothing of where it is.
        {"Sec_Fetch_Site": "", "Origin": ""},
        # A proxy that changes Host, over TLS and without.
        {"Origin": "https://airflow.example.com"},
        {"Sec_Fetch_Site": "", "Origin": "http://airflow.example.com", "X_Forwarded_Host": "airflow.example.com"},
    ):
        assert decide(client, only(client), ACKNOWLEDGE, **headers).status_code == 200, headers
    assert changed("select count(*) from anomaly_actions") == [(3,)]


def test_event_that_is_gone_is_not_decided_about(client: TestClient, changed: Query) -> None:
    changed("update anomalies set status = 'explained'")
    answer = decide(client, only(client), ACKNOWLEDGE)
    assert answer.status_code == 404
    assert "there is no such event, or a restatement took it away" in answer.json()["detail"]
    assert decide(client, 77, ACKNOWLEDGE).status_code == 404
    assert changed("select count(*) from anomaly_actions") == [(0,)]


def test_decision_does_not_wait_for_a_task_that_is_at_work(
    client: TestClient, bill: Bill, query: Query, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "WAIT_SECONDS", 0.2)
    with psycopg.connect(postgres.uri()) as other:
        key = f"cloud_costs insights {bill.database.schema}"
        other.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
        answer = decide(client, only(client), ACKNOWLEDGE)
    assert (answer.status_code, answer.json()["detail"]) == (503, "Anomalies are being brought up to date.")
    assert query("select count(*) from anomaly_actions") == [(0,)]


def test_reader_role_writes_nothing(postgres: Any, bill: Bill, query: Query) -> None:
    reader = reading(postgres, bill.database)
    for table in ("anomalies", "anomaly_actions", "budgets", "budget_status", "forecasts"):
        with reader.session() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f'delete from "{bill.database.schema}".{table}')
    as_reader = client_of(postgres, reader)
    answer = decide(as_reader, only(as_reader), ACKNOWLEDGE)
    assert answer.status_code == 503
    assert answer.json()["detail"] == "The connection costs_db may not write decisions."
    assert query("select count(*) from anomaly_actions") == [(0,)]


# --- budgets


def test_budgets_have_exact_costs_a_forecast_and_their_thresholds(client: TestClient, query: Query) -> None:
    answer = get(client, "budgets")
    assert (answer["total"], answer["next"]) == (4, None)
    found = {one["budget"]: one for one in answer["budgets"]}
    assert list(found) == ["all", "francs", "spring", "web"]
    assert (found["francs"]["current"], found["francs"]["earlier"]) == (None, [])
    for name, start, *amounts, status, share in query(
        "select budget, period_start::text, amount, actual, forecast, low, high, status, share from budget_status"
    ):
        current = found[name]["current"]
        shown = [Decimal(current[column]) for column in ("amount", "actual", "forecast", "low", "high")]
        assert (current["from"], current["status"], shown) == (start, status, amounts)
        assert current["share"] == pytest.approx(float(share) / 100, abs=1e-3)
    assert found["spring"]["current"]["to"] == "2025-06-30"
    by_name = {(one["of"], one["percent"]): one for one in found["all"]["current"]["thresholds"]}
    assert list(by_name) == [("actual", 80), ("actual", 100), ("forecast", 100)]
    assert (by_name["actual", 80]["reached"], by_name["actual", 80]["told"]) == (None, None)
    reached = by_name["forecast", 100]
    assert datetime.fromisoformat(reached["reached"]) <= datetime.fromisoformat(reached["told"])
    assert reached["taken_back"] is None


def test_filters_of_a_budget_lead_to_its_costs_in_explore(client: TestClient) -> None:
    metrics = {"billed": "billed_cost", "effective": "effective_cost"}
    for one in get(client, "budgets")["budgets"]:
        current = one["current"]
        if current:
            answer = explore(
                client,
                first=current["from"],
                last=current["to"],
                metric=metrics[one["cost"]],
                filter=one["filters"],
                currency=one["currency"],
            )
            assert answer["total"] == current["actual"]
    [web] = [one for one in get(client, "budgets")["budgets"] if one["budget"] == "web"]
    assert web["filters"] == [f"service:{EC2}", f"service:{SCRIPT}", "tag:user%3Ateam:web"]


def test_budgets_are_paged_and_their_names_are_data(client: TestClient, changed: Query) -> None:
    changed(
        """
        insert into budgets
        select %s || number, amount, currency, period, cost, '{"tag": {"<b>:": ["<i>"]}}', thresholds
        from budgets cross join generate_series(101, 160) as number where budget = 'all'
        """,
        SCRIPT,
    )
    changed(
        """
        insert into budget_status
        select
            %s || 101, '2025-04-01', '2025-04-30', as_of, 1.5, currency, 1000000000000000000.00000000001, forecast,
            low, high, 66.6, 'exceeded', '{"actual 50": {"reached": "2025-05-01T10:00:00Z", "told": null,
            "back": "2025-05-02T10:00:00Z", "back_told": null}}'
        from budget_status where budget = 'all'
        """,
        SCRIPT,
    )
    # A period of another kind is from before the budget was changed.
    changed("update budget_status set period_start = '2025-01-01' where budget = 'all'")
    first, second = get(client, "budgets"), get(client, "budgets", page=2)
    assert (first["total"], first["next"], second["next"]) == (64, 2, None)
    names = [one["budget"] for one in first["budgets"] + second["budgets"]]
    assert len(set(names)) == 64
    one = first["budgets"][0]
    assert (one["budget"], one["filters"]) == (f"{SCRIPT}101", ["tag:%3Cb%3E%3A:<i>"])
    assert one["current"]["actual"] == "1000000000000000000.00000000001"
    assert one["current"]["amount"] == "1.5"
    extra = one["current"]["thresholds"][0]
    assert (extra["percent"], extra["told"], extra["taken_back"]) == (50, None, "2025-05-02T10:00:00Z")
    [changed_one] = [one for one in first["budgets"] + second["budgets"] if one["budget"] == "all"]
    assert changed_one["current"] is None


# --- the month's end


def test_overview_has_the_newest_forecast_of_all_sources(client: TestClient, changed: Query) -> None:
    found = get(client, "overview")["forecast"]
    assert found["as_of"] == str(LAST)
    for metric in ("billed", "effective"):
        [row] = changed(
            "select low, expected, high from forecasts where source is null and month = %s and metric = %s", MAY, metric
        )
        shown = found[f"{metric}_cost"]
        assert tuple(Decimal(shown[name]) for name in ("low", "expected", "high")) == row
        assert row[0] < row[1] < row[2]
    # The answer is kept, and another forecast makes another one.
    changed("update forecasts set expected = high, made_at = clock_timestamp()")
    again = get(client, "overview")["forecast"]
    assert again["billed_cost"]["expected"] == again["billed_cost"]["high"]
    changed("update forecasts set as_of = '2025-05-31', made_at = clock_timestamp()")
    assert get(client, "overview")["forecast"] is None
    changed("delete from forecasts")
    assert get(client, "overview")["forecast"] is None


# --- reports


def test_archive_has_each_report_as_it_was_sent(client: TestClient, bill: Bill, query: Query) -> None:
    week, day = periods.weekly(date(2025, 5, 19)), periods.daily(LAST)
    settings = archive.Settings("user:team", page="https://airflow.example.com/cloud-costs")
    for period, to, request in ((week, [Channel(email="cfo@example.com")], ""), (day, [], ""), (week, [], "manual__1")):
        archive.make_report(bill.database, period, settings, to, request)
    query("update reports set sent_at = made_at where recipients <> '{}'")
    found = get(client, "reports")
    assert (found["total"], found["next"]) == (3, None)
    assert [(one["kind"], one["period"], one["request"], one["recipients"]) for one in found["reports"]] == [
        ("weekly", "2025-W21", "manual__1", []),
        ("daily", "2025-05-19", "", []),
        ("weekly", "2025-W21", "", ["cfo@example.com"]),
    ]
    assert [one["sent_at"] is None for one in found["reports"]] == [True, True, False]
    assert [one["kind"] for one in get(client, "reports", kind="daily")["reports"]] == ["daily"]
    assert get(client, "reports", kind="weekly", period="2025-W21")["total"] == 2
    assert get(client, "reports", period="2025-W20") == {"page": 1, "next": None, "total": 0, "reports": []}
    number = found["reports"][-1]["report_id"]
    [(html, text, pdf, lines)] = query("select html, text, pdf, lines from reports where report_id = %s", number)
    one = get(client, f"reports/{number}")
    assert (one["text"], one["lines"]) == (text, lines)
    [known] = one["as_of"]
    assert (known["source"], known["billing_period"], known["complete"]) == ("crafted", "2025-05", str(LAST))
    shown = client.get(f"/api/reports/{number}.html")
    assert shown.text == html
    # What a bill says is text, and whatever is in it, the browser runs and loads nothing.
    assert "<script" not in html
    assert escape(SCRIPT) in html
    assert shown.headers["content-security-policy"] == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"
    )
    assert shown.headers["cache-control"] == "no-store"
    file = client.get(f"/api/reports/{number}.pdf")
    assert (file.content, file.headers["content-type"]) == (pdf, "application/pdf")
    assert file.headers["content-disposition"] == 'attachment; filename="cloud-costs-weekly-2025-W21.pdf"'
    for path in ("reports/999", "reports/999.html", "reports/999.pdf"):
        assert client.get(f"/api/{path}").json()["detail"] == "There is no report 999.", path
    for parameters in ({"kind": "yearly"}, {"period": "2025"}, {"page": 0}):
        assert client.get("/api/reports", params=parameters).status_code == 422, parameters


def test_archive_is_paged(client: TestClient, query: Query) -> None:
    query(
        "insert into reports (kind, period, as_of, subject, lines, text, html, pdf, recipients) "
        "select 'daily', (date '2020-01-01' + number)::text, '[]', 's', '{}', '', '', '', '{}' "
        "from generate_series(0, 59) as number"
    )
    first, second = (get(client, "reports", kind="daily", page=page) for page in (1, 2))
    assert (first["next"], second["next"], first["total"]) == (2, None, second["total"])
    found = [one["report_id"] for one in first["reports"] + second["reports"]]
    assert len(found) == len(set(found)) == first["total"] >= 60
    assert found == sorted(found, reverse=True)
    query("delete from reports")


# --- nothing there, and a restatement


def test_without_insights_there_is_nothing_to_show(database: Any, postgres: Any) -> None:
    empty = client_of(postgres, database)
    nothing = {"page": 1, "next": None, "total": 0}
    assert get(empty, "anomalies") == {**nothing, "open": 0, "past": 0, "sources": [], "anomalies": []}
    assert get(empty, "budgets") == {"page": 1, "next": None, "total": 0, "budgets": []}
    assert get(empty, "reports") == {"page": 1, "next": None, "total": 0, "reports": []}


def test_restatement_that_explains_it_is_shown(client: TestClient, bill: Bill, query: Query) -> None:
    """It comes last: the bill is another one after it."""
    number = only(client)
    before = get(client, f"anomalies/{number}")
    bill.extra = {}
    bill.load(MAY, until=TODAY)
    bring_up_to_date(bill)
    one = get(client, f"anomalies/{number}")
    assert (one["status"], one["running"]) == ("explained", False)
    assert one["reason"].startswith("restated by the delivery v2: these days cost ")
    assert (one["actual"], one["expected"]) == (before["actual"], before["expected"])
    # The chart has what the days cost now, and what was expected of them.
    now = {day["date"]: Decimal(day["actual"]) for day in one["days"] if day["expected"] is not None}
    assert sum(now.values()) == Decimal(before["actual"]) - 8 * 80
    assert one["load"]["version"] == "v2"
