"""The Costs page in a real API server: Airflow's login and rights, its connections, and what the plugin costs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from model_server import KEY, NAME, Call, model_server

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / "cloud_costs_page.py"
PROTOCOL = {"Accept": "application/json, text/event-stream"}
IMPORT = """
import importlib.util, sys, time
import airflow.plugins_manager
before, began = set(sys.modules), time.process_time()
spec = importlib.util.spec_from_file_location("cloud_costs_page", sys.argv[1])
spec.loader.exec_module(importlib.util.module_from_spec(spec))
print(time.process_time() - began, *sorted(set(sys.modules) - before))
"""

EVENT = """
    insert into anomalies (
        source, currency, first_date, last_date, expected, actual, impact, severity, kind, running, explanation, news
    )
    values ('cup', 'USD', '2025-01-01', '2025-01-02', 1, 2, 1, 'low', 'anomaly', false, '{}', true)
    returning anomaly_id
"""


@pytest.fixture
def server(metadata, configure):
    """The API server's app with the plugin, and a token of a viewer."""
    from airflow.api_fastapi.app import create_app, purge_cached_app
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from starlette.testclient import TestClient

    purge_cached_app()
    app = create_app(apps="core")
    token = app.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username="kim", role="viewer"))
    yield TestClient(app), token
    purge_cached_app()


def test_page_has_the_login_and_rights_of_airflow(server, database, postgres, monkeypatch):
    client, token = server
    login = {"Authorization": f"Bearer {token}"}
    # A connection that leads nowhere is an answer of the page, and Airflow goes on.
    monkeypatch.setenv("AIRFLOW_CONN_COSTS_DB", '{"conn_type": "postgres", "host": "127.0.0.1", "port": 1}')
    answer = client.get("/cloud-costs/api/context", headers=login)
    assert (answer.status_code, answer.json()["detail"]) == (503, "The database of the costs does not answer.")
    assert client.get("/api/v2/version").status_code == 200
    # The reader's connection wins, and a corrected one needs no restart.
    reader = {"conn_type": "postgres", "host": str(postgres.socket_dir), "port": postgres.port, "schema": "postgres"}
    monkeypatch.setenv("AIRFLOW_CONN_COSTS_READER", json.dumps({**reader, "login": database.reader}))
    for how in ({"headers": login}, {"cookies": {"_token": token}}):
        answer = client.get("/cloud-costs/api/context", **how)
        assert (answer.status_code, answer.json()["default_currency"]) == (200, None)
        assert answer.headers["Cache-Control"] == "no-store"
    client.cookies.clear()
    # Programs ask behind the same login (docs/asking.md).
    listed = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    answer = client.post("/cloud-costs/mcp", json=listed, headers={**login, **PROTOCOL})
    assert (answer.status_code, len(answer.json()["result"]["tools"])) == (200, 11)
    assert client.post("/cloud-costs/mcp", json=listed, headers=PROTOCOL).status_code == 401
    for path in ("api/context", "api/explore.csv", "api/openapi.json", "static/x/plotly.min.js", "explore", "mcp"):
        assert client.get(f"/cloud-costs/{path}").status_code == 401
        assert client.get(f"/cloud-costs/{path}", headers={"Authorization": "Bearer forged"}).status_code in (401, 403)
    assert client.get("/cloud-costs/openapi.json", headers=login).status_code == 404
    manager = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager.is_authorized_dag"
    with patch(manager, return_value=False):
        answer = client.get("/cloud-costs/api/context", headers=login)
    assert (answer.status_code, answer.json()["detail"]) == (403, "You may not see the costs.")


def test_browser_without_a_login_is_led_to_it_and_back(server):
    client, _ = server
    answer = client.get("/cloud-costs/explore?group=service", headers={"Accept": "text/html"}, follow_redirects=False)
    back = "next=%2Fcloud-costs%2Fexplore%3Fgroup%3Dservice"
    assert (answer.status_code, answer.headers["Location"]) == (303, f"./../api/v2/auth/login?{back}")
    answer = client.get(f"/api/v2/auth/login?{back}", follow_redirects=False)
    assert answer.headers["Location"].endswith(f"/auth/login?{back}")


