"""Many workers: the Celery executor with Redis, and two workers, one of which is killed in the middle of COPY."""

import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from datetime import date
from itertools import accumulate
from typing import Any

import psutil
import psycopg
import pytest
from billing_bucket import CUP, Bucket
from live_airflow import DAG, ROOT, SECONDS, Live, label, live_airflow
from pipeline import truth_totals
from side_by_side import free_port

from cloud_costs.demo.local_airflow import PROGRAM
from cloud_costs.demo.sample_bill import Truth

MONTHS = tuple(date(2024, month, 1) for month in range(1, 9))
# So many lines that their COPY takes a second.
BIG = date(2024, 5, 1)
POOL, SLOTS = "cloud_costs_loads", 3
# What Airflow waits before it gives up on a task whose worker is silent; five minutes by default.
SETTINGS = {
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CORE__PARALLELISM": "8",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "LOAD_POOL": POOL,
}
COPY_OF_BIG = f"""
    select pid from pg_stat_progress_copy
    where relid::regclass::text like '%%raw_cup_{BIG:%Y%m}_%%' and tuples_processed > 0
"""
STEPS = """
    with tries as (
        select task_id, start_date, end_date from task_instance where start_date is not null
        union all
        select task_id, start_date, end_date from task_instance_history where start_date is not null
    )
    select start_date, end_date from tries where task_id like 'billing_month.%'
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of the tests' own; its URL."""
    program = shutil.which("redis-server")
    if not program:
        pytest.skip("redis-server is not installed; on Debian: apt-get install redis-server")
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    options = {"--bind": "127.0.0.1", "--port": str(port), "--dir": str(folder), "--save": ""}
    arguments = [word for option in options.items() for word in option]
    with (folder / "redis.log").open("wb") as output:
        process = subprocess.Popen([program, *arguments], stdout=output, stderr=output, start_new_session=True)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def delivered(s3: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bucket, Mapping[date, Truth]]:
    """A bucket with eight months of one export, one of them much bigger, and their truths."""
    bucket = Bucket(
        s3, s3.new_bucket(), tmp_path_factory.mktemp("bucket"), {"cup": CUP, "big": replace(CUP, lines=60_000)}
    )
    return bucket, {month: bucket.deliver("big" if month == BIG else "cup", month) for month in MONTHS}


@pytest.fixture(scope="module")
def live(
    broker: str,
    delivered: tuple[Bucket, Mapping[date, Truth]],
    postgres: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Live]:
    """An Airflow with the Celery executor, and no worker yet."""
    folder = tmp_path_factory.mktemp("celery Airflow")
    settings = {**SETTINGS, "AIRFLOW__CELERY__BROKER_URL": broker}
    with live_airflow("celery", postgres, delivered[0], folder, ["cup"], settings) as found:
        yield found


def test_killed_worker_loses_no_month_and_doubles_none(
    live: Live, delivered: tuple[Bucket, Mapping[date, Truth]]
) -> None:
    with ExitStack() as stack:
        workers = [stack.enter_context(celery_worker(live, name)) for name in ("one", "two")]
        run_id = scheduled_run(live)
        missing_pool_holds_the_months_and_is_said(live, run_id)
        # The months begin as soon as there is the pool, and on a busy machine the command ends long after that.
        with ThreadPoolExecutor(1) as beside:
            made = beside.submit(make_pool, live)
            killed = kill_in_the_middle_of_copy(live, workers)
            made.result()
        assert live.wait(run_id, seconds=2 * SECONDS) == "success", live.errors()
        assert sorted(worker.poll() is None for worker in workers) == [False, True]

    history = live.history("cup", *MONTHS)
    assert Counter(month for month, _, status in history if status == "published") == {
        f"{month:%Y-%m}": 1 for month in MONTHS
    }
    assert {status for _, _, status in history} == {"published", "failed"}
    for month, truth in delivered[1].items():
        assert live.totals("cup", month) == truth_totals(truth), month
    assert live.query("select sum(cost) from costs") == [(sum(truth.billed_cost for truth in delivered[1].values()),)]

    ((month, error),) = live.query(
        "select to_char(billing_period, 'YYYY-MM'), error from load_history where load_id = %s and status = 'failed'",
        killed,
    )
    assert month == f"{BIG:%Y-%m}"
    assert re.match("killed: |abandoned: ", error)
    assert live.query("select count(*) from pg_tables where schemaname = %s", f"{live.schema}_staging") == [(0,)]
    # The worker had two tasks, and all others were done at the first try.
    tries = Counter(tries for _, tries in live.tasks(run_id).values())
    assert set(tries) <= {1, 2}
    assert 1 <= tries[2] <= 2
    assert most_at_once(live) == SLOTS


