"""Months of the past, loaded with the very commands of docs/operations.md; the form is in test_browser.py."""

import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from live_airflow import DAG, ROOT, Live
from pipeline import truth_totals

MONTHS = tuple(date(2024, month, 1) for month in (10, 11, 12))

pytestmark = pytest.mark.slow


def documented(program: str) -> str:
    """Return the one command of the section on backfills that begins like this."""
    page = (ROOT / "docs/operations.md").read_text()
    section = page.partition("\n## Backfill\n")[2].partition("\n## ")[0]
    (command,) = re.findall(rf"^\$ ({re.escape(program)} .+)$", section, re.MULTILINE)
    return str(command)


def test_documented_commands_load_a_range_of_months(live: Live, scheduled: str) -> None:
    truths = {month: live.bucket.deliver("cup", month) for month in MONTHS}
    assert live.history("cup", *MONTHS) == []

    before = run_ids(live)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    triggered = live.run("env", f"PATH={programs}", "bash", "-euc", documented("airflow dags trigger"))
    assert triggered.returncode == 0, triggered.stderr
    (run_id,) = run_ids(live) - before
    assert live.wait(run_id) == "success"
    assert set(live.months(run_id)) == {"cup 2024-10", "cup 2024-11", "cup 2024-12"}
    for month, truth in truths.items():
        assert live.totals("cup", month) == truth_totals(truth)

    truths = {month: live.bucket.deliver("cup", month, version=2) for month in MONTHS}
    command = documented(".venv/bin/python -m cloud_costs sync").replace(".venv/bin/python", f"'{sys.executable}'")
    synced = subprocess.run(
        ["bash", "-euc", command],
        env=shell_environment(live),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert synced.returncode == 0, synced.stderr
    assert "3 month(s) published, 0 failed" in synced.stdout
    for month, truth in truths.items():
        assert live.totals("cup", month) == truth_totals(truth)
    assert [status for _, _, status in live.history("cup", *MONTHS)] == ["superseded"] * 3 + ["published"] * 3


def run_ids(live: Live) -> set[str]:
    return {run["dag_run_id"] for run in live.call(f"{DAG}/dagRuns?limit=100")["dag_runs"]}


def shell_environment(live: Live) -> dict[str, str]:
    """Return what a shell without Airflow needs, under the same names as in the documentation."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "include"),
        "CLOUD_COSTS_CONFIG": live.environment["CLOUD_COSTS_CONFIG"],
        "POSTGRES_HOST": str(live.postgres.socket_dir),
        "POSTGRES_PORT": str(live.postgres.port),
        "POSTGRES_DB": "postgres",
        "POSTGRES_USER": f"{live.schema}_loader",
        "POSTGRES_SCHEMA": live.schema,
        "AWS_ACCESS_KEY_ID": live.bucket.s3.key_id,
        "AWS_SECRET_ACCESS_KEY": live.bucket.s3.secret,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": live.bucket.s3.endpoint_url,
    }
