"""What a task's process imports before it does anything: the DAG file, and the hooks that it needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

INCLUDE = Path(__file__).parents[2] / "include"


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("airflow.tasks", {"airflow", "boto3", "botocore", "duckdb", "numpy", "pandas", "pyarrow"}),
        (
            "airflow.connections",
            {"airflow.providers.amazon.aws.hooks.s3", "boto3", "duckdb", "numpy", "pandas", "pyarrow"},
        ),
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
