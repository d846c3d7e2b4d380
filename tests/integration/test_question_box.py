"""The question box, with a model that follows a script: its answers are those of `costs`, and nothing else leaves.

The model is behind a real server of HTTP, so the real client of the model library asks it.
"""

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from conftest import in_schema
from finance_questions import IN_FEBRUARY, IN_JANUARY, QUESTIONS, Asked
from model_server import KEY, NAME, Call, Failed, model_server
from page_app import SECRET
from page_bills import load_bills, read_costs
from question_box import OWN_SITE, question_box
from roles import reading

from cloud_costs.asking import box as box_module
from cloud_costs.asking import conversation
from cloud_costs.page.tokens import Tokens

BY_WORDS = {one.words: one for one in QUESTIONS}


@pytest.fixture(scope="module")
def loaded(schemas, tmp_path_factory):
    """The schemas with the bills, and their sources."""
    with schemas.borrowed() as database:
        yield database, load_bills(database, tmp_path_factory.mktemp("bucket"))


@pytest.fixture(scope="module")
def rows(loaded):
    """All rows of `costs`."""
    return read_costs(in_schema(loaded[0]))


@pytest.fixture(scope="module")
def serving(postgres, loaded):
    """The page with the box, which reads as the reader."""
    database, sources = loaded
    with model_server() as server, question_box(reading(postgres, database), database, sources, server) as found:
        yield found


@pytest.fixture
def box(serving):
    """The box, of which nobody has asked anything."""
    serving.connected, serving.full = True, False
    serving.logged.clear()
    serving.server.bodies.clear()
    serving.server.keys.clear()
    return serving


@pytest.fixture(autouse=True)
def many(monkeypatch):
    """Tests ask more often than people."""
    monkeypatch.setattr(box_module, "PER_PERSON", 1_000)


def amounts(value: Any) -> Iterator[Decimal]:
    """Return all amounts of what a question expects."""
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, Decimal):
        yield value
    elif isinstance(value, list | tuple | set):
        for one in value:
            yield from amounts(one)


def finance(question: str, answers: list[str]) -> Any:
    """Ask the tool that suits a question, and say the amounts that it answered, to the cent."""
    asked = BY_WORDS[question]
    if not answers:
        return [Call(asked.tool, asked.arguments)]
    found = asked.found(json.loads(answers[-1]))
    said = "; ".join(f"{one:,.2f}" for one in amounts(found))
    return f"That is {said} in all." if said else "These are the months."


def cells(answer: Any) -> set[Decimal]:
    found = set()
    for step in answer["steps"]:
        for table in step["tables"]:
            for place, column in enumerate(table["columns"]):
                if column["number"]:
                    found |= {abs(Decimal(row[place])) for row in table["rows"] if row[place] is not None}
    return found


@pytest.mark.parametrize("asked", QUESTIONS, ids=lambda one: one.words)
def test_answer_is_that_of_costs(box, rows, asked: Asked):
    box.server.script = finance
    answer = box.ask(asked.words)
    expected = asked.expected(rows)
    # What the model was told is what `costs` has, in all digits; it says cents, and each of them is found.
    assert asked.found(json.loads(box.server.bodies[-1]["messages"][-1]["content"])) == expected
    wanted = list(amounts(expected))
    text = "".join(one["text"] for one in answer["answer"])
    assert all(f"{one:,.2f}" in text for one in wanted)
    assert (answer["amounts"], answer["not_found"], answer["grounded"]) == (len(wanted), 0, True)
    # The tables beside the words have them in all digits, at least the largest fifty.
    assert set(sorted(map(abs, wanted), reverse=True)[:50]) <= cells(answer)
    [step] = answer["steps"]
    assert (step["tool"], step["statement"]) == (asked.tool, asked.arguments.get("statement", "").strip("; ") or None)


def test_number_that_was_made_up_is_marked(box):
    def script(question, answers):
        if not answers:
            return [Call("costs_by", {**IN_JANUARY, "currency": "USD"})]
        total = Decimal(json.loads(answers[0])["currencies"][0]["total"])
        return f"January 2025 cost {total:,.2f} USD, which is {total:,.2f} EUR, and in all {total + 1:,.2f} USD."

    box.server.script = script
    answer = box.ask("What did January cost?")
    [[cost], *_] = [[row[1]] for row in answer["steps"][0]["tables"][0]["rows"]]
    written = f"{Decimal(cost):,.2f}"
    assert [(one["text"], one["found"]) for one in answer["answer"]] == [
        *(("January 2025 cost ", None), (written, True), (" USD, which is ", None), (written, False)),
        *((" EUR, and in all ", None), (f"{Decimal(cost) + 1:,.2f}", False), (" USD.", None)),
    ]
    assert (answer["amounts"], answer["not_found"], answer["grounded"]) == (3, 2, True)