@contextmanager
def celery_worker(live: Live, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Celery worker in a session of its own; nothing of it is left afterwards."""
    command = [PROGRAM, "celery", "worker", "--skip-serve-logs", "--celery-hostname", f"{name}@%h"]
    with (live.folder / "logs" / f"worker-{name}.log").open("wb") as output:
        process = subprocess.Popen(
            [*command, "--pid", str(live.folder / f"worker-{name}.pid")],
            env=dict(live.environment),
            cwd=live.folder,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        kill(process)


def tree(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return a worker's processes: Celery's own, and those of the tasks that it runs."""
    with suppress(psutil.NoSuchProcess):
        leader = psutil.Process(process.pid)
        return [leader, *leader.children(recursive=True)]
    return []


def kill(process: subprocess.Popen[bytes]) -> None:
    """Stop all of a worker before any of it ends, so that no part of it sees another one die."""
    send(tree(process), signal.SIGSTOP)
    send(tree(process), signal.SIGKILL)
    process.wait()


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def scheduled_run(live: Live) -> str:
    """Return the id of the run that the schedule starts, when its months are known."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        known = live.call("/api/v2/dags")["dags"]
        runs = live.call(f"{DAG}/dagRuns")["dag_runs"] if known else []
        if runs and live.tasks(runs[0]["dag_run_id"]).get(("load_raw", len(MONTHS) - 1)):
            return str(runs[0]["dag_run_id"])
        time.sleep(0.5)
    raise AssertionError("the scheduled run has no months")


def missing_pool_holds_the_months_and_is_said(live: Live, run_id: str) -> None:
    waiting = f"{DAG}/dagRuns/{run_id}/taskInstances/billing_month.load_raw/0/dependencies"
    reasons = [found["reason"] for found in live.call(waiting)["dependencies"]]
    assert f"Tasks using non-existent pool '{POOL}' will not be scheduled" in reasons
    assert {state for (task, _), (state, _) in live.tasks(run_id).items() if task == "load_raw"} <= {None, "scheduled"}


def make_pool(live: Live) -> None:
    """Make the pool of the loads with the command of docker/init.sh."""
    (command,) = re.findall(r"^airflow (pools set .+)$", (ROOT / "docker/init.sh").read_text(), re.MULTILINE)
    made = live.run("env", f"LOAD_SLOTS={SLOTS}", "bash", "-euc", f'"$0" {command}', str(PROGRAM))
    assert made.returncode == 0, made.stderr


def kill_in_the_middle_of_copy(live: Live, workers: list[subprocess.Popen[bytes]]) -> int:
    """Kill the worker that copies the big month, while PostgreSQL counts its rows, and return its load."""
    deadline = time.monotonic() + SECONDS
    with closing(psycopg.connect(live.postgres.uri(), autocommit=True)) as connection:
        while time.monotonic() < deadline:
            if not connection.execute(COPY_OF_BIG).fetchall():
                time.sleep(0.005)
                continue
            stopped = [process for worker in workers for process in tree(worker)]
            send(stopped, signal.SIGSTOP)
            assert connection.execute(COPY_OF_BIG).fetchall(), "the COPY was over before its worker could be stopped"
            ((load_id, run_id, map_index),) = live.query(
                "select load_id, dag_run_id, map_index from load_history where billing_period = %s", BIG
            )
            task = f"{DAG}/dagRuns/{run_id}/taskInstances/billing_month.load_raw/{map_index}"
            pid = live.call(task)["pid"]
            (victim,) = [worker for worker in workers if pid in {process.pid for process in tree(worker)}]
            kill(victim)
            send(stopped, signal.SIGCONT)
            return int(load_id)
    raise AssertionError(f"nobody copied {label('cup', BIG)}")


def most_at_once(live: Live) -> int:
    """Return how many steps of months ran at the same time, at most."""
    with psycopg.connect(live.postgres.uri("celery")) as connection:
        steps = connection.execute(STEPS).fetchall()
    events = sorted([(began, 1) for began, _ in steps] + [(ended, -1) for _, ended in steps])
    return max(accumulate(change for _, change in events))
