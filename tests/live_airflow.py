"""A whole Airflow for the end-to-end tests: its processes, and a client of its REST API.

Its processes are those of `make up`, on the loopback interface, with the metadata in the tests' PostgreSQL.
"""

import base64
import json
import os
import secrets
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import yaml
from billing_bucket import Bucket
from pipeline import TOTALS
from roles import drop_roles, make_roles
from side_by_side import free_port

from cloud_costs.demo import local_airflow
from cloud_costs.demo.commands import NOT_INHERITED
from cloud_costs.months import month_label

ROOT = Path(__file__).parents[1]
DAG = "/api/v2/dags/cloud_costs"
COSTS_PASSWORD = "a-password-that-no-log-may-show"
MIGRATED = "airflow_migrated"
# A user of Airflow who has no right.
NOBODY = "nobody"
OVER = ("success", "failed")
# Generous: a busy machine takes ten times as long as an idle one.
SECONDS = 600


@dataclass
class Live:
    """A running Airflow, with its bucket, its folder and its databases, and a client of its REST API."""

    url: str
    password: str
    postgres: Any
    bucket: Bucket
    folder: Path
    schema: str
    environment: Mapping[str, str]
    token: str = ""

    def call(self, path: str, body: Any = None, *, method: str | None = None, token: str | None = None) -> Any:
        """Return the answer; an error of HTTP is raised with its text."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        bearer = self.token if token is None else token
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310  our server
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error.code}: {error.read().decode()}") from None

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a statement in the schema of the cost tables."""
        with psycopg.connect(self.postgres.uri(), options=f"-c search_path={self.schema}") as connection:
            return connection.execute(statement, parameters or None).fetchall()

    def trigger(self, **params: Any) -> str:
        """Ask for a run and return its id."""
        return str(self.call(f"{DAG}/dagRuns", {"conf": params, "logical_date": None})["dag_run_id"])

    def state(self, run_id: str) -> str:
        """Return the state of a run, such as `running` or `success`."""
        return str(self.call(f"{DAG}/dagRuns/{run_id}")["state"])

    def wait(self, run_id: str, done: Callable[[], bool] = lambda: True, seconds: float = SECONDS) -> str:
        """Return the state of the run when it has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = self.state(run_id)
            if state in OVER and done():
                return state
            time.sleep(0.5)
        raise AssertionError(f"{run_id} is {state} after {seconds} s: {self.tasks(run_id)}\n{self.errors()}")

    def errors(self) -> str:
        """Return the lines of the task logs that are errors."""
        logs = (self.folder / "logs").glob("dag_id=*/**/attempt=*.log")
        lines = [line for path in logs for line in path.read_text().splitlines() if '"level":"error"' in line]
        return "\n".join(lines)

    def instances(self, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run as the API has them."""
        found = self.call(f"{DAG}/dagRuns/{run_id}/taskInstances?limit=1000")["task_instances"]
        return list(found)

    def tasks(self, run_id: str) -> dict[tuple[str, int], tuple[str, int]]:
        """Return state and tries of each task by its short name and map index."""
        return {
            (ti["task_id"].split(".")[-1], ti["map_index"]): (ti["state"], ti["try_number"])
            for ti in self.instances(run_id)
        }

    def months(self, run_id: str) -> dict[str, int]:
        """Return the map index of each month by its label."""
        found = [ti for ti in self.instances(run_id) if ti["task_id"].endswith("load_raw")]
        return {ti["rendered_map_index"]: ti["map_index"] for ti in found}

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
        """Return the log of a task as the UI gets it, as JSON text."""
        path = f"{DAG}/dagRuns/{run_id}/taskInstances/{task}/logs/{attempt}?map_index={map_index}&full_content=true"
        return json.dumps(self.call(path), ensure_ascii=False)

    def history(self, source: str, *months: Any) -> list[tuple[str, str, str]]:
        """Return month, version and status of each load of these months of a source, in order."""
        return self.query(
            """
            select to_char(billing_period, 'YYYY-MM'), version, status
            from load_history where source = %s and billing_period = any(%s) order by load_id
            """,
            source,
            list(months),
        )

    def totals(self, source: str, month: Any) -> dict[Any, Any]:
        """Return the sums of `costs`, in the shape of `pipeline.truth_totals`."""
        return {row[:4]: row[4:] for row in self.query(TOTALS, source, month)}

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the environment of this Airflow's processes."""
        return subprocess.run(
            command, env=dict(self.environment), cwd=self.folder, capture_output=True, text=True, check=False
        )


