"""Anomalies, forecasts and budgets of published months: found once, exact, and taken back by a restatement.

Each test begins with the same bill of five months, of which nothing was found yet.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import Query, in_schema
from insights_bill import DAILY, DATA, EC2, MONTHS, S3, WEB, Bill, days_of
from typer.testing import CliRunner

from cloud_costs.cli import app
from cloud_costs.config.anomalies import ChangeLimits
from cloud_costs.config.budgets import Budget
from cloud_costs.database.postgres import Database
from cloud_costs.demo.embedded_postgres import Server
from cloud_costs.errors import ConfigError
from cloud_costs.insights import telling
from cloud_costs.insights.actions import act, list_events
from cloud_costs.insights.anomalies import detect_anomalies
from cloud_costs.insights.budgets import check_budgets
from cloud_costs.insights.days import COMPLETE_AGE, complete_ages
from cloud_costs.insights.forecasts import forecast

APRIL, MAY = MONTHS[-2:]
TODAY = date(2025, 5, 20)
EVERYONE = telling.Channel(email="finops@example.com")
WEB_TEAM = telling.Channel(slack="web_slack")
FIRST, LAST = date(2025, 5, 12), date(2025, 5, 19)
# What insights keep.
FOUND = ("anomaly_actions", "anomalies", "day_totals", "forecasts", "budgets", "budget_status", "notices")


def budget(name: str, amount: int, **settings: Any) -> Budget:
    return Budget(name=name, amount=amount, currency="USD", **settings)


BUDGETS = (
    budget("all", 6500),
    budget("kept", 100_000, period="year", cost="effective"),
    budget("web", 2400, filters={"tag": {"user:team": "web"}}, tell={"slack": "web_slack"}),
    budget("nobody", 10, filters={"service": "Amazon Nothing"}),
)


@dataclass
class Delivered:
    """A bill that was delivered once. Tests deliver months again."""

    bill: Bill
    extra: dict[tuple[str, str, date], Decimal]
    versions: dict[date, int] = field(default_factory=dict)

    def again(self) -> Bill:
        """Bring the bill back to its first delivery, and forget what was found."""
        self.bill.extra = dict(self.extra)
        for month in MONTHS:
            if not self.versions or self.bill.versions[month] != self.versions[month]:
                self.bill.load(month, until=TODAY)
        self.versions = dict(self.bill.versions)
        with self.bill.database.session() as connection:
            tables = ", ".join(f'"{self.bill.database.schema}".{name}' for name in FOUND)
            connection.execute(f"truncate {tables} restart identity")
        return self.bill


@pytest.fixture(scope="module")
def delivered(schemas: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivered]:
    """Five months, the last until the 20th, with a shift of one service in the last."""
    folder: Path = tmp_path_factory.mktemp("bill")
    with schemas.borrowed() as database:
        bill = Bill(folder, database)
        bill.plant(WEB, "AmazonEC2", FIRST, LAST, 80)
        yield Delivered(bill, dict(bill.extra))


@pytest.fixture
def bill(delivered: Delivered) -> Bill:
    """The bill as it was delivered first, of which nothing was found yet."""
    return delivered.again()


@pytest.fixture
def query(bill: Bill) -> Query:
    return in_schema(bill.database)


def find(bill: Bill) -> list[str]:
    """Bring everything up to date, and return the lines that are news."""
    detect_anomalies(bill.database, ChangeLimits())
    forecast(bill.database)
    check_budgets(bill.database, BUDGETS)
    return telling.write_notices(bill.database, BUDGETS, [EVERYONE])


def anomalies(query: Query, columns: str) -> list[tuple[Any, ...]]:
    return query(f"select {columns} from anomalies order by anomaly_id")


def test_event_is_told_once_at_its_level_with_exact_amounts(bill: Bill, query: Query) -> None:
    news = find(bill)
    [row] = anomalies(
        query, "account_id, service, first_date, last_date, kind, status, running, actual, impact, explanation"
    )
    *found, actual, impact, explanation = row
    assert found == [WEB, EC2, FIRST, LAST, "anomaly", "open", True]
    [(exact,)] = query(
        "select sum(effective_cost) from costs where charge_category = 'Usage' and account_id = %s and service = %s "
        "and date between %s and %s",
        *(WEB, EC2, FIRST, LAST),
    )
    assert actual == exact
    assert abs(impact - 8 * 80) < 20
    assert explanation["usage types"][0]["value"] == "Usage:planted"
    assert explanation["resources"][0]["value"] == f"AmazonEC2-{WEB}"
    assert explanation["tag user:team"][0]["value"] == "web"
    days = {day["date"]: Decimal(day["expected"]) for day in explanation["days"]}
    assert list(days) == [f"2025-05-{day}" for day in range(12, 20)]
    assert sum(days.values()) == actual - impact
    [line] = [line for line in news if line.startswith("#")]
    assert f"{exact:,.2f}" in line
    assert "crafted, account 000000000011, Amazon Elastic Compute Cloud" in line
    assert line.endswith(f"resource AmazonEC2-{WEB} ({explanation['resources'][0]['impact']})")
    # Whatever is run again tells nothing again.
    assert find(bill) == []
    assert len(anomalies(query, "anomaly_id")) == 1


def test_forecast_has_what_is_known_and_an_interval(bill: Bill, query: Query) -> None:
    find(bill)
    rows = query(
        "select source, account_id, service, metric, to_date, low, expected, high from forecasts where as_of = %s",
        LAST,
    )
    found = {row[:4]: row[4:] for row in rows}
    for scope, where in (
        ((None, None, None), "true"),
        (("crafted", None, None), "true"),
        (("crafted", WEB, None), f"account_id = '{WEB}'"),
        (("crafted", None, S3), f"service = '{S3}'"),
    ):
        for metric, amount in (("billed", "cost"), ("effective", "effective_cost")):
            to_date, low, expected, high = found[*scope, metric]
            [(exact,)] = query(
                f"select sum({amount}) from costs where {where} and date between '2025-05-01' and '2025-05-19'"
            )
            assert to_date == exact
            assert to_date < low < expected < high
    # Of 31 days, twelve are left. The fee came on the first, and comes once a month.
    expected = found["crafted", DATA, None, "billed"][2]
    truth = sum(Decimal(50) + day % 2 + 30 + Decimal(day % 4) / 4 for day in range(1, 32))
    assert abs(expected / truth - 1) < Decimal("0.01")


def test_budget_is_exact_and_its_thresholds_are_told_once_to_those_concerned(bill: Bill, query: Query) -> None:
    find(bill)
    status = {row[0]: row[1:] for row in query("select budget, status, actual, share, thresholds from budget_status")}
    assert {name: row[0] for name, row in status.items()} == {
        "all": "at risk",
        "kept": "kept",
        "web": "exceeded",
        "nobody": "no costs",
    }
    assert status["all"][1] == query("select sum(cost) from costs where billing_period = %s", MAY)[0][0]
    assert status["kept"][1] == query("select sum(effective_cost) from costs")[0][0]
    web = "select sum(cost) from costs where billing_period = %s and tags ->> 'user:team' = 'web'"
    assert status["web"][1] == query(web, MAY)[0][0]
    assert set(status["all"][3]) == {"forecast 100"}
    assert set(status["web"][3]) == {"actual 80", "actual 100", "forecast 100"}
    notices = dict(query("select coalesce(email, slack), lines from notices"))
    assert set(notices) == {EVERYONE.email, WEB_TEAM.slack}
    assert sum("budget " in line for line in notices[EVERYONE.email]) == 4
    assert all("budget web, 2025-05: " in line for line in notices[WEB_TEAM.slack])
    assert check_budgets(bill.database, BUDGETS) == [
        "budget 'nobody': no costs from 2025-05-01 on match its filters",
    ]


def test_message_is_sent_once_and_kept_until_it_is(bill: Bill, query: Query) -> None:
    find(bill)
    sent: list[telling.Notice] = []

    def send(notice: telling.Notice) -> str | None:
        sent.append(notice)
        return "no route" if len(sent) == 1 else None

    def interrupt(notice: telling.Notice) -> str | None:
        raise KeyboardInterrupt

    # Killed before anything is recorded, it is as if nothing had run.
    with pytest.raises(KeyboardInterrupt):
        telling.send_notices(bill.database, interrupt)
    assert telling.send_notices(bill.database, send) == 1
    assert telling.send_notices(bill.database, send) == 1
    assert telling.send_notices(bill.database, send) == 0
    assert [notice.notice_id for notice in sent] == [1, 2, 1]
    assert query("select tries, error, sent_at is not null from notices order by 1") == [
        (1, None, True),
        (2, None, True),
    ]
    assert sent[0].subject == "Cloud costs: 1 anomaly(ies), 4 budget threshold(s)"


def test_person_decides_and_it_is_kept_who(bill: Bill, query: Query) -> None:
    find(bill)
    [(number,)] = anomalies(query, "anomaly_id")
    act(bill.database, number, "acknowledge", "ana", "asked the web team")
    assert [event.status for event in list_events(bill.database)] == ["acknowledged"]
    act(bill.database, number, "mute", "ben", muted_until=date(2025, 5, 31))
    assert list_events(bill.database) == []
    with pytest.raises(ConfigError, match="anomaly 77: there is no such event"):
        act(bill.database, 77, "expect", "ana")
    with pytest.raises(ConfigError, match="mute needs a day"):
        act(bill.database, number, "mute", "ana")
    assert query("select action, person, note from anomaly_actions order by 1") == [
        ("acknowledge", "ana", "asked the web team"),
        ("mute", "ben", None),
    ]
    # It stays as it was decided.
    assert find(bill) == []
    assert anomalies(query, "status") == [("muted",)]


def test_restatement_takes_an_event_and_thresholds_back(bill: Bill, query: Query) -> None:
    """A month that is restated twice: the first takes them back, the second brings them again."""
    find(bill)
    [told] = anomalies(query, "actual, impact")
    planted, bill.extra = bill.extra, {}
    bill.load(MAY, until=TODAY)
    news = find(bill)
    assert anomalies(query, "status, running") == [("explained", False)]
    [line] = [line for line in news if line.startswith("#1 is taken back")]
    assert f"restated by the delivery v{bill.versions[MAY]}: these days cost 7" in line
    assert any("budget web, 2025-05: 100 % of 2,400.00 USD is not reached any more" in line for line in news)
    assert find(bill) == []
    # Restated once more, it is there again, and is told again: as the same event.
    bill.extra = planted
    bill.load(MAY, until=TODAY)
    news = find(bill)
    assert anomalies(query, "status, account_id, first_date") == [("open", WEB, FIRST)]
    assert anomalies(query, "actual, impact") == [told]
    web = "select sum(cost) from costs where billing_period = %s and tags ->> 'user:team' = 'web'"
    assert query("select actual from budget_status where budget = 'web'") == query(web, MAY)
    assert any("budget web, 2025-05: 100 % of 2,400.00 USD is reached" in line for line in news)
    assert [line[:2] for line in news if line.startswith("#")] == ["#1"]
    assert find(bill) == []


def test_closed_month_that_is_restated_is_told_as_a_restatement(bill: Bill, query: Query) -> None:
    find(bill)
    bill.plant(DATA, "AmazonS3", date(2025, 4, 8), date(2025, 4, 10), 90)
    bill.load(APRIL)
    news = find(bill)
    assert anomalies(query, "kind, account_id, first_date, last_date, running")[1:] == [
        ("restatement", DATA, date(2025, 4, 8), date(2025, 4, 10), False)
    ]
    assert [line.startswith("restated: #") for line in news] == [True]


def test_command_line_lists_and_decides(
    bill: Bill, query: Query, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bill.plant(DATA, "AmazonS3", date(2025, 5, 6), date(2025, 5, 8), 90)
    bill.load(MAY, until=TODAY)
    find(bill)
    settings = {"HOST": str(postgres.socket_dir), "PORT": str(postgres.port), "DB": "postgres"}
    settings |= {"USER": f"{bill.database.schema}_loader", "SCHEMA": bill.database.schema}
    for name, value in settings.items():
        monkeypatch.setenv(f"POSTGRES_{name}", value)
    monkeypatch.setenv("CLOUD_COSTS_CONFIG", str(bill.folder / "sources.yaml"))

    def run(*arguments: str) -> tuple[int, list[str]]:
        done = CliRunner().invoke(app, arguments)
        return done.exit_code, done.output.splitlines()

    status, lines = run("anomalies", "list")
    assert (status, lines[-1]) == (0, "2 anomaly(ies)")
    assert lines[0].startswith(f"open: #1 medium: crafted, account {WEB}, {EC2}: ")
    query("update anomalies set news = false where anomaly_id = 2")
    assert run("anomalies", "list")[1][-1] == "1 anomaly(ies)"
    assert run("anomalies", "list", "--all")[1][-1] == "2 anomaly(ies)"
    assert run("anomalies", "expect", "2", "--by", "ana", "--note", "a test") == (0, ["#2 is expected"])
    assert run("anomalies", "mute", "1", "--until", "2025-05-11", "--by", "ana")[0] == 0
    assert run("anomalies", "mute", "1", "--until", "soon")[0] == 2
    status, [line] = run("anomalies", "acknowledge", "99")
    assert (status, line[:35]) == (1, "error: anomaly 99: there is no such")
    assert run("anomalies", "list") == (0, ["0 anomaly(ies)"])
    assert [line[:10] for line in run("anomalies", "list", "--all")[1]] == ["muted: #1 ", "expected: ", "2 anomaly("]
    assert query("select action, person from anomaly_actions order by 1 desc limit 1") == [("mute", "ana")]
    status, lines = run("insights")
    assert (status, lines[0]) == (0, "anomalies: 0 untold, 0 explained, 1 running")


def test_event_that_grows_is_the_same_event(bill: Bill, query: Query) -> None:
    find(bill)
    bill.plant(WEB, "AmazonEC2", FIRST, date(2025, 5, 21), 80)
    bill.load(MAY, until=date(2025, 5, 25))
    assert [line for line in find(bill) if "#" in line] == []
    assert anomalies(query, "first_date, last_date, running")[0] == (FIRST, date(2025, 5, 21), False)


def test_one_day_of_history_is_no_news_and_is_expected_to_go_on(database: Database, tmp_path: Path) -> None:
    bill = Bill(tmp_path, database)
    assert find(bill) == []
    bill.load(MONTHS[0], until=date(2025, 1, 2))
    assert events_of(find(bill)) == []
    query = in_schema(database)
    [(usage, fee)] = query(
        "select sum(cost) filter (where charge_category = 'Usage'), "
        "sum(cost) filter (where charge_category <> 'Usage') from costs"
    )
    rows = forecasts(query, "as_of, month, metric, to_date, expected, low >= to_date, high > expected")
    assert rows == [
        (date(2025, 1, 1), MONTHS[0], metric, usage + fee, fee + 31 * usage, True, True)
        for metric in ("billed", "effective")
    ]
    assert query("select actual, forecast from budget_status where budget = 'all'") == [(usage + fee, fee + 31 * usage)]


def test_new_source_has_its_own_forecast_and_leaves_those_of_the_others(database: Database, tmp_path: Path) -> None:
    old, new = Bill(tmp_path / "old", database), Bill(tmp_path / "new", database, name="new")
    for month in (APRIL, MAY):
        old.load(month, until=TODAY)
    find(old)
    query = in_schema(database)
    before = forecasts(query, "as_of, metric, to_date, low, expected, high")
    for until in (date(2025, 5, 2), TODAY):
        new.load(MAY, until=until)
        assert events_of(find(new)) == []
        assert forecasts(query, "as_of, metric, to_date, low, expected, high") == before
        [(exact,)] = query("select sum(cost) from costs where source = 'new'")
        [(to_date, expected)] = query(
            "select to_date, expected from forecasts where source = 'new' and account_id is null and service is null "
            "and metric = 'billed' and as_of = %s",
            until - timedelta(days=1),
        )
        assert to_date == exact
        # The bill of a whole May.
        assert abs(expected / truth_of(MAY) - 1) < Decimal("0.07")
    [(whole,)] = query("select to_date from forecasts where source is null and metric = 'billed' and as_of = %s", LAST)
    assert whole == query("select sum(cost) from costs where date >= %s", MAY)[0][0]


def test_source_that_stopped_is_no_news_and_not_expected_again(database: Database, tmp_path: Path) -> None:
    bill, ended = Bill(tmp_path / "goes on", database), Bill(tmp_path / "ended", database, name="ended")
    for month in (APRIL, MAY):
        bill.load(month, until=TODAY)
    ended.load(APRIL, until=date(2025, 4, 11))
    assert events_of(find(bill)) == []
    query = in_schema(database)
    [(alone,)] = forecasts(query, "expected", "metric = 'billed'")
    assert query("select expected from forecasts where source is null and metric = 'billed'") == [(alone,)]
    [(actual, forecast, year)] = query(
        "select month.actual, month.forecast, year.actual from budget_status as month, budget_status as year "
        "where month.budget = 'all' and year.budget = 'kept'"
    )
    assert actual == query("select sum(cost) from costs where date >= %s", MAY)[0][0]
    assert abs(forecast / alone - 1) < Decimal("0.01")
    assert year == query("select sum(effective_cost) from costs")[0][0]


def test_month_without_usage_is_kept_with_its_days_and_is_no_news(database: Database, tmp_path: Path) -> None:
    bill = Bill(tmp_path, database)
    query = in_schema(database)
    march = MONTHS[2]
    for month in MONTHS[:4]:
        bill.load(month, until=march if month == march else None)
        assert events_of(find(bill)) == []
    [(first_weeks,)] = query(
        "select sum(effective_cost) from costs "
        "where charge_category = 'Usage' and date between '2025-04-01' and '2025-04-14'"
    )
    assert query(
        "select account_id, service, first_date, last_date, actual, news from anomalies order by first_date"
    ) == [
        (None, None, march, date(2025, 3, 14), 0, False),
        (None, None, APRIL, date(2025, 4, 14), first_weeks, False),
    ]
    # As of the last day of February, nothing was known of March.
    [(to_date, low)] = forecasts(query, "to_date, low", f"month = '{march}' and metric = 'billed'")
    assert (to_date, low >= 0) == (0, True)
    april = query("select sum(cost) from costs where date >= %s", APRIL)
    assert forecasts(query, "expected", f"month = '{APRIL}' and metric = 'billed'") == april
    assert query("select actual from budget_status where budget = 'all' order by period_start desc limit 1") == april


def events_of(lines: list[str]) -> list[str]:
    """Return the lines about events."""
    return [line for line in lines if "#" in line]


def forecasts(query: Query, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
    """Return the forecasts of the source `crafted` as a whole."""
    return query(
        f"select {columns} from forecasts where source = 'crafted' and account_id is null and service is null "
        f"and {where} order by as_of, month, metric"
    )


def truth_of(month: date) -> Decimal:
    """Return what a month costs in all, as the bill says."""
    usage = (daily(day) for day in days_of(month) for daily in DAILY.values())
    return Decimal(99) + sum(usage, Decimal(0))


@pytest.mark.parametrize(("grows_until", "age"), [(1, 2), (4, 5), (0, 1)])
def test_age_at_which_a_day_is_complete_is_learned(database: Database, grows_until: int, age: int) -> None:
    query = in_schema(database)
    query(
        """
        insert into load_history (source, format, billing_period, version, status, started)
        select
            'cup', 'aws_cur', date_trunc('month', now() - interval '60 days'), number::text,
            case when number = 20 then 'published' else 'superseded' end,
            now() - interval '60 days' + make_interval(days => number)
        from generate_series(1, 20) as number
        """
    )
    assert complete_ages_of(database) == {}
    # Day by day each day is there, at half of its costs while it grows. Once all is restated, which teaches nothing.
    query(
        """
        insert into day_totals (load_id, date, currency, effective_cost)
        select
            load_id, started::date - age, 'USD',
            case when age <= %s then 50 else 100 end * case when version::int > 12 then 1.05 else 1 end
        from load_history cross join generate_series(0, 15) as age
        """,
        grows_until,
    )
    assert complete_ages_of(database) == {"cup": age}
    assert COMPLETE_AGE == 3


def complete_ages_of(database: Database) -> dict[str, int]:
    with database.session() as connection:
        return complete_ages(connection, database)
