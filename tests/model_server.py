"""A model in tests: a server of HTTP that speaks the protocol of OpenAI's chat completions, and follows a script.

The real client of the model library asks it. So what leaves is what would leave to any such server, and it is kept.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from mcp_clients import served

NAME = "openai-chat:scripted"
KEY = "sk-a-key-of-the-model-server"


@dataclass(frozen=True)
class Call:
    """A tool that the model wants to call."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """An answer of the server that is an error."""

    status: int
    body: dict[str, Any]


# What the model does next, given the question and what its calls were answered so far.
Reply = str | list[Call] | Failed
Script = Callable[[str, list[str]], Reply]


@dataclass
class ModelServer:
    """The server: its address, the script that it follows, and everything that it was sent."""

    address: str = ""
    script: Script = lambda question, answers: "I do not know."
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    @property
    def sent(self) -> str:
        """Everything that left, as one text."""
        return json.dumps(self.bodies, ensure_ascii=False)

    def reply(self, body: dict[str, Any]) -> JSONResponse:
        messages = body["messages"]
        question = next(one["content"] for one in messages if one["role"] == "user")
        reply = self.script(question, [one["content"] for one in messages if one["role"] == "tool"])
        if isinstance(reply, Failed):
            return JSONResponse(reply.body, reply.status)
        message: dict[str, Any] = {"role": "assistant", "content": reply if isinstance(reply, str) else None}
        if isinstance(reply, list):
            message["tool_calls"] = [
                {
                    "id": f"call_{len(messages)}_{number}",
                    "type": "function",
                    "function": {"name": one.tool, "arguments": json.dumps(one.arguments)},
                }
                for number, one in enumerate(reply)
            ]
        choice = {"index": 0, "message": message, "finish_reason": "stop" if isinstance(reply, str) else "tool_calls"}
        usage = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}
        known = {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"]}
        return JSONResponse({**known, "choices": [choice], "usage": usage})


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """Run a server on a free port."""
    server = ModelServer()
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> JSONResponse:
        body = await request.json()
        server.bodies.append(body)
        server.keys.append(request.headers.get("Authorization"))
        return server.reply(body)

    with served(app) as root:
        server.address = f"{root}/v1"
        yield server
