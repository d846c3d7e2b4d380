"""A headless Chromium, and how a person logs in to Airflow with it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from live_airflow import ROOT, SECONDS, Live
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # as root, Chromium starts without it only
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# axe-core finds faults of accessibility. It is installed from npm, as Azurite is.
AXE = ROOT / ".axe" / "node_modules" / "axe-core" / "axe.min.js"
# What axe-core calls the impact of a fault.
SERIOUS = ("serious", "critical")


def _program() -> str:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        pytest.skip("chromium is not installed; on Debian: apt-get install chromium")
    return program


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a Chromium; each of its contexts is a browser of its own, with its own login."""
    program = _program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=OPTIONS)
        expect.set_options(timeout=SECONDS * 1000)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def chromium_of(folder: Path) -> Iterator[Page]:
    """Run a Chromium that keeps its profile in a folder; return its page."""
    program = _program()
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder, executable_path=program, args=OPTIONS, viewport={"width": 1280, "height": 800}
        )
        context.set_default_timeout(SECONDS * 1000)
        expect.set_options(timeout=SECONDS * 1000)
        try:
            yield context.pages[0]
        finally:
            context.close()


def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """Return a browser of its own, which waits as long as the tests do."""
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options))
    context.set_default_timeout(SECONDS * 1000)
    return context


def log_in(page: Page, live: Live, user: str = "admin") -> None:
    """Fill in the form of the login that the page shows."""
    page.locator("input[name=username]").fill(user)
    page.locator("input[name=password]").fill(live.password)
    page.keyboard.press("Enter")


def serious_faults(page: Page) -> list[str]:
    """Return the serious faults of accessibility that axe-core finds, with the elements that have them."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run().then((found) => found.violations)")
    return [
        f"{page.url}: {fault['id']}: {fault['help']}: {node['html'][:200]}"
        for fault in found
        if fault["impact"] in SERIOUS
        for node in fault["nodes"]
    ]
