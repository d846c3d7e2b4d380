"""A real client of the Model Context Protocol for tests that are not asynchronous, and a server of HTTP to ask."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from cloud_costs.database.postgres import Database
from cloud_costs.demo.embedded_postgres import Server

ROOT = Path(__file__).parents[1]


class ToolFailed(Exception):
    """A tool answered with an error."""


@dataclass
class Asking:
    """A client that is connected."""

    portal: BlockingPortal
    client: Client

    def __call__(self, tool: str, **arguments: Any) -> Any:
        """Call a tool and return its structured answer. Raises `ToolFailed` with the text of an error."""
        answer = self.portal.call(lambda: self.client.call_tool(tool, arguments))
        if answer.is_error:
            raise ToolFailed(answer.content[0].text)
        return answer.structured_content

    def tools(self) -> list[Any]:
        return self.portal.call(self.client.list_tools).tools


@contextmanager
def asking(transport: Any, mode: str = "auto") -> Iterator[Asking]:
    with start_blocking_portal() as portal:
        # The transport begins in the event loop of the portal.
        client = portal.call(lambda: _client(transport, mode))
        with portal.wrap_async_context_manager(client):
            yield Asking(portal, client)


async def _client(transport: Any, mode: str) -> Client:
    return Client(transport(), mode=mode)


def settings_of(server: Server, database: Database) -> dict[str, str]:
    """Return the environment of a server on standard input that reads as the reader."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "include"),
        "POSTGRES_HOST": str(server.socket_dir),
        "POSTGRES_PORT": str(server.port),
        "POSTGRES_DB": "postgres",
        "POSTGRES_USER": database.reader,
        "POSTGRES_SCHEMA": database.schema,
    }


@contextmanager
def over_stdio(settings: dict[str, str], mode: str = "auto") -> Iterator[Asking]:
    """Start `python -m cloud_costs mcp`, and connect to it."""
    program = StdioServerParameters(command=sys.executable, args=["-m", "cloud_costs", "mcp"], env=settings)
    with asking(lambda: stdio_client(program), mode) as client:
        yield client


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an app on a free port, and return its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [free]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{free.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


@contextmanager
def over_http(address: str, headers: dict[str, str], mode: str = "auto") -> Iterator[Asking]:
    """Connect to a server of HTTP."""
    with asking(
        lambda: streamable_http_client(address, http_client=httpx2.AsyncClient(headers=headers)), mode
    ) as client:
        yield client
