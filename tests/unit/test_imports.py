"""What a task's process imports before it does anything: the DAG file, and the hooks that it needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

INCLUDE = Path(__file__).parents[2] / "include"
STEPS = ("plan", "load", "normalize", "audit", "publish", "sync", "diagnosis")


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("airflow.tasks", {"airflow", "boto3", "botocore", "duckdb", "numpy", "pandas", "pyarrow"}),
        (
            "airflow.connections",
            {"airflow.providers.amazon.aws.hooks.s3", "boto3", "duckdb", "numpy", "pandas", "pyarrow"},
        ),
        # A step imports one of these when it runs; what DuckDB is asked, it is asked in load_raw alone.
        *((f"publishing.{step}", {"airflow", "boto3", "duckdb", "fsspec", "pandas"}) for step in STEPS),
        ("charges.views", {"airflow", "boto3", "duckdb", "fsspec", "numpy", "pandas", "pyarrow"}),
        # Only the task that makes a report draws and writes one.
        ("airflow.reports", {"airflow", "fpdf", "jinja2", "matplotlib", "numpy", "pandas"}),
        ("insights.reports.archive", {"airflow", "fpdf", "jinja2", "matplotlib"}),
        ("cli", {"airflow", "boto3", "duckdb", "fsspec", "pandas"}),
        ("loading.query", {"airflow", "boto3", "duckdb", "fsspec", "pandas"}),
    ],
)
def test_steps_that_see_no_bucket_import_nothing_for_it(module, unneeded):
    program = f"import sys, cloud_costs.{module}; print(*sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(INCLUDE)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    loaded = set(shown.split())
    assert f"cloud_costs.{module}" in loaded
    assert not unneeded & loaded
