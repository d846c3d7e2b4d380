"""The Costs page in tests: its app with a guard that headers stand in for, and a client of its API.

tests/dags/test_costs_page.py has the app with Airflow's own login and rights.
"""

from typing import Any

from fastapi import HTTPException, Request
from roles import reading
from starlette.testclient import TestClient

from cloud_costs.database.postgres import Database
from cloud_costs.page.app import create_app
from cloud_costs.page.costs import Costs
from cloud_costs.page.decisions import Decisions
from cloud_costs.page.pool import Pool

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
SECRET = "a-secret-that-signs-tokens"


def guard(request: Request) -> None:
    """Stand in for Airflow's guard: the header X-Login says who may see the costs; without it, anybody may."""
    allowed = {"yes": 200, "no right": 403}.get(request.headers.get("X-Login", "yes"), 401)
    if allowed != 200:
        raise HTTPException(allowed)


def person(request: Request) -> str:
    """Stand in for Airflow's user."""
    return request.headers.get("X-Person", "Kim")


def may_decide(request: Request) -> bool:
    """Stand in for the right to trigger the DAG cloud_costs_insights."""
    return request.headers.get("X-May-Decide") == "yes"


def app_of(
    database: Database, sources: Any = (), size: int = 4, seconds: float = 10.0, writer: Database | None = None
) -> Any:
    """Return the app that reads with a database, and writes with another one."""
    decisions = Decisions(writer or database, SECRET)
    return create_app(Costs(Pool(database, size, seconds), lambda: sources), guard, person, may_decide, decisions)


def client_of(postgres: Any, database: Database, sources: Any = ()) -> TestClient:
    """Return a client of the app as it is meant to be: it reads as the reader and writes as the loader."""
    return TestClient(app_of(reading(postgres, database), sources, writer=database))


def get(client: TestClient, path: str, **parameters: Any) -> Any:
    """Return the answer of the API, which has to be one."""
    answer = client.get(f"/api/{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def explore(client: TestClient, **parameters: Any) -> Any:
    """Return the answer of Explore; `first` and `last` are its days."""
    if "first" in parameters:
        parameters = {**parameters, "from": parameters.pop("first"), "to": parameters.pop("last")}
    return get(client, "explore", **parameters)
