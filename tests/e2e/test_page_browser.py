"""What a person does on the Costs page: from the overview to the line of a file, with a colleague, and on a phone.

The tests share one Airflow and one Chromium. The page's months are May and June of `ca`, and June is delivered twice.
One of its accounts, its services and its tags is called `HOSTILE`, which must show as text.
"""

import csv
import io
import random
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import psycopg
import pyarrow.parquet as pq
import pytest
from chromium import AXE, chromium, log_in, new_context, serious_faults
from live_airflow import NOBODY, SECONDS, Live
from playwright.sync_api import Browser, Locator, Page, expect
from psycopg import sql

MAY, JUNE = date(2025, 5, 1), date(2025, 6, 1)
HOSTILE = "<script>document.title = 'ran'</script>"
IN_JUNE = {"from": "2025-06-01", "to": "2025-06-30", "dates": "billing", "filter": "source:ca", "currency": "USD"}
# A path of each view, and what its content has when it is there.
VIEWS = {
    "": ".cards",
    f"explore?{urlencode({**IN_JUNE, 'group': 'service'})}": "tbody tr",
    "changes?source=ca&billing_period=2025-06": ".timeline",
    "commitments?from=2025-06&to=2025-06": ".cards",
    "months": "tbody tr",
    f"charges?{urlencode(IN_JUNE)}": "tbody tr",
    "anomalies": "tbody tr",
    "anomalies/1000001": ".decide button",
    "budgets": ".meter",
    "reports?kind=weekly&period=2025-W26": "iframe.report",
}
# One event in place of those that the DAG found, and one budget, with the costs of June and names that are no text.
INSIGHTS = """
    delete from anomalies;

    insert into anomalies (
        anomaly_id, source, currency, service, first_date, last_date, expected, actual, impact, severity, kind, running,
        explanation, news
    )
    overriding system value
    select
        1000001, 'ca', 'USD', service, '2025-06-02', '2025-06-15', 1, sum(effective_cost), sum(effective_cost) - 1,
        'high', 'anomaly', true,
        jsonb_build_object(
            'days', jsonb_build_array(jsonb_build_object('date', '2025-06-02', 'expected', '1.00')),
            'usage types', jsonb_build_array(jsonb_build_object('value', service, 'impact', '0.50')),
            'tag user:team', jsonb_build_array(jsonb_build_object('value', service, 'impact', '0.50'))
        ),
        true
    from costs
    where
        source = 'ca' and service = %(name)s and charge_category = 'Usage'
        and date between '2025-06-02' and '2025-06-15'
    group by service;

    insert into budgets values (%(name)s, 10, 'USD', 'month', 'billed', '{"source": ["ca"]}', '{"actual": [80]}');

    insert into budget_status
    select
        %(name)s, '2025-06-01', '2025-06-30', '2025-06-20', 10, 'USD', sum(cost), sum(cost) + 2, sum(cost) + 1,
        sum(cost) + 3, 0, 'exceeded', '{"actual 80": {"reached": "2025-06-02T10:00:00Z", "told": null, "back": null}}'
    from costs where source = 'ca' and date between '2025-06-01' and '2025-06-30'
"""
INSIGHTS_DAG, REPORTS_DAG = (f"/api/v2/dags/cloud_costs_{name}" for name in ("insights", "reports"))

pytestmark = pytest.mark.slow


@dataclass
class Costs:
    """An Airflow with May and June, a browser that is logged in to it, and all addresses that it asked for."""

    live: Live
    browser: Browser
    page: Page
    asked: set[str]

    def address(self, path: str = "", **parameters: Any) -> str:
        """Return the address of a view."""
        query = f"?{urlencode(parameters, doseq=True)}" if parameters else ""
        return f"{self.live.url}/cloud-costs/{path}{query}"

    def sum(self, expression: str, condition: str = "true") -> Decimal:
        """Return a sum over June of `ca`."""
        rows = self.live.query(
            f"select {expression} from costs where source = 'ca' and billing_period = %s and {condition}", JUNE
        )
        return Decimal(rows[0][0])