def test_answer_that_nothing_was_looked_up_for_says_so(box):
    box.server.script = lambda question, answers: "You spent 1,234.56 USD."
    answer = box.ask("What did we spend?")
    assert (answer["grounded"], answer["amounts"], answer["not_found"], answer["steps"]) == (False, 1, 1, [])
    # What there is to ask is no cost, and neither is a refusal.
    box.server.script = lambda question, answers: (
        "I do not know: there are no costs of 2030."
        if answers
        else [Call("what_can_i_ask", {}), Call("costs_by", {"first": "2030-01-01", "last": "2030-01-31"})]
    )
    answer = box.ask("What will we spend in 2030?")
    assert (answer["grounded"], answer["amounts"]) == (False, 0)
    assert [one["refused"] is None for one in answer["steps"]] == [True, False]
    assert "Nothing is published from 2030-01-01" in answer["steps"][1]["refused"]


def test_statement_and_links_are_shown_with_the_same_numbers(box):
    statement = "select cloud_provider, sum(cost) as cost from costs where currency = 'USD' group by 1 order by 1"
    by = {**IN_JANUARY, "group_by": ["service"], "filters": ["cloud_provider:AWS"], "currency": "USD"}
    calls = [
        *(Call("query", {"statement": statement}), Call("costs_by", by), Call("month_so_far", {})),
        *(Call("commitments", {}), Call("load", {"load_id": 1}), Call("anomalies", {}), Call("budgets", {})),
        *(Call("changes", {"source": "cup", "billing_period": "2025-01"}), Call("trace", IN_JANUARY)),
    ]
    box.server.script = lambda question, answers: "Here." if answers else calls
    steps = {one["tool"]: one for one in box.ask("Everything, please.")["steps"]}
    assert len(steps) == len(calls)
    assert steps["query"]["statement"] == statement
    assert [row[0] for row in steps["query"]["tables"][0]["rows"]] == ["AWS", "Google Cloud", "Microsoft"]
    [explore] = steps["costs_by"]["links"]
    shown = httpx2.get(f"{box.address}/{explore['address'].replace('explore?', 'api/explore?')}").json()
    assert shown["total"] == steps["costs_by"]["tables"][0]["rows"][0][1]
    for one in steps.values():
        assert one["estimated_because"] if one["as_of"] else one["tool"] in ("anomalies", "budgets")
        for link in one["links"]:
            answer = httpx2.get(f"{box.address}/{link['address']}", headers={"Accept": "text/html"})
            assert answer.status_code == 200, link
    assert {one["tool"] for one in steps.values() if one["links"]} == steps.keys() - {"query"}


def test_question_is_logged_before_it_leaves_and_at_its_end(box):
    box.server.script = lambda question, answers: "Done." if answers else [Call("costs_by", IN_FEBRUARY)]
    box.ask("What did February cost?", who="Ana")
    [(*asked, question), (*ended, facts)] = box.logged
    assert (asked, question) == (
        ["Ana", "cloud_costs_question"],
        {"question": "What did February cost?", "model": NAME},
    )
    assert ended == ["Ana", "cloud_costs_answer"]
    assert (facts["question"], facts["outcome"]) == ("What did February cost?", "answered")
    assert (facts["input_tokens"], facts["output_tokens"]) == (2000, 20)
    [tool] = facts["tools"]
    assert (tool["tool"], tool["arguments"]["first"], tool["refused"]) == ("costs_by", "2025-02-01", None)
    # What cannot be logged is not asked.
    box.server.bodies.clear()

    box.full = True
    answer = box.post("What did February cost?")
    assert (answer.status_code, answer.json()["detail"]) == (
        *(503, "The question could not be logged, so it was not asked."),
    )
    assert box.server.bodies == []


def test_nothing_leaves_without_a_connection(box):
    box.connected = False
    state = box.state()
    assert (state["model"], state["token"], state["problem"]) == (None, None, "Airflow has no connection costs_model.")
    assert box.post("What did we spend?").status_code == 403
    answer = box.post("What did we spend?", **{"X-CSRF-Token": Tokens(SECRET, "questions").of("Kim")})
    assert (answer.status_code, answer.json()["detail"]) == (503, "Airflow has no connection costs_model.")
    assert (box.server.bodies, box.logged) == ([], [])


def test_only_the_question_the_tools_and_their_answers_leave(box):
    box.server.script = lambda question, answers: "Done." if answers else [Call("costs_by", IN_FEBRUARY)]
    box.ask("What did February cost?", who="Ana Secret")
    assert box.server.keys == [f"Bearer {KEY}"] * 2
    first, second = box.server.bodies
    assert [one["role"] for one in first["messages"]] == ["system", "user"]
    assert [one["role"] for one in second["messages"]] == ["system", "user", "assistant", "tool"]
    assert len(first["tools"]) == 11
    for word in ("Ana Secret", KEY, box.address):
        assert word not in box.server.sent
    assert first["max_completion_tokens"] == conversation.ANSWER_TOKENS


