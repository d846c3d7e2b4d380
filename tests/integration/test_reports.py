"""Reports of published months: every amount is that of `costs`, made once, and right where there is little to tell.

The bill is that of `test_insights`: five months with a shift of one service in the last.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import Query, in_schema
from insights_bill import DATA, EC2, MONTHS, S3, WEB, Bill
from pipeline import crafted_source, line, load_month, write_delivery

from cloud_costs.config.anomalies import ChangeLimits
from cloud_costs.config.budgets import Budget
from cloud_costs.database.postgres import Database
from cloud_costs.errors import ConfigError
from cloud_costs.insights.anomalies import detect_anomalies
from cloud_costs.insights.budgets import check_budgets
from cloud_costs.insights.forecasts import forecast
from cloud_costs.insights.reports import archive, facts, monthly, periods, writing
from cloud_costs.insights.reports.model import money
from cloud_costs.insights.telling import Channel, Notice, send_notices
from cloud_costs.insights.turn import writing as one_picture

APRIL, MAY = MONTHS[-2:]
LAST = date(2025, 5, 19)
WEEK = periods.weekly(date(2025, 5, 19))
DAY = periods.daily(date(2025, 5, 20))
TEAM = "user:team"
SETTINGS = archive.Settings(TEAM, {"crafted": 1}, "https://airflow.example.com/cloud-costs")
EMAIL, SLACK = Channel(email="cfo@example.com"), Channel(slack="costs_slack")
HOSTILE = "{{ 7*7 }}<script>alert(1)</script>&$x_1$\r\nBcc: a@b.example"
BUDGETS = (
    Budget(name="all", amount=6500, currency="USD"),
    Budget(name="web", amount=2400, currency="USD", filters={"tag": {TEAM: "web"}}),
)


def bring_up_to_date(database: Database) -> None:
    detect_anomalies(database, ChangeLimits())
    forecast(database)
    check_budgets(database, BUDGETS)


@pytest.fixture(scope="module")
def bill(schemas: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bill]:
    folder: Path = tmp_path_factory.mktemp("bill")
    with schemas.borrowed() as database:
        bill = Bill(folder, database)
        bill.plant(WEB, "AmazonEC2", date(2025, 5, 12), LAST, 80)
        for month in MONTHS:
            bill.load(month, until=LAST + timedelta(days=1))
        # Restated twice: two days of April cost more.
        for day, more in ((8, 7), (9, 5)):
            bill.plant(DATA, "AmazonS3", date(2025, 4, day), date(2025, 4, day), more)
            bill.load(APRIL)
        bring_up_to_date(database)
        yield bill


@pytest.fixture
def query(bill: Bill) -> Query:
    return in_schema(bill.database)


def content_of(database: Database, period: periods.Period) -> Any:
    """Return a report before it is written."""
    with one_picture(database) as connection:
        found = facts.read(connection, database, period, TEAM)
        assert found
        return archive._content(found, SETTINGS, datetime.now(UTC))


def section(report: Any, title: str) -> Any:
    [found] = [one for one in report.sections if one.title.startswith(title)]
    return found


def test_week_is_that_of_costs_to_the_cent(bill: Bill, query: Query) -> None:
    report = content_of(bill.database, WEEK)
    spans = [(LAST - timedelta(days=7 * n + 6), LAST - timedelta(days=7 * n)) for n in (3, 2, 1, 0)]

    def costs(where: str, *values: Any) -> list[str]:
        found = [
            query(f"select sum(effective_cost) from costs where date between %s and %s and {where}", *span, *values)
            for span in spans
        ]
        return [money(row[0][0] or Decimal(0)) for row in found]

    for title, rows in (
        ("By cloud", {"AWS": "cloud_provider = 'AWS'", "Total": "true"}),
        ("By service", {EC2: f"service = '{EC2}'", S3: f"service = '{S3}'", "Total": "true"}),
        (
            "By team",
            {
                "web": "tags ->> 'user:team' = 'web'",
                "data": "tags ->> 'user:team' = 'data'",
                "untagged": "tags ->> 'user:team' is null",
                "Total": "true",
            },
        ),
    ):
        table = section(report, title).table
        found = {row[0]: list(row[1:5]) for row in [*table.rows, table.total]}
        assert found == {name: costs(where) for name, where in rows.items()}
    [(now, before)] = query(
        "select sum(effective_cost) filter (where date > %s), sum(effective_cost) filter (where date <= %s) "
        "from costs where date between %s and %s",
        *(LAST - timedelta(days=7), LAST - timedelta(days=7), LAST - timedelta(days=13), LAST),
    )
    assert report.subject.startswith(f"Cloud costs, week to 19 May 2025: {now:,.2f} USD (+34.2 %)")
    assert f"{now:,.2f} USD, +{now - before:,.2f} (+34.2 %) against the week before." in report.lead[0]
    [moved] = section(report, "What moved").lines
    [(ec2,)] = query(
        "select sum(case when date > %s then effective_cost else -effective_cost end) from costs "
        "where date between %s and %s and service = %s and account_id = %s",
        *(LAST - timedelta(days=7), LAST - timedelta(days=13), LAST, EC2, WEB),
    )
    assert f"account {WEB} +{ec2:,.2f}" in moved
    assert "team web" in moved
    # A person who gets this mail alone knows what to do.
    [(impact, budgets)] = query(
        "select (select impact from anomalies), array_agg(amount - forecast order by budget desc) from budget_status"
    )
    assert [(one.text.split(":")[0].split(", 2025")[0], one.path) for one in report.todo[:3]] == [
        (f"Find out why {EC2} of crafted, account {WEB} cost {impact:,.2f} USD more than expected", "anomalies/1"),
        ("Budget web", "budgets"),
        ("Budget all", "budgets"),
    ]
    for one, left in zip(report.todo[1:], budgets, strict=True):
        assert f", {-left:,.2f} too much. Decide" in one.text
    assert f"resource AmazonEC2-{WEB}" in report.todo[0].text
    ends = {row[0]: row[1] for row in section(report, "Where May will end").table.rows}
    exact = query("select sum(cost), sum(effective_cost) from costs where date between '2025-05-01' and %s", LAST)[0]
    assert ends == {"USD, billed": money(exact[0]), "USD, effective": money(exact[1])}


def test_day_is_the_newest_complete_one_and_that_of_costs(bill: Bill, query: Query) -> None:
    report = content_of(bill.database, DAY)
    assert report.lead[-1] == (
        "The newest day that is complete is Mon 19 May 2025. Later days still grow, so they are not here yet."
    )
    per_key = "select service, account_id, sum(effective_cost) from costs where date = %s group by 1, 2"
    now, before = ({row[:2]: row[2] for row in query(per_key, day)} for day in (LAST, LAST - timedelta(days=7)))
    rows = section(report, "What moved").table.rows
    assert len(rows) == sum(now[key] != before[key] for key in now) > 0
    assert {tuple(row[0].split(", ")): row[1:3] for row in rows} == {
        key: (money(before[key]), money(now[key])) for key in now if now[key] != before[key]
    }
    assert (
        report.subject
        == f"Cloud costs, Mon 19 May 2025: {sum(now.values()):,.2f} USD (+1.1 %), 1 anomaly, 2 budgets at risk"
    )
    # A day of the past is as it is known now.
    past = content_of(bill.database, periods.daily(date(2025, 4, 8)))
    [(april,)] = query("select sum(effective_cost) from costs where date = '2025-04-08'")
    assert f"Tue 8 Apr 2025: {april:,.2f} USD" in past.lead[0]


def test_quality_of_a_month_has_its_loads_restatements_and_estimates(bill: Bill, query: Query) -> None:
    this_month = periods.monthly(datetime.now(UTC).date().replace(day=1))
    report = content_of(bill.database, this_month)
    assert report.subject.endswith(": 7 loads published, 0 failed, 1 month restated")
    [row] = section(report, "Restatements").table.rows
    assert row == ("crafted, 2025-04 (USD)", "2", "+12.00", "+12.00")
    [(checks,)] = query("select count(*) from audit_results")
    assert section(report, "Checks").lines[0].startswith(f"{checks} checks ran")
    # Nothing of this month was delivered, and it is no surprise that no owner is missing.
    assert section(report, "Unallocated").lines == ["The month has no costs."]
    # Of May, in which the bill is: what has no team, and estimates against what it costs now.
    report = content_of(bill.database, periods.monthly(MAY))
    [(cost, untagged)] = query(
        "select sum(cost), sum(cost) filter (where tags ->> 'user:team' is null) from costs "
        "where date between '2025-05-01' and '2025-05-31'"
    )
    [row] = section(report, "Unallocated").table.rows
    assert row[0:2] + row[4:5] == ("crafted (USD)", money(cost), money(untagged))
    estimated = {row[0]: row[1:3] for row in section(report, "Estimated against final").table.rows}
    [(april,)] = query("select sum(cost) from costs where billing_period = '2025-04-01'")
    assert estimated["crafted, 2025-04 (USD)"] == (money(april - 12), money(april))
    assert section(report, "Deliveries").lines == ["Nothing was loaded in this month."]


def test_source_older_than_it_may_be_is_stale(bill: Bill) -> None:
    with one_picture(bill.database) as connection:
        found = facts.read(connection, bill.database, periods.monthly(MAY), TEAM)
        assert found
        late = datetime.now(UTC) + timedelta(hours=30)
        report = monthly.content(found, monthly.Patience({"crafted": 24}, late))
    assert section(report, "Stale sources").table.rows[0][0] == "crafted"
    assert any("crafted is stale" in one.text for one in report.todo)


def test_report_is_made_once_and_sent_once(bill: Bill, query: Query) -> None:
    sent: list[Notice] = []

    def send(notice: Notice) -> str | None:
        sent.append(notice)
        return "no route" if len(sent) == 1 else None

    [subject, *lines] = archive.make_report(bill.database, WEEK, SETTINGS, [EMAIL, SLACK])
    assert archive.make_report(bill.database, WEEK, SETTINGS, [EMAIL, SLACK]) == []
    assert archive.missing(bill.database, [WEEK, DAY]) == [DAY]
    assert send_notices(bill.database, send) == 1
    assert query("select sent_at is not null, recipients from reports") == [(True, ["cfo@example.com", "costs_slack"])]
    assert send_notices(bill.database, send) == 1
    assert send_notices(bill.database, send) == 0
    assert [(one.channel, one.subject, list(one.lines)) for one in sent[1:]] == [
        (SLACK, subject, lines),
        (EMAIL, subject, lines),
    ]
    # A second one is asked for, and made once by the run that asks.
    for _ in range(2):
        archive.make_report(bill.database, WEEK, SETTINGS, [EMAIL], "manual__2")
    assert query("select request, as_of from reports order by 1") == [
        (request, [{"source": "crafted", "billing_period": "2025-05", "version": "v1", "complete": str(LAST)} | load])
        for request, load in (("", as_of(query)), ("manual__2", as_of(query)))
    ]
    assert query("select count(*) from notices where sent_at is null") == [(1,)]
    query("delete from reports")
    assert query("select count(*) from notices") == [(0,)]


def as_of(query: Query) -> dict[str, str]:
    [(started,)] = query(
        "select started from load_history where billing_period = '2025-05-01' and status = 'published'"
    )
    return {"loaded_at": f"{started.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}


def test_html_text_and_pdf_say_the_same(bill: Bill, query: Query) -> None:
    archive.make_report(bill.database, WEEK, SETTINGS, [])
    [(number, html, text, pdf)] = query("select report_id, html, text, pdf from reports")
    amounts = set(re.findall(r"[\d,]+\.\d\d\b", re.sub(r"<[^>]+>", " ", html)))
    assert amounts == set(re.findall(r"[\d,]+\.\d\d\b", text))
    assert len(amounts) > 20
    assert pdf.startswith(b"%PDF-")
    found = archive.read(bill.database, number, SETTINGS.page)
    assert found.html.count("cid:picture-1@report") == 1
    assert [picture[:8] for picture in found.pictures] == [b"\x89PNG\r\n\x1a\n"]
    assert found.link == "https://airflow.example.com/cloud-costs/reports?kind=weekly&period=2025-W21"
    assert (found.name, f'href="{found.link}"'.replace("&", "&amp;") in found.html) == (
        "cloud-costs-weekly-2025-W21.pdf",
        True,
    )
    query("delete from reports")


def test_hostile_names_are_data(database: Database, tmp_path: Path) -> None:
    bill = Bill(tmp_path, database, names={"AmazonS3": HOSTILE})
    for month in (APRIL, MAY):
        bill.load(month, until=LAST + timedelta(days=1))
    archive.make_report(database, WEEK, SETTINGS, [EMAIL])
    query = in_schema(database)
    [(html, text)] = query("select html, text from reports")
    assert "<script" not in html
    assert "{{ 7*7 }}&lt;script&gt;alert(1)&lt;/script&gt;&amp;$x_1$" in html
    assert "{{ 7*7 }}<script>alert(1)" in text
    assert "\r" not in text
    assert len(writing.as_mail(html, None, None)[1]) == 1


def test_nothing_published_is_no_report(database: Database) -> None:
    assert archive.make_report(database, WEEK, SETTINGS, [EMAIL]) == []
    assert in_schema(database)("select count(*) from reports") == [(0,)]


def test_one_day_of_history_an_empty_month_a_new_source_and_one_that_stopped(
    database: Database, tmp_path: Path
) -> None:
    first = Bill(tmp_path / "a", database)
    first.load(date(2025, 1, 1), until=date(2025, 1, 2))
    report = content_of(database, periods.daily(date(2025, 1, 1)))
    assert "; nothing against Wed 25 Dec 2024." in report.lead[0]
    content_of(database, periods.weekly(date(2024, 12, 30)))
    # Nothing was ever used in a month.
    empty = content_of(database, periods.daily(date(2024, 3, 5)))
    assert empty.lead == ["There are no costs on Tue 5 Mar 2024."]
    assert empty.subject == "Cloud costs, Tue 5 Mar 2024: no costs"
    assert (
        "There are no costs from 2024-02-12 to 2024-03-10."
        in content_of(database, periods.weekly(date(2024, 3, 4))).lead
    )
    content_of(database, periods.monthly(date(2024, 3, 1)))
    # Nothing comes any more.
    report = content_of(database, periods.daily(date(2025, 3, 1)))
    assert report.lead[-1].endswith(
        "Nothing came for the 59 days after it: trigger the DAG cloud_costs_check to see why."
    )
    # A new source in another currency: the other one has stopped, and is left out of what day is complete.
    new = tmp_path / "b"
    other = {"line_item_currency_code": "EUR", "line_item_usage_start_date": datetime(2025, 3, 1)}
    other |= {"line_item_usage_end_date": datetime(2025, 3, 1, 1)}
    write_delivery(new, [line(date(2025, 3, 1), **other)], month=date(2025, 3, 1))
    load_month(database, crafted_source(new, name="new"), date(2025, 3, 1))
    report = content_of(database, periods.daily(date(2025, 3, 1)))
    assert report.subject.startswith("Cloud costs, Sat 1 Mar 2025: 1.50 EUR")
    assert [one.text for one in report.todo] == [
        "Source crafted has no costs after 2025-01-01. Trigger the DAG cloud_costs_check to see why, or remove it from "
        "sources.yaml."
    ]
    assert any("Nothing newer came" in line for line in report.as_of)
    # Two currencies on one day: each has its own sentence and tables, and nothing is the sum of both.
    january = {"line_item_currency_code": "EUR"}
    write_delivery(new, [line(date(2025, 1, 1), **january)], month=date(2025, 1, 1))
    load_month(database, crafted_source(new, name="new"), date(2025, 1, 1))
    costs = dict(
        in_schema(database)("select currency, sum(effective_cost) from costs where date = '2025-01-01' group by 1")
    )
    assert set(costs) == {"USD", "EUR"}
    report = content_of(database, periods.daily(date(2025, 1, 1)))
    usd, eur = money(costs["USD"]), money(costs["EUR"])
    assert report.subject == f"Cloud costs, Wed 1 Jan 2025: {usd} USD, {eur} EUR"
    assert [line.split(";")[0] for line in report.lead[:2]] == [
        f"Wed 1 Jan 2025: {usd} USD",
        f"Wed 1 Jan 2025: {eur} EUR",
    ]
    assert {one.title[-3:] for one in report.sections if one.chart or one.title.startswith("What moved")} == set(costs)
    assert money(costs["USD"] + costs["EUR"]) not in str(report)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("daily", "2025-02-30", "no daily period; write YYYY-MM-DD"),
        ("weekly", "2025-W60", "no weekly period"),
        ("weekly", "2025-05", "no weekly period"),
        ("monthly", "2025-13", "no monthly period"),
        ("monthly", "2025-05", "2025-05 is not over; the newest one is 2025-04"),
        ("yearly", None, "'yearly' is no report"),
    ],
)
def test_wrong_period_is_refused(kind: str, text: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        periods.parse(kind, text, date(2025, 5, 20))


def test_newest_periods_are_over() -> None:
    monday = date(2025, 6, 2)
    assert [periods.parse(kind, None, monday).label for kind in periods.KINDS] == ["2025-06-01", "2025-W22", "2025-05"]
    assert periods.parse("weekly", "2025-W01", monday).first == date(2024, 12, 30)
