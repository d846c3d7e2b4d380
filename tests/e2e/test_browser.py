"""What a person does in the UI: fill the form, watch the months, read a failed month's log, clear it.

With `UPDATE_DOCS=1` the screenshots of docs/operations.md are taken again.
"""

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import quote

import pytest
from chromium import chromium_of, log_in
from live_airflow import DAG, ROOT, Live
from pipeline import truth_totals
from playwright.sync_api import Locator, Page, expect

MARCH, APRIL, MAY = (date(2025, month, 1) for month in (3, 4, 5))

pytestmark = pytest.mark.slow


@pytest.fixture
def page(live: Live, tmp_path: Path) -> Iterator[Page]:
    """A page of a headless Chromium, logged in to Airflow."""
    with chromium_of(tmp_path) as page:
        page.goto(f"{live.url}/dags/cloud_costs")
        log_in(page, live)
        yield page


def test_person_backfills_reads_a_failure_and_clears_it(live: Live, scheduled: str, page: Page) -> None:
    truths = {month: live.bucket.deliver("cup", month) for month in (MARCH, APRIL, MAY)}
    live.bucket.damage("cup", MARCH, "-00002.snappy.parquet")
    before = {run["dag_run_id"] for run in live.call(f"{DAG}/dagRuns?limit=100")["dag_runs"]}

    fill_the_form(page)
    (run_id,) = {run["dag_run_id"] for run in live.call(f"{DAG}/dagRuns?limit=100")["dag_runs"]} - before
    assert live.wait(run_id) == "failed"

    months = f"{live.url}/dags/cloud_costs/runs/{quote(run_id)}/tasks/billing_month.load_raw/mapped"
    page.goto(months)
    expect(row(page, "cup 2025-03")).to_contain_text("Failed")
    for label in ("cup 2025-04", "cup 2025-05"):
        expect(row(page, label)).to_contain_text("Success")
    take(page, "months")

    page.get_by_role("link", name="cup 2025-03").click()
    read_the_log(page)

    live.bucket.deliver("cup", MARCH)
    index = live.months(run_id)["cup 2025-03"]
    clear(page)
    assert live.wait(run_id, lambda: live.tasks(run_id)["publish", index][1] == 1) == "success"
    page.goto(months)
    expect(row(page, "cup 2025-03")).to_contain_text("Success")
    for month, truth in truths.items():
        assert live.totals("cup", month) == truth_totals(truth)
    assert len(live.history("cup", APRIL, MAY)) == 2


def fill_the_form(page: Page) -> None:
    page.get_by_role("button", name="Trigger").click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").click()
    page.get_by_role("option", name="cup").click()
    form.locator("[name=element_from_month]").fill("2025-03")
    form.locator("[name=element_to_month]").fill("2025-05")
    take(page, "trigger")
    form.get_by_role("button", name="Trigger").click()
    expect(form).not_to_be_visible()


def read_the_log(page: Page) -> None:
    error = page.get_by_text("DeliveryError: cup 2025-03: ")
    expect(error).to_contain_text("the file is damaged")
    error.click()  # folds the traceback
    page.keyboard.press("w")  # wraps long lines
    expect(page.locator("[data-frame-source]").first).not_to_be_visible()
    take(page, "log")


def clear(page: Page) -> None:
    page.get_by_role("button", name="Press shift+c to clear").click()
    dialog = page.get_by_role("dialog")
    # The steps of this one month, refresh_views and report; Downstream is selected.
    expect(dialog).to_contain_text("Affected Tasks: 6")
    take(page, "clear")
    dialog.get_by_role("button", name="Confirm").click()
    expect(dialog).not_to_be_visible()


def row(page: Page, label: str) -> Locator:
    """Return the row of a month in the list of mapped instances."""
    return page.get_by_role("row").filter(has_text=label)


def take(page: Page, name: str) -> None:
    """Write a screenshot for the documentation, when that is asked for."""
    if os.environ.get("UPDATE_DOCS"):
        page.screenshot(path=ROOT / "docs" / "images" / f"{name}.png")
