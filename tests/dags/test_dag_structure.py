"""The DAG as Airflow reads it from its file: what the trigger form, the graph and the scheduler are told."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "dags"
MONTH = ("load_raw", "normalize", "audit", "publish")

# What the DAG processor and the task runner do, with every connection that parsing makes.
PARSE = """
import json, sys, time
import airflow.dag_processing.dagbag, airflow.sdk
connected = []
sys.addaudithook(lambda event, args: connected.append(str(args[1:])) if event == "socket.connect" else None)
began = time.process_time()
from pathlib import Path
bag = airflow.dag_processing.dagbag.BundleDagBag({dags!r}, bundle_path=Path({dags!r}), bundle_name="dags-folder")
seconds = time.process_time() - began
import cloud_costs, cloud_costs.airflow.tasks
print(json.dumps({{
    "dags": sorted(bag.dags),
    "errors": bag.import_errors,
    "connected": connected,
    "seconds": seconds,
    "package": cloud_costs.__file__,
    "tasks": cloud_costs.airflow.tasks.__file__,
    "on_path": {dags!r} in sys.path,
}}))
"""


def write_sources(path: Path, *names: str) -> str:
    lines = [f"  - {{name: {name}, format: aws_cur, uri: 's3://bucket/{name}/'}}" for name in names]
    path.write_text("\n".join(["sources:", *lines]))
    return str(path)


@pytest.fixture
def dag(load_dag: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("CLOUD_COSTS_CONFIG", write_sources(tmp_path / "sources.yaml", "cup", "ca"))
    return load_dag()


def downstream(dag: Any, task_id: str) -> set[str]:
    return set(dag.task_dict[task_id].downstream_task_ids)


def test_every_dag_file_loads() -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAGS), collect_dags=True)
    assert bag.import_errors == {}
    assert {Path(dag.fileloc) for dag in bag.dags.values()} == set(DAGS.glob("*.py")) != set()


def test_dag_files_are_thin() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in DAGS.glob("*.py")}
    assert lengths
    assert {name for name, lines in lengths.items() if lines > 160} == set()


def test_tasks_are_those_of_the_contract(dag: Any) -> None:
    month = {f"billing_month.{step}" for step in MONTH}
    assert set(dag.task_ids) == {"list_manifests", "refresh_views", "report"} | month


def test_export_comes_last_and_only_where_a_source_has_one(
    load_dag: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write_sources(tmp_path / "sources.yaml", "cup", "ca")
    Path(path).write_text(Path(path).read_text().replace("cup/'}", "cup/', export: {to: 's3://lake/'}}"))
    monkeypatch.setenv("CLOUD_COSTS_CONFIG", path)
    dag = load_dag()
    assert downstream(dag, "refresh_views") == {"export", "report"}
    assert downstream(dag, "export") == {"report"}
    assert dag.task_dict["export"].op_kwargs_expand_input.value == {"source": ["cup"]}


def test_steps_of_a_month_follow_one_another(dag: Any) -> None:
    month = {f"billing_month.{step}" for step in MONTH}
    assert downstream(dag, "list_manifests") == month
    assert downstream(dag, "billing_month.load_raw") == {"billing_month.normalize"}
    assert downstream(dag, "billing_month.normalize") == {"billing_month.audit"}
    assert downstream(dag, "billing_month.audit") == {"billing_month.publish"}
    assert downstream(dag, "billing_month.publish") == {"refresh_views"}
    assert downstream(dag, "refresh_views") == {"report"}


def test_months_are_one_mapped_task_group(dag: Any) -> None:
    from airflow.sdk.definitions.taskgroup import MappedTaskGroup

    group = dag.task_group.get_child_by_label("billing_month")
    assert isinstance(group, MappedTaskGroup)
    assert set(group.children) == {f"billing_month.{step}" for step in MONTH}
    for step in MONTH:
        assert "source" in dag.task_dict[f"billing_month.{step}"].map_index_template


def test_months_share_a_pool_that_exists_unless_set(
    load_dag: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for value, expected in ((None, "default_pool"), ("", "default_pool"), ("cloud_costs_loads", "cloud_costs_loads")):
        if value is None:
            monkeypatch.delenv("LOAD_POOL", raising=False)
        else:
            monkeypatch.setenv("LOAD_POOL", value)
        dag = load_dag()
        assert {dag.task_dict[f"billing_month.{step}"].pool for step in MONTH} == {expected}
        assert {dag.task_dict[name].pool for name in ("list_manifests", "refresh_views", "report")} == {"default_pool"}


def test_months_that_have_begun_go_first(dag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    # The scheduler computes the weights, from the DAG as it is stored.
    stored = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    tasks = [stored.task_dict[f"billing_month.{step}"] for step in MONTH]
    weights = [task.weight_rule.get_weight(SimpleNamespace(task=task)) for task in tasks]
    assert weights == sorted(set(weights))


def test_schedule_is_daily_unless_set(load_dag: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in ((None, "0 2 * * *"), ("", "0 2 * * *"), ("30 5 * * 1", "30 5 * * 1")):
        if value is None:
            monkeypatch.delenv("SYNC_SCHEDULE", raising=False)
        else:
            monkeypatch.setenv("SYNC_SCHEDULE", value)
        assert load_dag().schedule == expected


def test_one_run_at_a_time_and_no_catch_up(dag: Any) -> None:
    assert dag.max_active_runs == 1
    assert dag.catchup is False


def test_tasks_retry_with_backoff_but_the_report(dag: Any) -> None:
    for task in dag.tasks:
        if task.task_id == "report":
            assert task.retries == 0
        else:
            assert task.retries == 3
            assert task.retry_delay == timedelta(minutes=1)
            assert task.retry_exponential_backoff == 2
            assert task.max_retry_delay == timedelta(minutes=15)


@pytest.mark.parametrize("name", ["ConfigError", "StorageDenied", "DeliveryError", "AuditFailed", "LoadLost"])
def test_what_cannot_pass_is_not_tried_again(dag: Any, name: str) -> None:
    from airflow.sdk import RetryAction

    from cloud_costs import errors

    for task in dag.tasks:
        decision = task.retry_policy.evaluate(getattr(errors, name)("no"), 1, 3)
        assert decision.action is RetryAction.FAIL
        assert task.retry_policy.evaluate(errors.DeliveryNotReady("soon"), 1, 3).action is RetryAction.DEFAULT
        assert task.retry_policy.evaluate(ConnectionError("soon"), 1, 3).action is RetryAction.DEFAULT


def test_trigger_form_has_the_params_of_the_contract(dag: Any) -> None:
    assert dag.params.dump() == {
        "sources": None,
        "from_month": None,
        "to_month": None,
        "force": False,
        "dry_run": False,
        "raw_only": False,
    }
    sources = dag.params.get_param("sources").schema
    # An array with examples is what the form shows as a multi-select.
    assert sources["type"] == ["null", "array"]
    assert sources["examples"] == ["cup", "ca"]
    assert sources["items"] == {"type": "string", "enum": ["cup", "ca"]}
    for name, param in dag.params.items():
        schema = dag.params.get_param(name).schema
        assert schema["title"], (name, param)
        assert dag.params.get_param(name).description


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sources", ["cupp"]),
        ("sources", "cup"),
        ("from_month", "2025-13"),
        ("from_month", "2025-1"),
        ("to_month", "2025-01-01"),
        ("to_month", 202501),
        ("force", "yes"),
        ("dry_run", 1),
        ("raw_only", None),
    ],
)
def test_wrong_param_is_refused_by_name(dag: Any, name: str, value: object) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError, match=name):
        dag.params[name] = value


@pytest.mark.parametrize(
    ("name", "value"), [("sources", ["ca"]), ("sources", []), ("from_month", "2025-12"), ("force", True)]
)
def test_right_param_is_taken(dag: Any, name: str, value: object) -> None:
    dag.params[name] = value
    assert dag.params.validate()[name] == value


@pytest.mark.parametrize("content", ["sources: [", "sources: []", "sources: [{name: cup}]", None])
def test_broken_configuration_leaves_the_dag_there(
    load_dag: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "sources.yaml"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("CLOUD_COSTS_CONFIG", str(path))
    schema = load_dag().params.get_param("sources").schema
    assert schema["examples"] == []
    assert schema["items"] == {"type": "string"}


def test_dag_survives_serialization(dag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    stored = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    assert set(stored.task_ids) == set(dag.task_ids)
    assert stored.doc_md == dag.doc_md
    for task_id in dag.task_ids:
        assert f"`{task_id.split('.')[-1]}`" in dag.doc_md
    assert "`export`" in dag.doc_md


def test_dag_file_hides_no_package_and_parses_fast_and_offline(tmp_path: Path) -> None:
    """The DAG file has the package's name, and Airflow puts the dags folder on sys.path."""
    import json

    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "include"),
        "CLOUD_COSTS_CONFIG": write_sources(tmp_path / "sources.yaml", "cup"),
        "AIRFLOW_CONN_COSTS_DB": "postgresql://nobody@127.0.0.1:1/none",
    }
    result = subprocess.run(
        [sys.executable, "-c", PARSE.format(dags=str(DAGS))],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["on_path"]
    assert found["errors"] == {}
    assert found["dags"] == ["cloud_costs", "cloud_costs_check", "cloud_costs_insights", "cloud_costs_reports"]
    assert found["package"] == str(ROOT / "include" / "cloud_costs" / "__init__.py")
    assert found["tasks"] == str(ROOT / "include" / "cloud_costs" / "airflow" / "tasks.py")
    assert found["connected"] == []
    # Of the processor's time: the clock also counts what else the machine does.
    assert found["seconds"] < 2


@pytest.mark.parametrize("file", ["docker-compose.yaml", "include/cloud_costs/demo/commands.py"])
def test_settings_are_ones_that_airflow_knows(file: str) -> None:
    from airflow.configuration import conf

    text = (ROOT / file).read_text(encoding="utf-8")
    named = {(section.lower(), key.lower()) for section, key in re.findall(r"AIRFLOW__([A-Z_]+?)__([A-Z_]+)", text)}
    # A task's first request finds an API server that has just started; see demo.py.
    assert ("workers", "execution_api_timeout") in named
    known = conf.configuration_description
    unknown = {(section, key) for section, key in named if key not in known.get(section, {}).get("options", {})}
    assert not unknown


def test_three_lines_in_any_folder_are_all_dags(tmp_path: Path) -> None:
    """They are found again by a process that has imported them before, and belong to the file that imports them."""
    from airflow.dag_processing.dagbag import DagBag

    file = tmp_path / "cloud_costs_dags.py"
    file.write_text('"""The DAGs of Cloud Costs, for Airflow."""\n\nfrom cloud_costs.airflow.dags import *\n')
    for _ in range(2):
        bag = DagBag(str(tmp_path), collect_dags=True)
        assert bag.import_errors == {}
        assert set(bag.dags) == {path.stem for path in DAGS.glob("*.py")}
        assert {dag.fileloc for dag in bag.dags.values()} == {str(file)}
