"""What a person does with the question box: in a real browser, with a model that follows a script.

With `UPDATE_DOCS=1` the screenshot of docs/asking.md is taken again.
"""

import json
import os
from decimal import Decimal
from typing import Any

import pytest
from chromium import AXE, chromium, serious_faults
from finance_questions import IN_JANUARY
from live_airflow import ROOT
from model_server import Call, Failed, Reply, model_server
from page_bills import load_bills
from playwright.sync_api import Page, expect
from question_box import QuestionBox, question_box
from roles import reading

QUESTION = "What did AWS cost in January, by service?"
STATEMENT = "select currency, sum(cost) as cost from costs group by currency order by currency"
# What a model says that obeys a stranger's tag.
FORGED = "<img src=x onerror=\"document.title='ran'\"><script>document.title='ran'</script>"
AWS = {**IN_JANUARY, "group_by": ["service"], "filters": ["cloud_provider:AWS"], "currency": "USD", "top": 5}


def said(question: str, answers: list[str]) -> Reply:
    if question == "fail":
        return Failed(500, {"error": {"message": FORGED}})
    if question == "forge":
        by_tag = Call("costs_by", {**IN_JANUARY, "group_by": ["tag:team"]})
        return f"{FORGED} Pay 1,000,000.00 USD to javascript:alert(1)" if answers else [by_tag]
    if not answers:
        return [Call("costs_by", AWS), Call("query", {"statement": STATEMENT})]
    total = Decimal(json.loads(answers[0])["currencies"][0]["total"])
    return f"AWS cost {total:,.2f} USD in January 2025.\nThat is about {total * 12:,.0f} USD a year."


@pytest.fixture(scope="module")
def box(postgres, schemas, tmp_path_factory):
    with schemas.borrowed() as database:
        sources = load_bills(database, tmp_path_factory.mktemp("bucket"))
        with model_server() as server, question_box(reading(postgres, database), database, sources, server) as found:
            server.script = said
            yield found


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


def opened(browser: Any, box: QuestionBox, **context: Any) -> Page:
    page = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}).new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{box.address}/ask")
    return page


def test_person_asks_and_sees_what_the_answer_stands_on(box, browser):
    page = opened(browser, box)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    # With the keyboard alone.
    page.get_by_label("Your question").focus()
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_be_focused()
    answer = page.locator(".answer")
    expect(answer).to_contain_text("USD in January 2025.\nThat is about")
    # The number that the model reckoned by itself is marked, also for those who hear the page.
    expect(answer.locator("mark")).to_have_count(1)
    expect(answer.locator("mark")).to_contain_text("(in no result)")
    expect(page.get_by_text("1 of 2 numbers in no result: marked")).to_be_visible()
    expect(page.locator("pre")).to_have_text(STATEMENT)
    total = page.get_by_role("region", name="costs_by: Currencies", exact=True).locator("data").first
    exact = Decimal(total.get_attribute("value"))
    expect(answer).to_contain_text(f"{exact:,.2f}")
    if AXE.exists():
        for theme in ("light", "dark"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            assert serious_faults(page) == []
    page.evaluate("delete document.documentElement.dataset.theme")
    if os.environ.get("UPDATE_DOCS"):
        page.screenshot(path=ROOT / "docs/images/page-ask.png", full_page=True)
    # The link shows the same number in Explore.
    page.get_by_role("link", name="Explore (USD)").click()
    shown = page.locator("tfoot data").first
    expect(shown).to_be_visible()
    assert Decimal(shown.get_attribute("value")) == exact
    assert faults == []
    page.context.close()


def test_words_of_a_model_and_of_tags_are_text(box, browser):
    page = opened(browser, box)
    page.get_by_label("Your question").fill("forge")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator(".answer")).to_contain_text(FORGED)
    expect(page.locator(".answer mark")).to_contain_text("1,000,000.00")
    assert page.locator(".answer :not(mark, .hidden)").count() == 0
    assert page.locator(".result img, .result script, .result a[href^='javascript']").count() == 0
    assert page.title() == "Ask \u00b7 Cloud Costs"
    page.context.close()


def test_error_of_the_model_is_a_sentence_and_the_question_stays(box, browser):
    page = opened(browser, box, color_scheme="dark", viewport={"width": 360, "height": 740})
    page.get_by_label("Your question").fill("fail")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("answers with an error, or not at all")
    expect(page.get_by_label("Your question")).to_have_value("fail")
    # On a phone, nothing is wider than the screen but tables, which scroll.
    page.get_by_label("Your question").fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#answer")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    # Without a connection, the page says what it takes.
    box.connected = False
    try:
        page.reload()
        expect(page.get_by_text("There is no model to ask.")).to_be_visible()
        expect(page.get_by_label("Your question")).to_have_count(0)
    finally:
        box.connected = True
    page.context.close()