@pytest.fixture(scope="module")
def costs(live: Live, scheduled: str) -> Iterator[Costs]:
    """The months of this file, and a person who is logged in."""
    for months in ((MAY, JUNE), (JUNE,)):
        version = 1 if len(months) == 2 else 2
        for month in months:
            live.bucket.deliver("ca", month, version=version)
        run = live.trigger(sources=["ca"], from_month="2025-05", to_month="2025-06")
        assert live.wait(run) == "success", live.errors()
    name_hostile(live)
    add_insights(live)
    ask_for_report(live)
    with chromium() as browser:
        context = new_context(browser)
        asked: set[str] = set()
        context.on("request", lambda request: asked.add(request.url))
        page = context.new_page()
        found = Costs(live, browser, page, asked)
        page.goto(found.address("explore", group="account_id"))
        log_in(page, live)
        # The login leads back to where the person wanted to go.
        page.wait_for_url(re.compile(r"/cloud-costs/explore\?.*group=account_id"))
        yield found


def name_hostile(live: Live) -> None:
    """Call one service, and the account and the tags of its costs, what an attacker would."""
    with psycopg.connect(live.postgres.uri(), options=f"-c search_path={live.schema}") as connection:
        service = connection.execute(
            "select service from costs where source = 'ca' and billing_period = %s group by 1 order by sum(cost) desc",
            [JUNE],
        ).fetchone()
        for table in ("ca_normalized", "costs_by_day", "costs_by_day_service", "costs_by_month"):
            statement = sql.SQL(
                "update {} set service = %s where source = 'ca' and billing_period = %s and service = %s"
            )
            connection.execute(statement.format(sql.Identifier(table)), [HOSTILE, JUNE, *(service or ())])
        connection.execute(
            """
            update ca_normalized
            set
                account_name = case when account_id is not null then %(name)s end,
                tags = case when service = %(name)s then jsonb_build_object('user:team', %(name)s::text) else tags end
            where billing_period = %(month)s
            """,
            {"name": HOSTILE, "month": JUNE},
        )