def test_question_of_another_site_or_without_a_token_is_refused(box):
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "forged"},
        {"X-CSRF-Token": box.state("Ana")["token"]},
    ):
        answer = box.post("What did we spend?", **headers)
        assert answer.status_code == 403, headers
    login = httpx2.post(f"{box.address}/api/ask", json={"question": "x"}, headers={**OWN_SITE, "X-Login": "none"})
    assert login.status_code == 401
    for question in ("", "x" * 2001):
        assert box.post(question).status_code == 422
    assert (box.server.bodies, box.logged) == ([], [])


@pytest.mark.parametrize(
    ("failed", "detail"),
    [
        (
            Failed(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}),
            "refuses the key of the connection",
        ),
        (
            Failed(404, {"error": {"message": "no model", "code": "model_not_found"}}),
            "There is no openai-chat:scripted",
        ),
        (Failed(429, {"error": {"message": "slow down"}}), "has too much to do"),
        (Failed(429, {"error": {"message": "no money", "code": "insufficient_quota"}}), "has no quota left"),
        (Failed(500, {"error": {"message": "<script>alert(1)</script>"}}), "answers with an error, or not at all"),
        (Failed(200, {"nothing": "that is an answer"}), "answered nothing that can be used"),
    ],
    ids=lambda one: one if isinstance(one, str) else str(one.status),
)
def test_error_of_the_model_server_is_a_sentence(box, caplog, failed, detail):
    box.server.script = lambda question, answers: failed
    answer = box.post("What did we spend?")
    assert answer.status_code == 503
    assert detail in answer.json()["detail"]
    assert set(answer.json()) == {"detail", "hint"}
    assert box.logged[-1][2]["outcome"] == answer.json()["detail"]
    assert KEY not in answer.text + str(box.logged)
    assert caplog.records


def test_server_that_is_away_or_slow_is_a_sentence(box, monkeypatch):
    monkeypatch.setattr(conversation, "SECONDS", 0.5)
    box.server.script = lambda question, answers: time.sleep(1.5) or "late"
    answer = box.post("What did we spend?")
    assert (answer.status_code, answer.json()["detail"]) == (503, "The model did not answer within 0.5 seconds.")
    monkeypatch.setattr(conversation, "SECONDS", 20.0)
    address, box.server.address = box.server.address, "http://127.0.0.1:9/v1"
    try:
        answer = box.post("What did we spend?")
    finally:
        box.server.address = address
    assert (answer.status_code, "answers with an error, or not at all" in answer.json()["detail"]) == (503, True)


def test_model_that_goes_in_circles_is_stopped(box):
    box.server.script = lambda question, answers: [Call("budgets", {})]
    answer = box.post("What did we spend?")
    assert (answer.status_code, answer.json()["detail"]) == (
        *(422, "The question took more steps or tokens than are allowed."),
    )
    assert len(box.server.bodies) == conversation.REQUESTS
    assert len(box.logged[-1][2]["tools"]) == conversation.REQUESTS
    box.server.script = lambda question, answers: [Call("budgets", {})] * (conversation.CALLS + 1)
    assert box.post("What did we spend?").status_code == 422


def test_call_that_makes_no_sense_is_answered_with_what_is_wrong(box):
    calls = [
        [Call("costs_by", {"first": "the day before yesterday"})],
        [Call("everything", {})],
        [Call("costs_by", {**IN_JANUARY, "group_by": ["colour"]})],
    ]
    box.server.script = lambda question, answers: calls[len(answers)] if len(answers) < len(calls) else "I do not know."
    answer = box.ask("What did we spend by colour?")
    assert [one["refused"] is not None for one in answer["steps"]] == [True]
    assert "'colour' is not a dimension" in answer["steps"][0]["refused"]
    assert "valid date" in box.server.bodies[1]["messages"][-1]["content"]


def test_long_answer_of_a_tool_does_not_go_to_the_model(box):
    statement = (
        "select string_agg('xxxxxxxxxx', '') from generate_series(1, 1500) n, generate_series(1, 20) m group by m"
    )
    box.server.script = lambda question, answers: answers[-1] if answers else [Call("query", {"statement": statement})]
    answer = box.ask("Something long, please.")
    assert "too long to be read" in answer["steps"][0]["refused"]
    assert len(box.server.sent) < 40_000


def test_people_wait_for_their_turn(box, monkeypatch):
    monkeypatch.setattr(box_module, "PER_PERSON", 2)
    box.server.script = lambda question, answers: "I do not know."
    assert [box.post("What?", who="Eva").status_code for _ in range(3)] == [200, 200, 429]
    assert box.post("What?", who="Ada").status_code == 200
    # While one question is at work, its person waits; with all places taken, everybody does.
    monkeypatch.setattr(box_module, "AT_ONCE", 1)
    inside: list[str] = []
    turns = box_module.Turns()
    with turns.of("Kim"):
        for who, words in (("Kim", "not answered yet"), ("Ada", "Other people's questions")):
            with pytest.raises(box_module.Refusal, match=words), turns.of(who):
                inside.append(who)
    with turns.of("Ada"):
        inside.append("Ada")
    assert inside == ["Ada"]