@contextmanager
def live_airflow(
    name: str, postgres: Any, bucket: Bucket, folder: Path, sources: Sequence[str], settings: Mapping[str, str]
) -> Iterator[Live]:
    """Run an Airflow with a metadata database of its own; nothing of it is left afterwards.

    `settings` are added to the environment of all its processes.
    """
    configured = [
        {"name": source, "format": "aws_cur", "uri": bucket.uri(source), "tags": ["user:team"]} for source in sources
    ]
    (folder / "sources.yaml").write_text(yaml.safe_dump({"sources": configured}))
    password = secrets.token_urlsafe(12)
    (folder / "passwords.json").write_text(json.dumps({"admin": password, NOBODY: password}))
    (folder / "logs").mkdir()
    schema = f"costs_of_{name}"
    port = free_port()
    environment = _environment(name, schema, postgres, bucket, folder) | local_airflow.api_settings(port) | settings
    running = folder / "airflow.json"
    make_roles(postgres, schema)
    try:
        _create_metadata(name, postgres, environment)
        local_airflow.start(environment, port, running, folder / "logs" / "airflow.log", lambda: True)
        live = Live(f"http://127.0.0.1:{port}", password, postgres, bucket, folder, schema, environment)
        live.token = live.call("/auth/token", {"username": "admin", "password": password})["access_token"]
        yield live
    finally:
        local_airflow.stop(running)
        with psycopg.connect(postgres.uri(), autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)")
        drop_roles(postgres, schema)


def label(source: str, month: Any) -> str:
    """Return what the UI calls a source's month."""
    return f"{source} {month_label(month)}"


def _environment(name: str, schema: str, postgres: Any, bucket: Bucket, folder: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith((*NOT_INHERITED, "AWS_"))}
    costs_db = {
        "conn_type": "postgres",
        "host": str(postgres.socket_dir),
        "port": postgres.port,
        "login": f"{schema}_loader",
        "password": COSTS_PASSWORD,
        "schema": "postgres",
    }
    return {
        **kept,
        "PYTHONPATH": str(ROOT / "include"),
        "CLOUD_COSTS_CONFIG": str(folder / "sources.yaml"),
        "POSTGRES_SCHEMA": schema,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW_CONN_AWS_DEFAULT": bucket.s3.connection(),
        "AIRFLOW_CONN_COSTS_DB": json.dumps(costs_db),
        "AIRFLOW_CONN_COSTS_READER": json.dumps({**costs_db, "login": f"{schema}_reader"}),
        # Without them, whichever process comes first writes them to airflow.cfg, and two may come at once.
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"admin:admin,{NOBODY}:",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.uri(name).replace("://", "+psycopg2://", 1),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        # No test changes a DAG.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    }


def _create_metadata(name: str, postgres: Any, environment: Mapping[str, str]) -> None:
    """Create a metadata database; the migrations take ten seconds, so the first one is kept to copy the others from."""
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        known = connection.execute("select 1 from pg_database where datname = %s", [MIGRATED]).fetchone()
        if not known:
            connection.execute(f"create database {MIGRATED}")
            uri = postgres.uri(MIGRATED).replace("://", "+psycopg2://", 1)
            subprocess.run(
                [local_airflow.PROGRAM, "db", "migrate"],
                env={**environment, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": uri},
                capture_output=True,
                check=True,
            )
        connection.execute(f"create database {name} template {MIGRATED}")
