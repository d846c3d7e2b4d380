"""A whole Airflow as `make up` starts it: REST API, scheduler, and what clearing a month does.

The tests share one Airflow and follow one another: the scheduled run loads two months, and the others work on it.
"""

import json
import os
import re
import secrets
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from pipeline import JANUARY, truth_totals
from roles import drop_roles, make_roles

from cloud_costs import local_airflow
from cloud_costs.months import next_month

ROOT = Path(__file__).parents[2]
FEBRUARY = next_month(JANUARY)
SCHEMA = "live"
DAG = "/api/v2/dags/cloud_costs"
SECONDS = 120

pytestmark = pytest.mark.slow


@dataclass
class Live:
    """The Airflow that runs, and a client of its REST API."""

    url: str
    password: str
    postgres: Any
    bucket: Any
    folder: Path
    token: str = ""

    def call(self, path: str, body: Any = None, *, method: str | None = None, token: str | None = None) -> Any:
        """Return the answer; an error of HTTP is raised with its text."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        bearer = self.token if token is None else token
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error.code}: {error.read().decode()}") from None

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.uri(), options=f"-c search_path={SCHEMA}") as connection:
            return connection.execute(statement, parameters or None).fetchall()

    def wait(self, run_id: str, done: Callable[[], bool] = lambda: True) -> str:
        """Return the state of the run when it has ended."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            state = self.call(f"{DAG}/dagRuns/{run_id}")["state"]
            if state in ("success", "failed") and done():
                return str(state)
            time.sleep(0.5)
        raise AssertionError(f"{run_id} is {state} after {SECONDS} s: {self.tasks(run_id)}\n{self.errors()}")

    def errors(self) -> str:
        """Return what the task logs say of errors."""
        logs = (self.folder / "logs").glob("dag_id=*/**/attempt=*.log")
        lines = [line for path in logs for line in path.read_text().splitlines() if '"level":"error"' in line]
        return "\n".join(lines)

    def tasks(self, run_id: str) -> dict[tuple[str, int], tuple[str, int]]:
        """Return state and tries of each task by its short name and map index."""
        found = self.call(f"{DAG}/dagRuns/{run_id}/taskInstances?limit=100")["task_instances"]
        return {(ti["task_id"].split(".")[-1], ti["map_index"]): (ti["state"], ti["try_number"]) for ti in found}

    def clear(self, run_id: str, task: str, map_index: int, *, downstream: bool) -> str:
        """Clear a task of one month and return the run's state when it has run again."""
        tries = self.tasks(run_id)[task, map_index][1]
        self.call(
            f"{DAG}/clearTaskInstances",
            {
                "dry_run": False,
                "dag_run_id": run_id,
                "task_ids": [[f"billing_month.{task}", map_index]],
                "include_downstream": downstream,
                "only_failed": False,
                "reset_dag_runs": True,
            },
        )
        return self.wait(run_id, lambda: self.tasks(run_id)[task, map_index][1] > tries)

    def log(self, run_id: str, task: str, map_index: int = -1, attempt: int = 1) -> str:
        path = f"{DAG}/dagRuns/{run_id}/taskInstances/{task}/logs/{attempt}?map_index={map_index}&full_content=true"
        return json.dumps(self.call(path), ensure_ascii=False)

    def history(self) -> list[tuple[str, str, str]]:
        return self.query(
            "select to_char(billing_period, 'YYYY-MM'), version, status from load_history order by load_id"
        )

    def totals(self, month: Any) -> dict[Any, Any]:
        rows = self.query(
            """
            select service, account_id, charge_category, currency,
                sum(cost), sum(effective_cost), sum(list_cost), sum(line_items)
            from costs where billing_period = %s group by 1, 2, 3, 4
            """,
            month,
        )
        return {row[:4]: row[4:] for row in rows}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def live(
    postgres: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory, new_bucket: Any, airflow_command: Any
) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live Airflow")
    bucket = new_bucket(s3, folder)
    bucket.deliver("cup", JANUARY)
    bucket.deliver("cup", FEBRUARY)
    (folder / "sources.yaml").write_text(
        yaml.safe_dump({"sources": [{"name": "cup", "format": "aws_cur", "uri": bucket.uri("cup")}]})
    )
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute("create database airflow_live")
    make_roles(postgres, SCHEMA)
    password = secrets.token_urlsafe(12)
    (folder / "passwords.json").write_text(json.dumps({"admin": password}))
    (folder / "logs").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_", "PG"))}
    environment = {
        **kept,
        "PYTHONPATH": str(ROOT / "include"),
        "CLOUD_COSTS_CONFIG": str(folder / "sources.yaml"),
        "POSTGRES_SCHEMA": SCHEMA,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW_CONN_AWS_DEFAULT": s3.connection(),
        "AIRFLOW_CONN_COSTS_DB": json.dumps(
            {
                "conn_type": "postgres",
                "host": str(postgres.socket_dir),
                "port": postgres.port,
                "login": f"{SCHEMA}_loader",
                "password": "a-password-that-no-log-may-show",
                "schema": "postgres",
            }
        ),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.uri("airflow_live").replace("://", "+psycopg2://", 1),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    }
    airflow_command("db", "migrate", env=environment)
    port = free_port()
    running = folder / "airflow.json"
    try:
        local_airflow.start(environment, port, running, folder / "logs" / "airflow.log", lambda: True)
        found = Live(f"http://127.0.0.1:{port}", password, postgres, bucket, folder)
        found.token = found.call("/auth/token", {"username": "admin", "password": password})["access_token"]
        yield found
    finally:
        local_airflow.stop(running)
        with psycopg.connect(postgres.uri(), autocommit=True) as connection:
            connection.execute("drop database airflow_live with (force)")
        drop_roles(postgres, SCHEMA)


