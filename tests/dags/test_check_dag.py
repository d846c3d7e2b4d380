"""The DAG `cloud_costs_check` on a real Airflow: each connection and source is tried, whatever fails with another."""

import json
import re

import pytest


def told(run, words):
    """Return the lines of the tasks' logs that hold the words."""
    lines = re.findall(r"^\[cloud_costs\.airflow\.tasks\] (.+)", run.log, re.MULTILINE)
    return [line for line in lines if words in line]


def test_check_has_no_schedule_and_runs_when_it_is_triggered(load_dag):
    dag = load_dag("cloud_costs_check")
    assert dag.schedule is None
    assert dag.is_paused_upon_creation is False
    assert set(dag.task_ids) == {"check_database", "list_sources", "check_source", "check_alerts"}
    assert {task.retries for task in dag.tasks} == {0}
    assert dag.params.dump() == {"send_test_alert": False}


def test_everything_that_is_right_is_told(run_dag, bucket_on_s3, database, query, monkeypatch):
    monkeypatch.setenv("ALERT_EMAIL_TO", "finops@example.com")
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps({"conn_type": "smtp", "host": "127.0.0.1"}))
    for source in ("cup", "ca"):
        bucket_on_s3.deliver(source)
    run = run_dag(dag_id="cloud_costs_check")
    assert run.state == "success"
    assert [run.labels[f"check_source_{index}"] for index in range(2)] == ["cup", "ca"]
    assert told(run, "costs_db: PostgreSQL 18.")
    assert told(run, f"schema {database.schema}: up to date")
    for source in ("cup", "ca"):
        [line] = told(run, f"{source}: 1 month(s), 2025-01 to 2025-01; ")
        assert line.endswith(": ok")
    assert told(run, "alerts go to finops@example.com (connection 'smtp_default')")
    assert query("select count(*) from load_history") == [(0,)]


def test_each_thing_that_is_wrong_fails_its_own_task(run_dag, configure, bucket_on_s3, monkeypatch):
    wrong = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "x", "password": "y", "schema": "z"}
    monkeypatch.setenv("AIRFLOW_CONN_COSTS_DB", json.dumps(wrong))
    monkeypatch.setenv("ALERT_SLACK_CONN_ID", "costs_slack")
    gone = {"name": "gone", "format": "aws_cur", "uri": "s3://no-such-bucket-here/cur/"}
    typo = {"name": "typo", "format": "aws_cur", "uri": "s3://no-such-bucket-here/x/", "conn_id": "aws_defualt"}
    configure(["cup"], more=[gone, typo])
    bucket_on_s3.deliver("cup")
    run = run_dag(dag_id="cloud_costs_check", send_test_alert=True)
    assert run.state == "failed"
    assert {name: run.tasks[name] for name in run.tasks if name.startswith("check")} == {
        "check_database": "failed",
        "check_source_0": "success",
        "check_source_1": "failed",
        "check_source_2": "failed",
        "check_alerts": "failed",
    }
    assert told(run, "; see that host and port of the connection are right, and that the server runs")
    assert told(run, "gone: s3://no-such-bucket-here/cur/: the bucket does not exist")
    assert told(run, "typo: the Airflow connection 'aws_defualt' is not defined; add a connection of type AWS")
    assert told(run, "no alert could be sent to Slack (connection 'costs_slack'): the Airflow connection 'costs_")
    assert told(run, "is not defined; add a connection of type Slack Incoming Webhook with this id")


@pytest.mark.parametrize("send", [False, True])
def test_broken_configuration_is_told_and_the_database_checked(run_dag, tmp_path, send):
    (tmp_path / "sources.yaml").write_text("sources: [{name: cup}]")
    run = run_dag(dag_id="cloud_costs_check", send_test_alert=send)
    assert run.state == "failed"
    assert run.tasks["list_sources"] == "failed"
    assert run.tasks["check_database"] == "success"
    # A test alert that goes nowhere is a failure; no alerts are not.
    assert run.tasks["check_alerts"] == ("failed" if send else "success")
    assert "sources[0].format: this key is missing" in run.log
