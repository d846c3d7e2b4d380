"""The question box of the Costs page: a question in plain words, a model's answer, and what it stands on.

It is there if the extra is installed, and asks only if Airflow has a connection for it. A question needs what a
decision needs, a request of this page with a token of it, because it costs money and sends costs to another server.
Each is recorded before it leaves, and again with its end.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Request

from cloud_costs.asking.box_models import Answered, Asked, BoxState
from cloud_costs.asking.conversation import Conversation, ask
from cloud_costs.asking.model_connections import ModelConnection
from cloud_costs.errors import ConfigError
from cloud_costs.page.api import PROBLEMS
from cloud_costs.page.costs import Costs
from cloud_costs.page.models import Problem
from cloud_costs.page.problems import AWAY, Refusal
from cloud_costs.page.tokens import HEADER, Tokens

log = logging.getLogger(__name__)

# What the audit log calls a question that leaves, and its end.
ASKED, ENDED = "cloud_costs_question", "cloud_costs_answer"
BUSY = 429
# Of one API server process: questions at once, and of one person in so many seconds.
AT_ONCE, PER_PERSON, PERIOD = 4, 20, 600
NO_CONNECTION = "Airflow has no connection costs_model."
HINT = "Ask who runs Airflow: the page Asking of the documentation says what it needs."
WRONG_ANSWERS: dict[int | str, dict[str, Any]] = {
    403: {"model": Problem, "description": "Another site, or no token of api/ask."},
    429: {"model": Problem, "description": "Too many questions at once, or of one person in ten minutes."},
}


@dataclass(frozen=True)
class Box:
    """What the box needs beside the costs.

    `connection` returns the model to ask, or None where there is none; it raises `ConfigError` for one that is not
    valid. `record` writes who, an event and its facts where questions are logged.
    """

    connection: Callable[[], ModelConnection | None]
    record: Callable[[str, str, Mapping[str, Any]], None]
    tokens: Tokens


@dataclass
class Turns:
    """Who has asked when: one question of a person at a time, and not too many of all."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asking: set[str] = field(default_factory=set)
    _asked: dict[str, deque[float]] = field(default_factory=dict)

    @contextmanager
    def of(self, person: str) -> Iterator[None]:
        """Let a person ask. Raises `Refusal` if it is not their turn."""
        with self._lock:
            self._begin(person, time.monotonic())
        try:
            yield
        finally:
            with self._lock:
                self._asking.discard(person)

    def _begin(self, person: str, now: float) -> None:
        asked = self._asked.setdefault(person, deque())
        while asked and now - asked[0] > PERIOD:
            asked.popleft()
        if person in self._asking:
            raise Refusal(BUSY, "Your last question is not answered yet.", "Wait for its answer.")
        if len(self._asking) >= AT_ONCE:
            raise Refusal(BUSY, "Other people's questions are being answered.", "Try again in a minute.")
        if len(asked) >= PER_PERSON:
            minutes = f"{PERIOD / 60:g} minutes"
            raise Refusal(BUSY, f"You have asked {PER_PERSON} questions in {minutes}.", "Ask again in a few minutes.")
        asked.append(now)
        self._asking.add(person)


def add_to(app: FastAPI, costs: Costs, user: Callable[..., str], box: Box) -> None:
    """Serve the question box to an app whose dependencies guard every route; `user` tells who asks."""
    api = APIRouter(prefix="/api", responses=PROBLEMS)
    turns = Turns()

    @api.get("/ask", response_model=BoxState)
    def get_box(person: Annotated[str, Depends(user)]) -> BoxState:
        """Whether there is a model to ask, and what a question needs."""
        try:
            found, problem = box.connection(), NO_CONNECTION
        except ConfigError as error:
            found, problem = None, f"{error}."
        return BoxState(
            model=found.name if found else None,
            server=found.server if found else None,
            problem=None if found else problem,
            person=person,
            token=box.tokens.of(person) if found else None,
        )

    @api.post("/ask", response_model=Answered, responses=WRONG_ANSWERS)
    async def post_question(
        request: Request,
        asked: Asked,
        person: Annotated[str, Depends(user)],
        token: Annotated[str | None, Header(alias=HEADER, description="The token of api/ask.")] = None,
    ) -> Answered:
        """Ask the model. It answers in words, and beside them is what each tool that it called answered."""
        box.tokens.require_own_site(request)
        box.tokens.require(token, person, "api/ask")
        with turns.of(person):
            return await _answer(costs, box, person, asked.question)

    app.include_router(api)


async def _answer(costs: Costs, box: Box, person: str, question: str) -> Answered:
    try:
        connection = await asyncio.to_thread(box.connection)
    except ConfigError as error:
        raise Refusal(AWAY, f"The model of the question box is not configured: {error}.", HINT) from error
    if connection is None:
        raise Refusal(AWAY, NO_CONNECTION, HINT)
    facts = {"question": question, "model": connection.name}
    try:
        await asyncio.to_thread(box.record, person, ASKED, facts)
    except Exception as error:
        # Of whichever kind: what is not logged is not asked.
        log.exception("the question box: the question was not logged")
        raise Refusal(AWAY, "The question could not be logged, so it was not asked.", HINT) from error
    conversation = Conversation(costs)
    outcome: dict[str, Any] = {"outcome": "stopped"}
    try:
        answered = await ask(conversation, connection, question)
        names = ("seconds", "input_tokens", "output_tokens", "amounts", "not_found")
        outcome = {"outcome": "answered", **answered.model_dump(include=set(names))}
        return answered
    except Refusal as refusal:
        outcome = {"outcome": refusal.detail}
        raise
    finally:
        tools = [one.model_dump(include={"tool", "arguments", "statement", "refused"}) for one in conversation.steps]
        await _record_end(box, person, {**facts, **outcome, "tools": tools})


async def _record_end(box: Box, person: str, facts: Mapping[str, Any]) -> None:
    try:
        await asyncio.to_thread(box.record, person, ENDED, facts)
    except Exception:
        # The question itself is logged, and the person has an answer or a reason.
        log.exception("the question box: the end of a question was not logged")
