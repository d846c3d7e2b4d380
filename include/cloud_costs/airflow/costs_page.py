"""The Costs page in Airflow: its login, its rights, its connection, and an app that is imported when it is first asked.

Every component of Airflow imports every plugin, and only the API server shows the page. So the plugin holds `Lazy`, and
this module imports nothing of Airflow or of the page before the first request.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger(__name__)

DAG_ID = "cloud_costs"
INSIGHTS_DAG_ID = "cloud_costs_insights"
READER = "costs_reader"
MODEL = "costs_model"
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Lazy:
    """An ASGI app that is made at the first request, in a thread, so that other requests go on."""

    def __init__(self, make: "Callable[[], FastAPI] | None" = None) -> None:
        self._make = make or create_app
        self._app: FastAPI | None = None
        self._lock: asyncio.Lock | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of HTTP; there is nothing else to answer."""
        if self._app is None:
            # A lock belongs to the event loop that first waits for it.
            self._lock = self._lock or asyncio.Lock()
            async with self._lock:
                if self._app is None:
                    self._app = await asyncio.to_thread(self._make)
        await self._app(scope, receive, send)


def create_app() -> "FastAPI":
    """Return the app behind Airflow's login, for whoever may read the DAG."""
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
    from airflow.configuration import conf
    from fastapi import HTTPException, Request

    from cloud_costs.airflow import connections
    from cloud_costs.asking.extra import ASK
    from cloud_costs.config.sources import load_sources
    from cloud_costs.page.app import create_app as create
    from cloud_costs.page.costs import Costs
    from cloud_costs.page.decisions import Decisions
    from cloud_costs.page.pool import Pool
    from cloud_costs.page.tokens import Tokens

    # As Airflow itself asks before it triggers a run.
    triggers = requires_access_dag("POST", DagAccessEntity.RUN, param_dag_id=INSIGHTS_DAG_ID)

    def name_of(user: GetUserDep) -> str:
        return str(user.get_name())

    def may_decide(request: Request, user: GetUserDep) -> bool:
        try:
            triggers(request, user)
        except HTTPException:
            return False
        return True

    costs = Costs(Pool(_database(), _connections()), load_sources)
    # All API servers have this secret, which signs what they hand out.
    secret = conf.get_mandatory_value("api", "secret_key")
    guard = requires_access_dag("GET", param_dag_id=DAG_ID)
    asks = ASK.is_installed()
    app = create(costs, guard, name_of, may_decide, Decisions(connections.database(), secret), asks)
    _add_protocol(app, costs)
    if asks:
        from cloud_costs.asking import box

        box.add_to(app, costs, name_of, box.Box(_model, _record, Tokens(secret, "questions")))
    return app


def _add_protocol(app: "FastAPI", costs: Any) -> None:
    from cloud_costs.asking.extra import needed
    from cloud_costs.errors import ConfigError

    try:
        with needed():
            from cloud_costs.asking.server import add_to
    except ConfigError as error:
        log.info("The Costs page serves no Model Context Protocol: %s", error)
    else:
        add_to(app, costs)


def _model() -> Any:
    """Return the model of the connection `costs_model`; None where Airflow has none: then nothing is ever asked."""
    from cloud_costs.airflow.versions import AirflowNotFoundException, BaseHook
    from cloud_costs.asking.model_connections import read

    try:
        found = BaseHook.get_connection(MODEL)
    except AirflowNotFoundException:
        return None
    return read(found.password, found.host, found.extra_dejson)


def _record(person: str, event: str, facts: Mapping[str, Any]) -> None:
    """Write an event of the DAG into Airflow's audit log, where those look who want to know who did what."""
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    extra = json.dumps(facts, ensure_ascii=False)
    with create_session() as session:
        session.add(Log(event, owner=person, owner_display_name=person, extra=extra, dag_id=DAG_ID))


def _connections() -> int:
    """Return how many connections this process may have: all API server processes share the bound."""
    from airflow.configuration import conf

    from cloud_costs.page.pool import MAX_CONNECTIONS

    return max(1, MAX_CONNECTIONS // max(1, conf.getint("api", "workers", fallback=1)))


def _database() -> Any:
    """Return the database of the connection `costs_reader`, or of `costs_db` where that is not defined."""
    from cloud_costs.airflow import connections
    from cloud_costs.airflow.versions import AirflowNotFoundException, BaseHook
    from cloud_costs.config.sources import schema_name
    from cloud_costs.database.postgres import Connection, Database

    def connect() -> Connection:
        # The connection is looked up for each new session, so a corrected one needs no restart.
        try:
            BaseHook.get_connection(READER)
            name = READER
        except AirflowNotFoundException:
            name = connections.COSTS_DB
        return connections.database(name).connect()

    return Database(connect, schema_name(), READER)
