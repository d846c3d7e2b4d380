"""The question box in tests: the Costs page's app with it on a real server, its log, and a person who asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from mcp_clients import served
from model_server import KEY, NAME, ModelServer
from page_app import SECRET, guard, may_decide, person

from cloud_costs.asking import box
from cloud_costs.asking.model_connections import ModelConnection, read
from cloud_costs.database.postgres import Database
from cloud_costs.page.app import create_app
from cloud_costs.page.costs import Costs
from cloud_costs.page.decisions import Decisions
from cloud_costs.page.pool import Pool
from cloud_costs.page.tokens import Tokens

OWN_SITE = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class QuestionBox:
    """The page at an address, and what it logged."""

    server: ModelServer
    address: str = ""
    connected: bool = True
    full: bool = False
    logged: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def connection(self) -> ModelConnection | None:
        return read(KEY, self.server.address, {"model": NAME}) if self.connected else None

    def record(self, who: str, event: str, facts: Any) -> None:
        if self.full:
            raise OSError("no space left")
        self.logged.append((who, event, dict(facts)))

    def state(self, who: str = "Kim") -> Any:
        return httpx2.get(f"{self.address}/api/ask", headers={"X-Person": who}).json()

    def post(self, question: str, who: str = "Kim", **headers: str) -> httpx2.Response:
        """Ask as the page does; headers replace those that it sends."""
        sent = {**OWN_SITE, "X-Person": who, "X-CSRF-Token": self.state(who)["token"] or "", **headers}
        return httpx2.post(f"{self.address}/api/ask", json={"question": question}, headers=sent, timeout=60)

    def ask(self, question: str, who: str = "Kim") -> Any:
        """Return the answer, which has to be one."""
        answer = self.post(question, who)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def question_box(database: Database, writer: Database, sources: Any, server: ModelServer) -> Iterator[QuestionBox]:
    """Serve the page over costs that a database reads, with a box that asks the server."""
    found = QuestionBox(server)
    costs = Costs(Pool(database, 2), lambda: sources)
    app = create_app(costs, guard, person, may_decide, Decisions(writer, SECRET), asks=True)
    box.add_to(app, costs, person, box.Box(found.connection, found.record, Tokens(SECRET, "questions")))
    with served(app) as address:
        found.address = address
        yield found
