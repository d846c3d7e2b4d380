"""The one Airflow of the end-to-end tests, with the LocalExecutor, and the run that its schedule starts."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from billing_bucket import Bucket
from live_airflow import DAG, SECONDS, Live, live_airflow
from pipeline import JANUARY

from cloud_costs.months import next_month


@pytest.fixture(scope="package")
def live(postgres: Any, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Airflow with the sources `cup` and `ca`; `cup` has January and February, `ca` has January."""
    folder = tmp_path_factory.mktemp("live Airflow")
    bucket = Bucket(s3, s3.new_bucket(), folder)
    for source, month in (("cup", JANUARY), ("cup", next_month(JANUARY)), ("ca", JANUARY)):
        bucket.deliver(source, month)
    with live_airflow("live", postgres, bucket, folder, ("cup", "ca"), {}) as found:
        yield found


@pytest.fixture(scope="package")
def scheduled(live: Live) -> str:
    """The run that the schedule starts; its id when it has ended."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        known = live.call("/api/v2/dags")["dags"]
        runs = live.call(f"{DAG}/dagRuns?run_type=scheduled")["dag_runs"] if known else []
        if runs:
            live.wait(runs[0]["dag_run_id"])
            return str(runs[0]["dag_run_id"])
        time.sleep(0.5)
    raise AssertionError(f"no run was scheduled: {known}")