def add_insights(live: Live) -> None:
    """Put one event and one budget there. No run of the DAG changes them meanwhile."""
    deadline = time.monotonic() + SECONDS
    # A run of a paused DAG would stay where it is, so the DAG is paused while it has none.
    while (
        live.call(INSIGHTS_DAG, {"is_paused": True}, method="PATCH")
        and live.call(f"{INSIGHTS_DAG}/dagRuns?state=running&state=queued")["dag_runs"]
    ):
        assert time.monotonic() < deadline
        live.call(INSIGHTS_DAG, {"is_paused": False}, method="PATCH")
        time.sleep(3)
    uri, options = live.postgres.uri(), f"-c search_path={live.schema}"
    with psycopg.connect(uri, options=options, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(INSIGHTS, {"name": HOSTILE})


def ask_for_report(live: Live) -> None:
    """Ask Airflow's REST API for the report of a week, as docs/reports.md says, and wait until it is made."""
    asked = {"logical_date": None, "conf": {"kind": "weekly", "period": "2025-W26"}}
    run = live.call(f"{REPORTS_DAG}/dagRuns", asked)["dag_run_id"]
    deadline = time.monotonic() + SECONDS
    while (state := live.call(f"{REPORTS_DAG}/dagRuns/{run}")["state"]) not in ("success", "failed"):
        assert time.monotonic() < deadline, state
        time.sleep(0.5)
    assert state == "success", live.errors()


def value(place: Locator) -> Decimal:
    """Return the exact amount that an element carries."""
    return Decimal(str(place.get_attribute("value")))


def exact(amounts: Iterable[Decimal]) -> Decimal:
    """Return the sum with all its digits; Python keeps 28 by default."""
    with localcontext(prec=100):
        return sum(amounts, Decimal(0))


def rows_of(page: Page) -> list[Decimal]:
    """Return the amounts of the groups of Explore, in the order of the table."""
    rows = page.locator(".result .scroll").first.locator("tbody tr")
    expect(rows.first).to_be_visible()
    return [value(row.locator("td.number data").first) for row in rows.all()]


def settled(page: Page) -> None:
    """Wait until every part of the page shows its answer."""
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def test_overview_says_what_this_month_costs_and_what_moved(costs: Costs) -> None:
    page = costs.page
    page.goto(costs.address())
    settled(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("June 2025")
    billed, effective = (value(page.locator(".card .big data").nth(at)) for at in (0, 1))
    assert (
        billed == costs.live.query("select sum(cost) from costs where date between '2025-06-01' and '2025-06-30'")[0][0]
    )
    assert (
        effective
        == costs.live.query("select sum(effective_cost) from costs where date between '2025-06-01' and '2025-06-30'")[
            0
        ][0]
    )
    by_cloud = page.get_by_role("region", name="Costs by cloud")
    assert value(by_cloud.locator("tfoot data").first) == billed
    by_service = page.get_by_role("region", name="Costs by service")
    assert exact(value(cell) for cell in by_service.locator("tbody tr td:nth-child(2) data").all()) == billed
    moved = page.locator(".panel", has=page.get_by_role("heading", name="What moved most"))
    expect(moved.locator("li").first).to_contain_text("delivery")
    expect(page.locator(".plot svg").first).to_be_visible()
    moved.locator("a", has_text="delivery").first.click()
    expect(page.get_by_role("heading", name="Files")).to_be_visible()


def test_explore_by_two_groups_and_a_filter_is_a_link_that_shows_the_same(costs: Costs) -> None:
    page = costs.page
    page.goto(costs.address("explore", **IN_JUNE))
    page.get_by_label("Group by").select_option(label="Account")
    page.get_by_label("Then by").select_option(label="Service")
    settled(page)
    total = value(page.locator("[data-total]"))
    assert total == costs.sum("sum(cost)")
    assert exact(rows_of(page)) == total
    page.get_by_text("Effective", exact=True).click()
    page.get_by_role("link", name=HOSTILE).first.click()
    settled(page)
    expect(page.get_by_role("button", name=re.compile("Remove the filter"))).to_have_count(2)
    shown = page.locator(".result table").first.inner_text()
    total = value(page.locator("[data-total]"))
    assert total == costs.sum("sum(effective_cost)", f"account_name = '{HOSTILE.replace(chr(39), chr(39) * 2)}'")
    assert exact(rows_of(page)) == total

    colleague = new_context(costs.browser).new_page()
    colleague.goto(page.url)
    log_in(colleague, costs.live)
    colleague.wait_for_url(re.compile("/cloud-costs/explore"))
    settled(colleague)
    assert colleague.locator(".result table").first.inner_text() == shown
    assert parse_qs(urlsplit(colleague.url).query) == parse_qs(urlsplit(page.url).query)
    colleague.context.close()


def test_chart_and_table_have_the_same_numbers(costs: Costs) -> None:
    page = costs.page
    page.goto(costs.address("explore", **IN_JUNE, group="charge_category", per="week"))
    settled(page)
    page.get_by_text("All numbers of the chart").click()
    table = page.locator(".by-period table")
    expect(table).to_be_visible()
    totals = [value(row.locator("td data").first) for row in table.locator("tbody tr").all()]
    assert exact(totals) == value(page.locator("[data-total]")) == costs.sum("sum(cost)")
    # Playwright's own wait would evaluate a text in the page, which the page's Content-Security-Policy forbids.
    deadline = time.monotonic() + SECONDS
    while page.evaluate("document.querySelector('.plot').data?.length ?? 0") < 2:
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    drawn = page.evaluate("document.querySelector('.plot').data.map((trace) => trace.y.reduce((a, b) => a + b, 0))")
    assert drawn == pytest.approx([float(one) for one in rows_of(page)])


def test_number_leads_down_to_a_raw_line_and_its_load(costs: Costs) -> None:
    page = costs.page
    page.goto(costs.address("explore", **IN_JUNE, group="service"))
    settled(page)
    row = page.locator(".result tbody tr", has=page.get_by_title("The charges behind this number")).nth(1)
    row.get_by_title("The charges behind this number").click()
    settled(page)
    expect(page.get_by_role("heading", name="Charges")).to_be_visible()
    page.get_by_role("link", name="Lines", exact=True).first.click()
    settled(page)
    expect(page.get_by_role("heading", name="Exported lines")).to_be_visible()
    expect(page.get_by_role("rowheader", name=re.compile("unblended_?cost", re.IGNORECASE)).first).to_be_visible()
    expect(page.get_by_text("From the file")).to_contain_text(".parquet")
    page.get_by_role("link", name=re.compile(r"^Load \d+$")).click()
    settled(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("ca, June 2025")
    audits = page.get_by_role("region", name="Checks of the load")
    expect(audits.get_by_role("row", name=re.compile("raw_equals_files.*passed"))).to_be_visible()
    files = page.get_by_role("region", name="Files of the load")
    lines = costs.live.query(
        "select rows from load_history where source = 'ca' and billing_period = %s and status = 'published'", JUNE
    )
    shown = [int(row.locator("td").first.inner_text().replace(",", "")) for row in files.locator("tbody tr").all()]
    assert sum(shown) == lines[0][0]
    run = page.get_by_role("link", name="Run in Airflow")
    run.click()
    page.wait_for_url(re.compile("/dags/cloud_costs/runs/"))


def test_changes_say_why_a_number_is_not_what_it_was(costs: Costs) -> None:
    page = costs.page
    page.goto(costs.address("changes", source="ca", billing_period="2025-06"))
    settled(page)
    expect(page.locator(".timeline > li")).to_have_count(2)
    first, second = costs.live.query(
        "select (billed_cost ->> 'USD')::numeric from load_history where source = 'ca' and billing_period = %s"
        " order by load_id",
        JUNE,
    )
    listed = page.locator(".timeline > li").nth(0).locator(".change data").first
    assert value(listed) == second[0] - first[0]


def test_open_anomaly_is_seen_looked_into_and_decided_about(costs: Costs) -> None:
    page = costs.page
    # An event of the past is in the list alone.
    [(old,)] = costs.live.query(
        """
        insert into anomalies (
            source, currency, service, first_date, last_date, expected, actual, impact, severity, kind, status, running,
            explanation, news
        )
        select
            source, currency, 'Old', first_date - 300, last_date - 300, expected, actual, impact, 'high', kind, 'open',
            false, '{}', false
        from anomalies
        returning anomaly_id
        """
    )
    page.goto(costs.address("anomalies"))
    settled(page)
    expect(page.locator(".said")).to_contain_text("1 open and 1 of the past.")
    expect(page.get_by_role("row", name="Old")).to_contain_text("of the past")
    page.goto(costs.address())
    settled(page)
    costs.live.query("delete from anomalies where anomaly_id = %s returning 1", old)
    seen = page.get_by_role("region", name="Open anomalies")
    expect(seen).to_contain_text("1 open anomaly")
    seen.get_by_role("link", name=HOSTILE).click()
    settled(page)
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    [(actual,)] = costs.live.query("select actual from anomalies")
    assert value(page.locator(".card data").nth(1)) == actual
    expect(page.locator(".plot svg").first).to_be_visible()
    page.get_by_role("link", name="Explore these costs").click()
    settled(page)
    assert value(page.locator("[data-total]")) == actual
    page.go_back()
    settled(page)
    page.get_by_label("Why (optional)").fill(HOSTILE)
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Written: you acknowledged it.")).to_be_visible()
    page.get_by_label("Mute until").fill("2030-01-31")
    page.get_by_role("button", name="Mute its kind").click()
    expect(page.locator(".timeline > li")).to_have_count(2)
    expect(page.locator(".timeline > li").first).to_contain_text("admin muted its kind until 31 Jan 2030")
    expect(page.locator(".timeline > li").nth(1)).to_contain_text(HOSTILE)
    assert costs.live.query("select action, person, note, muted_until from anomaly_actions order by action_id") == [
        ("acknowledge", "admin", HOSTILE, None),
        ("mute", "admin", None, date(2030, 1, 31)),
    ]
    # With the login's cookie alone, as a page of another site would send it.
    for headers in ({}, {"Origin": "https://evil.example"}):
        forged = page.context.request.post(
            costs.address("api/anomalies/1000001"), data={"action": "expect"}, headers=headers
        )
        assert forged.status == 403
    page.goto(costs.address())
    settled(page)
    expect(page.get_by_role("region", name="Open anomalies")).to_have_count(0)


def test_report_of_a_week_is_read_and_taken_along(costs: Costs, tmp_path: Path) -> None:
    page = costs.page
    # As the link of a mail has it.
    page.goto(costs.address("reports", kind="weekly", period="2025-W26"))
    settled(page)
    expect(page.get_by_role("heading", level=2).first).to_contain_text("Cloud costs, week to 29 Jun 2025: ")
    report = page.frame_locator("iframe.report")
    expect(report.get_by_role("heading", level=1)).to_have_text("Cloud costs: the week to Sun 29 Jun 2025")
    expect(report.get_by_text(HOSTILE).first).to_be_visible()
    expect(report.locator("img").first).to_be_visible()
    [(week, pdf)] = costs.live.query(
        "select (select sum(effective_cost) from costs where date between '2025-06-23' and '2025-06-29'), pdf "
        "from reports where period = '2025-W26'"
    )
    totals = [row.split("\t") for row in report.locator("tr").all_inner_texts() if row.startswith("Total")]
    assert {row[4] for row in totals} == {f"{week:,.2f}"}
    with page.expect_download() as started:
        page.get_by_role("link", name="PDF").click()
    assert started.value.suggested_filename == "cloud-costs-weekly-2025-W26.pdf"
    started.value.save_as(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes() == pdf
    # From the navigation, and in Airflow's own frame.
    page.goto(f"{costs.live.url}/")
    page.get_by_role("link", name="Cloud Costs", exact=True).click()
    frame = page.frame_locator("iframe").first
    frame.get_by_role("link", name="Reports", exact=True).click()
    frame.get_by_label("Kind").select_option(label="Weekly")
    frame.get_by_role("link", name=re.compile("week to 29 Jun 2025")).click()
    expect(frame.frame_locator("iframe.report").get_by_role("heading", level=1)).to_be_visible()


def test_downloads_have_every_group_and_every_digit(costs: Costs, tmp_path: Path) -> None:
    page = costs.page
    page.goto(costs.address("explore", **IN_JUNE, group=["service", "region"], top="5"))
    settled(page)
    for kind in ("CSV", "Parquet"):
        with page.expect_download() as started:
            page.get_by_role("link", name=kind, exact=True).click()
        path = tmp_path / started.value.suggested_filename
        started.value.save_as(path)
        if kind == "CSV":
            found = [Decimal(row["billed_cost"]) for row in csv.DictReader(io.StringIO(path.read_text()))]
        else:
            found = pq.read_table(path).column("billed_cost").to_pylist()
        assert len(found) > 5
        assert exact(found) == costs.sum("sum(cost)"), kind


def test_person_without_rights_is_refused(costs: Costs) -> None:
    context = new_context(costs.browser)
    page = context.new_page()
    page.goto(costs.address())
    log_in(page, costs.live, NOBODY)
    expect(page.get_by_text("You may not see the costs")).to_be_visible()
    assert context.request.get(costs.address("api/context")).status == 403
    context.close()


def test_page_says_that_the_database_is_away_and_airflow_goes_on(costs: Costs) -> None:
    page = costs.page
    page.goto(costs.address("months"))
    settled(page)
    reader = f"{costs.live.schema}_reader"
    with psycopg.connect(costs.live.postgres.uri(), autocommit=True) as connection:
        connection.execute(sql.SQL("alter role {} nologin").format(sql.Identifier(reader)))
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [reader])
        try:
            page.reload()
            problem = page.get_by_role("alert")
            expect(problem).to_contain_text("The database of the costs does not answer")
            assert costs.live.call("/api/v2/monitor/health")["metadatabase"]["status"] == "healthy"
        finally:
            connection.execute(sql.SQL("alter role {} login").format(sql.Identifier(reader)))
    problem.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Every source and month")).to_be_visible()


def test_page_stays_in_airflow_and_follows_its_address_and_theme(costs: Costs) -> None:
    page = costs.page
    page.goto(f"{costs.live.url}/")
    page.get_by_role("link", name="Cloud Costs", exact=True).click()
    frame = page.frame_locator("iframe")
    expect(frame.locator(".cards")).to_be_visible()
    frame.get_by_role("link", name="Explore", exact=True).click()
    frame.get_by_label("Group by").select_option(label="Region")
    page.wait_for_url(re.compile("group=region"))
    page.evaluate("document.documentElement.classList.replace('light', 'dark')")
    expect(frame.locator("html")).to_have_attribute("data-theme", re.compile("dark"))
    page.reload()
    expect(page.frame_locator("iframe").get_by_label("Group by")).to_have_value("region")
    page.frame_locator("iframe").get_by_role("link", name="Months").click()
    page.frame_locator("iframe").get_by_role("link", name="Run", exact=True).first.click()
    page.wait_for_url(re.compile("/dags/cloud_costs/runs/"))
    expect(page.locator("iframe")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_view_fits_a_phone_and_shows_names_as_text(costs: Costs, theme: str) -> None:
    context = new_context(
        costs.browser,
        color_scheme=theme,
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        storage_state=costs.page.context.storage_state(),
    )
    page = context.new_page()
    seen = ""
    for path, content in VIEWS.items():
        page.goto(costs.address(path))
        expect(page.locator(content).first).to_be_visible()
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        assert "ran" not in page.title()
        assert page.evaluate("document.querySelectorAll('main script').length") == 0
        seen += page.locator("main").inner_text()
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == (theme == "dark")
    assert HOSTILE in seen
    context.close()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: npm install --prefix .axe axe-core@4.14.1")
def test_no_view_has_a_serious_fault_of_accessibility(costs: Costs) -> None:
    for theme in ("light", "dark"):
        costs.page.emulate_media(color_scheme=theme)
        for path, content in VIEWS.items():
            costs.page.goto(costs.address(path))
            expect(costs.page.locator(content).first).to_be_visible()
            settled(costs.page)
            assert serious_faults(costs.page) == []
    costs.page.emulate_media(color_scheme="light")


def test_keyboard_alone_adds_a_filter(costs: Costs) -> None:
    page = costs.page
    page.goto(costs.address("explore", **IN_JUNE, group="service"))
    settled(page)
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the costs")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.locator("#add-filter").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Dimension").select_option(label="user:team")
    page.get_by_label("Values").fill("script")
    expect(page.get_by_role("checkbox")).to_have_count(1)
    page.keyboard.press("Enter")
    settled(page)
    expect(page.get_by_role("button", name=f"Remove the filter user:team: {HOSTILE}")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("button", name=re.compile("Remove the filter"))).to_have_count(1)


def test_browser_reckons_as_exactly_as_postgresql(costs: Costs) -> None:
    """The amounts have more digits than a float; PostgreSQL rounds a half away from zero."""
    chance = random.Random(12)  # noqa: S311  numbers to add up, no secret
    texts = [
        f"{chance.choice('- ').strip()}{chance.randrange(10 ** chance.randrange(1, 25))}.{chance.randrange(10**9):09d}"
        for _ in range(200)
    ] + ["0.005", "-0.005", "2.675", "1E-8", "-1.5E+3", "0", "999999999999999.995"]
    costs.page.goto(costs.address())
    found = costs.page.evaluate(
        """async (texts) => {
            const folder = document.querySelector("link[rel=modulepreload]").href.replace(/[^/]*$/, "");
            const decimal = await import(folder + "decimal.js");
            const format = await import(folder + "format.js");
            return {
                sum: decimal.add(...texts),
                rounded: texts.map((text) => decimal.round(text, 2)),
                shown: texts.map(format.amount),
                percent: decimal.percent(texts[0], texts[1], 3),
            };
        }""",
        texts,
    )
    with localcontext(prec=100):
        numbers = [Decimal(text) for text in texts]
        rounded = [one.quantize(Decimal("0.01"), ROUND_HALF_UP) for one in numbers]
        percent = (numbers[0] / numbers[1] * 100).quantize(Decimal("0.001"), ROUND_HALF_UP)
        assert Decimal(found["sum"]) == exact(numbers)
    assert [Decimal(text) for text in found["rounded"]] == rounded
    shown = [f"{one:,}".replace("-", "\u2212") for one in rounded]
    assert found["shown"] == [text.replace("\u22120.00", "0.00") for text in shown]
    assert Decimal(found["percent"]) == percent


def test_browser_asks_no_other_server(costs: Costs) -> None:
    """All tests of this file before this one have used the page."""
    asked = {url.removeprefix("blob:") for url in costs.asked if not url.startswith("data:")}
    assert any("plotly" in url for url in asked)
    assert {url for url in asked if not url.startswith(f"{costs.live.url}/")} == set()
