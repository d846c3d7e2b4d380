"""What a trigger or a manifest says never becomes SQL, a path, a template or a command of a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile import HOSTILE, NAMES

TEMPLATE = "{{ conn.costs_db.password }}{{ 7 * 7 }}"


@pytest.mark.parametrize("text", HOSTILE, ids=NAMES)
def test_param_that_tries_something_is_refused_before_a_run(
    load_dag: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    path = tmp_path / "sources.yaml"
    path.write_text("sources: [{name: cup, format: aws_cur, uri: 's3://bucket/cup/'}]")
    monkeypatch.setenv("CLOUD_COSTS_CONFIG", str(path))
    dag = load_dag()
    for name, value in (
        ("sources", [text]),
        ("sources", text),
        ("from_month", text),
        ("from_month", f"2025-01{text}"),
        ("to_month", f"{text}2025-01"),
        ("to_month", f"2025-01\n{text}"),
        ("force", text),
        ("dry_run", text),
        ("raw_only", text),
    ):
        with pytest.raises(ParamValidationError, match=name):
            dag.params[name] = value


def test_template_in_a_manifest_is_text(run_dag, configure, bucket_on_s3, postgres, database, query, monkeypatch):
    """A version travels through XCom into mapped tasks, whose arguments Airflow renders."""
    connection = {
        "conn_type": "postgres",
        "host": str(postgres.socket_dir),
        "port": postgres.port,
        "login": f"{database.schema}_loader",
        "password": "no-template-may-show-this",
        "schema": "postgres",
    }
    monkeypatch.setenv("AIRFLOW_CONN_COSTS_DB", json.dumps(connection))
    bucket_on_s3.deliver("cup")
    client = bucket_on_s3.s3.client()
    listed = client.list_objects_v2(Bucket=bucket_on_s3.name)["Contents"]
    for key in [found["Key"] for found in listed if found["Key"].endswith("-Manifest.json")]:
        manifest = json.loads(client.get_object(Bucket=bucket_on_s3.name, Key=key)["Body"].read())
        client.put_object(
            Bucket=bucket_on_s3.name, Key=key, Body=json.dumps({**manifest, "assemblyId": TEMPLATE}).encode()
        )
    run = run_dag(sources=["cup"])
    assert run.state == "success"
    assert query("select version from published_months") == [(TEMPLATE,)]
    [event] = run.asset_events()
    assert event["months"][0]["version"] == TEMPLATE
    assert "no-template-may-show-this" not in run.log + json.dumps(run.xcoms())
    assert run.labels["publish_0"] == "cup 2025-01"
