"""The Model Context Protocol: the tools for any program that speaks it, over standard input or HTTP.

The protocol is the official SDK's (ADR 15). Over HTTP it is stateless: every request is a JSON answer of its own, so it
works behind any proxy and with any number of API server processes, and it is a route of the Costs page's app, behind
its guard.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import ToolAnnotations
from starlette.types import Receive, Scope, Send

from cloud_costs import __version__
from cloud_costs.asking.tools import INSTRUCTIONS, Tools
from cloud_costs.page.costs import Costs
from cloud_costs.page.problems import Refusal

PATH = "/mcp"
# Bytes. A statement has ten thousand characters at most.
MAX_REQUEST = 200_000
READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)

T = TypeVar("T")


def create_server(costs: Costs) -> MCPServer:
    """Return a server with all tools over the costs of a database."""
    server = MCPServer(
        "cloud-costs", title="Cloud Costs", instructions=INSTRUCTIONS, version=__version__, subscriptions=False
    )
    for tool in Tools(costs).all:
        server.add_tool(refusing(tool), annotations=READS)
    return server


def refusing(tool: Callable[..., T]) -> Callable[..., T]:
    """Return a tool whose refusals are the protocol's: a sentence and a hint, for the model to read."""

    @functools.wraps(tool)
    def call(*values: Any, **named: Any) -> T:
        try:
            return tool(*values, **named)
        except Refusal as refusal:
            raise ToolError(f"{refusal.detail} {refusal.hint}") from refusal

    return call


def add_to(app: FastAPI, costs: Costs) -> None:
    """Serve the protocol at `/mcp` of an app whose dependencies guard every route."""
    server = create_server(costs)

    @app.api_route(PATH, methods=["POST"], include_in_schema=False)
    async def mcp(request: Request) -> Response:
        return _Handled(server)

    @app.api_route(PATH, methods=["GET", "DELETE"], include_in_schema=False)
    def no_stream() -> Response:
        """Say that there is no stream to open and no session to end, as the protocol has it for such a server."""
        return Response(status_code=405, headers={"Allow": "POST"})


class _Handled(Response):
    """A response that the SDK makes, of the request that a route let pass."""

    def __init__(self, server: MCPServer) -> None:
        super().__init__()
        self.server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A session manager belongs to one event loop, and ends with it. One for each request belongs to its own.
        # The guard has asked for the login. Who may be the Host is the business of the proxy before the server.
        self.server.streamable_http_app(
            json_response=True,
            stateless_http=True,
            max_request_body_size=MAX_REQUEST,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        manager = self.server.session_manager
        async with manager.run():
            await manager.handle_request(scope, receive, send)