def test_decision_needs_the_right_to_trigger_the_dag(server, database, query, postgres, monkeypatch):
    """Airflow's own roles: a viewer reads, and a user triggers."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    client, viewer = server
    user = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="ana", role="user"))
    there = {"conn_type": "postgres", "host": str(postgres.socket_dir), "port": postgres.port, "schema": "postgres"}
    monkeypatch.setenv("AIRFLOW_CONN_COSTS_READER", json.dumps({**there, "login": database.reader}))
    monkeypatch.setenv("AIRFLOW_CONN_COSTS_DB", json.dumps({**there, "login": f"{database.schema}_loader"}))
    [(number,)] = query(EVENT)

    def decide(token, **headers):
        client.cookies.clear()
        client.cookies.set("_token", token)
        sent = {"Sec-Fetch-Site": "same-origin", **headers}
        answer = client.post(f"/cloud-costs/api/anomalies/{number}", json={"action": "acknowledge"}, headers=sent)
        return answer.status_code, answer.json().get("detail")

    def session(token):
        return client.get("/cloud-costs/api/session", headers={"Authorization": f"Bearer {token}"}).json()

    assert session(viewer) == {"person": "kim", "may_decide": False, "token": None}
    allowed = session(user)
    assert (allowed["person"], allowed["may_decide"]) == ("ana", True)
    good = {"X-CSRF-Token": allowed["token"]}
    assert decide("forged", **good)[0] in (401, 403)
    assert decide(viewer, **good) == (403, "You may not decide about anomalies.")
    assert decide(user)[0] == 403
    assert decide(user, **good, **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert query("select count(*) from anomaly_actions") == [(0,)]
    assert decide(user, **good) == (200, None)
    assert query("select status, action, person from anomalies inner join anomaly_actions using (anomaly_id)") == [
        ("acknowledged", "acknowledge", "ana")
    ]


def test_question_goes_to_the_model_of_the_connection_and_into_the_audit_log(server, database, postgres, monkeypatch):
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    client, token = server
    there = {"conn_type": "postgres", "host": str(postgres.socket_dir), "port": postgres.port, "schema": "postgres"}
    monkeypatch.setenv("AIRFLOW_CONN_COSTS_READER", json.dumps({**there, "login": database.reader}))
    client.cookies.set("_token", token)
    login = {"Authorization": f"Bearer {token}", "Sec-Fetch-Site": "same-origin"}

    def ask(**headers):
        answer = client.post("/cloud-costs/api/ask", json={"question": "What is é?"}, headers={**login, **headers})
        return answer.status_code, answer.json()

    def logged():
        with create_session() as session:
            found = session.query(Log).filter(Log.event.like("cloud_costs_%")).order_by(Log.id)
            return [(one.event, one.owner, one.dag_id, json.loads(one.extra)) for one in found]

    state = client.get("/cloud-costs/api/ask", headers=login).json()
    assert (state["model"], state["token"]) == (None, None)
    assert state["problem"] == "Airflow has no connection costs_model."
    with model_server() as model:
        model.script = lambda question, answers: "I do not know." if answers else [Call("budgets", {})]
        connection = {"conn_type": "generic", "host": model.address, "password": KEY}
        monkeypatch.setenv("AIRFLOW_CONN_COSTS_MODEL", json.dumps(connection))
        assert "names no model" in client.get("/cloud-costs/api/ask", headers=login).json()["problem"]
        monkeypatch.setenv("AIRFLOW_CONN_COSTS_MODEL", json.dumps({**connection, "extra": {"model": NAME}}))
        # A corrected connection needs no restart.
        state = client.get("/cloud-costs/api/ask", headers=login).json()
        assert (state["model"], state["person"], state["server"] in model.address) == (NAME, "kim", True)
        assert ask()[0] == 403
        assert (logged(), model.bodies) == ([], [])
        status, answer = ask(**{"X-CSRF-Token": state["token"]})
        assert (status, answer["answer"], answer["grounded"]) == (
            200,
            [{"text": "I do not know.", "found": None}],
            True,
        )
        assert model.keys == [f"Bearer {KEY}"] * 2
    [(*asked, question), (*ended, facts)] = logged()
    assert (asked, question) == (
        *(["cloud_costs_question", "kim", "cloud_costs"], {"question": "What is é?", "model": NAME}),
    )
    assert (ended, facts["outcome"], facts["input_tokens"]) == (
        *(["cloud_costs_answer", "kim", "cloud_costs"], "answered", 2000),
    )
    # The page that the link in the navigation leads to.
    for path in ("", "ask"):
        assert 'data-path="ask"' in client.get(f"/cloud-costs/{path}", headers={**login, "Accept": "text/html"}).text
    client.cookies.clear()
    assert client.get("/cloud-costs/api/ask").status_code == 401
    assert client.post("/cloud-costs/api/ask", json={"question": "x"}).status_code == 401


@pytest.mark.parametrize("installed", [True, False])
def test_page_has_a_box_if_its_extra_is_installed(server, monkeypatch, installed):
    from starlette.testclient import TestClient

    from cloud_costs.airflow.costs_page import create_app
    from cloud_costs.asking import extra

    _, token = server
    monkeypatch.setattr(extra, "find_spec", lambda name: installed)
    client = TestClient(create_app(), headers={"Authorization": f"Bearer {token}", "Accept": "text/html"})
    assert ('data-path="ask"' in client.get("/").text) == installed
    for path in ("/ask", "/api/ask"):
        assert client.get(path).status_code == (200 if installed else 404)


@pytest.mark.alone
def test_plugin_costs_other_components_nothing(metadata):
    shown = subprocess.run(
        [sys.executable, "-c", IMPORT, str(PLUGIN)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "include")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()[-1]
    seconds, *loaded = shown.split()
    assert float(seconds) < 0.05
    assert set(loaded) == {"cloud_costs", *(f"cloud_costs.airflow{name}" for name in ("", ".costs_page", ".plugin"))}
