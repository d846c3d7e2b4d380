"""One question to a model, which has the tools and nothing else: no file, no network, no memory of other questions.

Its tools are those of the Model Context Protocol, behind the same guard, and every one only reads. What it calls and
what came back is kept beside its words. Requests, calls, tokens and time are bounded, so a model that goes in circles
costs little.
"""

import asyncio
import functools
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from cloud_costs.asking.box_models import Answered, Step
from cloud_costs.asking.claims import Known, checked
from cloud_costs.asking.model_connections import ModelConnection, create_model
from cloud_costs.asking.models import Answer, Askable, QueryAnswer
from cloud_costs.asking.result_tables import links_of, said_of, tables_of
from cloud_costs.asking.tools import INSTRUCTIONS, Tools
from cloud_costs.errors import ConfigError
from cloud_costs.messages import safe
from cloud_costs.page.costs import Costs
from cloud_costs.page.problems import AWAY, TOO_MUCH, Refusal

if TYPE_CHECKING:
    from pydantic_ai.agent import AgentRunResult

log = logging.getLogger(__name__)

# Of one question: seconds in all, requests to the model, calls of tools, tokens in all, and tokens of one answer.
SECONDS, REQUESTS, CALLS, TOKENS, ANSWER_TOKENS = 100.0, 12, 20, 200_000, 4_000
# Characters of a tool's answer that go to the model: some ten thousand tokens.
MAX_RESULT = 40_000
MAX_ANSWER = 20_000
OWN = """
You answer one question of a person who looks at the Costs page. There is no second one, so do not ask back.

- Answer in the language of the question, in a few plain sentences without Markdown. The page shows the tools' answers
  as tables below yours, so do not repeat them.
- Write each amount as a tool gave it, rounded to cents, with its currency behind it. Do not reckon: ask a tool for a
  sum, a difference or a share.
- If the tools do not answer the question, begin with "I do not know", in the language of the question, and say what is
  missing.
"""
ASK_LESS = "Ask for less: one number, a shorter range, or name the dimension."
LOOK = "Ask who runs Airflow: the log of the API server has the reason."
# What people are told of each error of pydantic-ai: the status, a sentence and a hint.
REASONS = {
    "UsageLimitExceeded": (TOO_MUCH, "The question took more steps or tokens than are allowed.", ASK_LESS),
    "ModelContextWindowExceededError": (TOO_MUCH, "The tools' answers are more than {model} can read.", ASK_LESS),
    "ModelAuthenticationError": (AWAY, "The server of {model} refuses the key of the connection.", LOOK),
    "ModelQuotaExceededError": (AWAY, "The account of {model} has no quota left.", LOOK),
    "ModelRateLimitError": (AWAY, "{model} has too much to do.", "Try again in a minute."),
    "ModelNotFoundError": (AWAY, "There is no {model} on its server.", LOOK),
    "ModelAPIError": (AWAY, "The server of {model} answers with an error, or not at all.", f"Try again. {LOOK}"),
    "AgentRunError": (AWAY, "{model} answered nothing that can be used.", "Ask in other words, or try again."),
}
TOO_LONG = "This answer is too long to be read. Ask for fewer groups (top), fewer days, or totals instead of a series."


@dataclass
class Conversation:
    """The tools over costs as a model calls them, and what they answered."""

    costs: Costs
    steps: list[Step] = field(default_factory=list)
    known: Known = field(default_factory=Known)
    grounded: bool = False

    def tools(self) -> list[Callable[..., str]]:
        """Return the tools; each answers in JSON, or in a sentence that says why it does not."""
        return [self._recorded(tool) for tool in Tools(self.costs).all]

    def _recorded(self, tool: Callable[..., Any]) -> Callable[..., str]:
        @functools.wraps(tool)
        def call(**named: Any) -> str:
            arguments = to_jsonable_python(named)
            try:
                answer: Answer = tool(**named)
            except Refusal as refusal:
                return self._refused(tool.__name__, arguments, f"{refusal.detail} {refusal.hint}")
            text = answer.model_dump_json(by_alias=True)
            if len(text) > MAX_RESULT:
                return self._refused(tool.__name__, arguments, TOO_LONG)
            self.known.add(json.loads(text))
            self.grounded = self.grounded or not isinstance(answer, Askable)
            self.steps.append(_step(tool.__name__, arguments, answer))
            return text

        return call

    def _refused(self, tool: str, arguments: dict[str, Any], why: str) -> str:
        self.steps.append(
            Step(tool=tool, arguments=_given(arguments), statement=arguments.get("statement"), refused=why)
        )
        return why