@pytest.fixture(scope="module")
def scheduled(live: Live) -> str:
    """The run that the schedule starts; returns its id when it has ended."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        runs = live.call(f"{DAG}/dagRuns?limit=10")["dag_runs"] if has_dag(live) else []
        if runs:
            live.wait(runs[0]["dag_run_id"])
            return str(runs[0]["dag_run_id"])
        time.sleep(0.5)
    raise AssertionError("no run was scheduled")


def has_dag(live: Live) -> bool:
    return bool(live.call("/api/v2/dags")["dags"])


def months(live: Live, run_id: str) -> dict[str, int]:
    """Return the map index of each month by its label."""
    found = live.call(f"{DAG}/dagRuns/{run_id}/taskInstances?limit=100")["task_instances"]
    return {ti["rendered_map_index"]: ti["map_index"] for ti in found if ti["task_id"].endswith("load_raw")}


def test_schedule_loads_every_month(live: Live, scheduled: str) -> None:
    run = live.call(f"{DAG}/dagRuns/{scheduled}")
    assert (run["run_type"], run["state"]) == ("scheduled", "success")
    assert {tries for _, tries in live.tasks(scheduled).values()} == {1}, live.errors()
    # Two workers load the months side by side, in either order.
    assert sorted(live.history()) == [
        ("2025-01", "20250203T120125Z", "published"),
        ("2025-02", "20250303T120125Z", "published"),
    ]
    assert set(months(live, scheduled)) == {"cup 2025-02", "cup 2025-01"}
    assert live.query("select distinct dag_run_id from load_history") == [(scheduled,)]


def test_api_serves_the_dag_and_its_form_to_those_who_log_in(live: Live, scheduled: str) -> None:
    with pytest.raises(AssertionError, match="401"):
        live.call(DAG, token="")
    dag = live.call(DAG)
    assert dag["dag_display_name"] == "Cloud costs"
    assert not dag["is_paused"]
    assert not dag["has_import_errors"]
    details = live.call(f"{DAG}/details")
    assert set(details["params"]) == {"sources", "from_month", "to_month", "force", "dry_run", "raw_only"}
    assert details["params"]["sources"]["schema"]["items"]["enum"] == ["cup"]
    assert "**To load a month again**" in details["doc_md"]
    assert live.call("/api/v2/importErrors")["total_entries"] == 0


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"from_month": "2025-13"}, "from_month"),
        ({"sources": ["cupp"]}, "'cupp' is not one of"),
        ({"force": 1}, "force"),
    ],
)
def test_wrong_param_is_refused_by_the_api(live: Live, scheduled: str, conf: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError, match=rf"^4.*{re.escape(message)}"):
        live.call(f"{DAG}/dagRuns", {"conf": conf, "logical_date": None})
    assert live.call(f"{DAG}/dagRuns")["total_entries"] == 1


def test_task_logs_are_read_from_disk(live: Live, scheduled: str) -> None:
    assert "step=load_raw source=cup month=2025-0" in live.log(scheduled, "billing_month.load_raw", 0)
    assert "decision" in live.log(scheduled, "list_manifests")


def test_cleared_month_loads_the_newest_delivery_and_touches_no_other(live: Live, scheduled: str) -> None:
    before = live.history()
    february = live.totals(FEBRUARY)
    truth = live.bucket.deliver("cup", JANUARY, version=2)
    live.bucket.deliver("cup", FEBRUARY, version=2)
    january = months(live, scheduled)["cup 2025-01"]
    assert live.totals(JANUARY) != truth_totals(truth)

    assert live.clear(scheduled, "load_raw", january, downstream=True) == "success"
    assert live.totals(JANUARY) == truth_totals(truth)
    assert live.totals(FEBRUARY) == february
    assert live.history()[2:] == [("2025-01", truth.assembly_id, "published")]
    assert [row for row in live.history()[:2] if row[0] == "2025-02"] == [row for row in before if row[0] == "2025-02"]
    for (task, index), (state, tries) in live.tasks(scheduled).items():
        assert state == "success"
        again = index == january or task in ("refresh_views", "report")
        assert tries == (2 if again else 1), (task, index)

    # Without a new delivery a cleared later step works from what is published, and changes nothing.
    for task in ("normalize", "publish"):
        assert live.clear(scheduled, task, january, downstream=False) == "success"
        assert live.totals(JANUARY) == truth_totals(truth)
    assert live.totals(FEBRUARY) == february
    assert len(live.history()) == 3


def test_triggered_run_takes_its_params(live: Live, scheduled: str) -> None:
    conf = {"dry_run": True, "sources": ["cup"], "from_month": "2025-02", "to_month": "2025-02"}
    loads = live.history()
    run_id = live.call(f"{DAG}/dagRuns", {"conf": conf, "logical_date": None})["dag_run_id"]
    assert live.wait(run_id) == "success"
    log = live.log(run_id, "list_manifests")
    assert "load (changed)" in log
    assert "2025-01 " not in log
    assert live.history() == loads


def test_no_log_shows_a_secret(live: Live, scheduled: str) -> None:
    logs = [path for path in (live.folder / "logs").rglob("*") if path.is_file()]
    assert len(logs) > 10
    for path in logs:
        text = path.read_text(errors="replace")
        for secret in (live.bucket.s3.secret, "a-password-that-no-log-may-show", live.password):
            assert secret not in text, path


def test_airflow_listens_on_loopback_alone(live: Live) -> None:
    import psutil

    leader = local_airflow.find(live.folder / "airflow.json")
    assert leader
    processes = [process for process in psutil.process_iter() if _session_of(process.pid) == leader.pid]
    assert len(processes) >= 5
    listening = {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1
