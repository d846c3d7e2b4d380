"""A real Airflow for the tests of the DAG: its own home and metadata database, and runs of the DAG in this process.

Airflow reads its settings when it is first imported: they are set here, before that.
"""

import atexit
import io
import json
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from time import sleep
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from billing_bucket import Bucket

from cloud_costs.demo.local_airflow import PROGRAM

ROOT = Path(__file__).parents[2]
HOME = Path(tempfile.mkdtemp(prefix="cloud-costs-airflow-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

SETTINGS = {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "false",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(HOME / "logs"),
}
for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[name]
os.environ.update(SETTINGS)

_days = count()


@pytest.fixture(scope="session")
def metadata() -> None:
    """Airflow's own tables, made once."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "include")}
    subprocess.run([PROGRAM, "db", "migrate"], env=environment, capture_output=True, check=True)
    # Imported here, its logging keeps a stream that is open in every test.
    import airflow.dag_processing.dagbag  # noqa: F401  for what importing it does


@pytest.fixture
def load_dag(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Load the DAG from its file as Airflow does, with the environment of this moment."""

    def load(dag_id: str = "cloud_costs") -> Any:
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(str(ROOT / "dags"), collect_dags=True)
        assert bag.import_errors == {}
        return bag.dags[dag_id]

    return load


@pytest.fixture
def bucket_on_s3(s3: Any, tmp_path: Path) -> Bucket:
    return Bucket(s3, s3.new_bucket(), tmp_path)


Configure = Callable[..., None]


@pytest.fixture
def configure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: Any, postgres: Any, s3: Any, bucket_on_s3: Bucket
) -> Configure:
    """Write `sources.yaml`, and define the connections that the DAG takes its credentials from."""

    def write(names: Sequence[str] = ("cup", "ca"), *, more: Sequence[Mapping[str, Any]] = ()) -> None:
        sources = [
            {"name": name, "format": "aws_cur", "uri": bucket_on_s3.uri(name), "tags": ["user:team"]} for name in names
        ]
        (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"sources": [*sources, *more]}))

    monkeypatch.setenv("CLOUD_COSTS_CONFIG", str(tmp_path / "sources.yaml"))
    monkeypatch.setenv("POSTGRES_SCHEMA", database.schema)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", s3.connection())
    monkeypatch.setenv("AIRFLOW_CONN_COSTS_DB", postgres_connection(postgres, f"{database.schema}_loader"))
    write()
    return write


def postgres_connection(server: Any, user: str, password: str = "") -> str:
    """Return the connection of the cost tables as Airflow reads it from `AIRFLOW_CONN_COSTS_DB`."""
    return json.dumps(
        {
            "conn_type": "postgres",
            "host": str(server.socket_dir),
            "port": server.port,
            "login": user,
            "password": password,
            "schema": "postgres",
        }
    )


@dataclass(frozen=True)
class DagRun:
    """What a run of the DAG came to; tasks are keyed `publish_0`, or by their name alone."""

    run_id: str
    state: str
    tasks: Mapping[str, str]
    tries: Mapping[str, int]
    labels: Mapping[str, str]
    log: str

    def xcoms(self) -> list[Any]:
        """Return every XCom of the run, as the database has it."""
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session

        with create_session() as session:
            return [row.value for row in session.query(XComModel).filter_by(run_id=self.run_id)]

    def asset_events(self) -> list[dict[str, Any]]:
        from airflow.models.asset import AssetEvent
        from airflow.utils.session import create_session

        with create_session() as session:
            return [dict(event.extra) for event in session.query(AssetEvent).filter_by(source_run_id=self.run_id)]


RunDag = Callable[..., DagRun]


@pytest.fixture
def run_dag(
    metadata: None, configure: Configure, load_dag: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> RunDag:
    """Run the DAG once with the params given, by Airflow's own `dag.test()`."""

    def run(retry_delay: float = 0, dag_id: str = "cloud_costs", **params: Any) -> DagRun:
        dag = load_dag(dag_id)
        for task in dag.tasks:
            task.retry_delay = timedelta(seconds=retry_delay)
        capfd.readouterr()
        said = io.StringIO()
        handler = logging.StreamHandler(said)
        handler.setFormatter(logging.Formatter("[%(name)s] %(message)s"))
        logger = logging.getLogger("cloud_costs")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        # Where no task can run yet, dag.test() sleeps a second and looks again.
        with patch("time.sleep", lambda seconds: sleep(min(seconds, 0.05))):
            found = dag.test(
                logical_date=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=next(_days)), run_conf=params
            )
        logger.removeHandler(handler)
        out, err = capfd.readouterr()
        tis = found.get_task_instances()

        def name(ti: Any) -> str:
            short = ti.task_id.removeprefix("billing_month.")
            return short if ti.map_index < 0 else f"{short}_{ti.map_index}"

        return DagRun(
            found.run_id,
            str(found.state),
            {name(ti): str(ti.state) for ti in tis},
            {name(ti): ti.try_number for ti in tis},
            {name(ti): ti.rendered_map_index for ti in tis},
            said.getvalue() + out + err,
        )

    return run
