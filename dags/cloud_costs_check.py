"""
### Cloud costs: check

Tests every connection and every source, and says what is wrong and what to do about it. It loads nothing. *Trigger* it
after a change of the configuration, or when `cloud_costs` fails.

| task | what it tests |
| --- | --- |
| `check_database` | the connection `costs_db`: version, encoding, rights, locks; makes the tables if they are missing |
| `list_sources` | `sources.yaml` |
| `check_source` | one for each source: its connection, manifests, the newest delivery's files, and its settings |
| `check_alerts` | the connections that alerts go through; with *Send a test alert*, that they arrive |
"""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param, dag, task

from cloud_costs.airflow import tasks as airflow_tasks
from cloud_costs.airflow.versions import log_url

PARAMS = {
    "send_test_alert": Param(
        False, type="boolean", title="Send a test alert", description="To every address that alerts go to."
    ),
}


@task
def check_database() -> None:
    """Test the connection to PostgreSQL: version, encoding, rights and locks."""
    airflow_tasks.check_database()


@task
def list_sources() -> list[str]:
    """Read the configuration, and return the names of its sources."""
    return airflow_tasks.list_sources()


@task(map_index_template="{{ task.op_kwargs['source'] }}")
def check_source(source: str) -> None:
    """Test one source: its connection, manifests, the newest delivery's files, and its settings."""
    airflow_tasks.check_source(source)


@task
def check_alerts(params: Any = None, ti: Any = None) -> None:
    """Test the connections that alerts go through, and send a test alert if the form asks for one."""
    airflow_tasks.check_alerts(params["send_test_alert"], log_url(ti))


@dag(
    dag_id="cloud_costs_check",
    dag_display_name="Cloud costs: check",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    is_paused_upon_creation=False,
    params=PARAMS,
    tags=["cloud-costs"],
    doc_md=__doc__,
)
def cloud_costs_check() -> None:
    """Test everything side by side, each source in a mapped task."""
    check_database()
    check_source.expand(source=list_sources())
    check_alerts()


DAG = cloud_costs_check()