def _step(tool: str, arguments: dict[str, Any], answer: Answer) -> Step:
    given = _given(arguments)
    return Step(
        tool=tool,
        arguments=given,
        statement=answer.statement if isinstance(answer, QueryAnswer) else None,
        said=said_of(answer, given),
        tables=tables_of(answer),
        links=links_of(tool, arguments, answer),
        as_of=answer.basis.as_of,
        estimated_because=answer.basis.estimated_because,
    )


def _given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that say something; a statement has a place of its own."""
    return {name: value for name, value in arguments.items() if name != "statement" and value not in (None, [], False)}


async def ask(conversation: Conversation, connection: ModelConnection, question: str) -> Answered:
    """Return a model's answer to a question. Raises `Refusal` where there is none, with a sentence that says why.

    The conversation has the steps also then.
    """
    began = time.monotonic()
    try:
        async with asyncio.timeout(SECONDS):
            result = await _run(conversation, connection, question)
    except TimeoutError:
        hint = "Ask for less in one question, or try again."
        raise Refusal(AWAY, f"The model did not answer within {SECONDS:g} seconds.", hint) from None
    conversation.known.words.update(question.split())
    answer = await asyncio.to_thread(checked, result.output[:MAX_ANSWER].strip(), conversation.known)
    looked_for = [one.found for one in answer if one.found is not None]
    return Answered(
        question=question,
        model=connection.name,
        answer=answer,
        amounts=len(looked_for),
        not_found=looked_for.count(False),
        grounded=conversation.grounded,
        steps=conversation.steps,
        seconds=round(time.monotonic() - began, 1),
        input_tokens=result.usage.input_tokens,
        output_tokens=result.usage.output_tokens,
    )


async def _run(conversation: Conversation, connection: ModelConnection, question: str) -> "AgentRunResult[str]":
    # Libraries that take seconds to import, which the API server goes on without.
    try:
        model = await asyncio.to_thread(create_model, connection)
    except ConfigError as error:
        raise Refusal(AWAY, f"The model of the question box is not configured: {error}.", LOOK) from error
    from pydantic_ai import Agent, Tool, UsageLimits, exceptions
    from pydantic_ai.settings import ModelSettings

    agent = Agent(
        model,
        instructions=f"{INSTRUCTIONS}{OWN}",
        # One after the other: a question takes one session of the page's few.
        tools=[Tool(one, takes_ctx=False, sequential=True) for one in conversation.tools()],
        retries=3,
    )
    limits = UsageLimits(request_limit=REQUESTS, tool_calls_limit=CALLS, total_tokens_limit=TOKENS)
    settings = ModelSettings(max_tokens=ANSWER_TOKENS, timeout=SECONDS)
    try:
        async with agent:
            return await agent.run(question, usage_limits=limits, model_settings=settings)
    except exceptions.AgentRunError as error:
        log.warning("the question box: %s: %s", type(error).__name__, safe(str(error))[:500])
        raise _refusal(error, connection) from error


def _refusal(error: Exception, connection: ModelConnection) -> Refusal:
    """Return what people are told about an error of the model or its server; the log has its own words."""
    known = next(REASONS[one.__name__] for one in type(error).__mro__ if one.__name__ in REASONS)
    status, detail, hint = known
    return Refusal(status, detail.format(model=connection.name), hint)
