"""The tasks of the DAG `cloud_costs_insights`, for a process that a test kills, and a channel that keeps a list."""

import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from processes import Moments

from cloud_costs.config.anomalies import ChangeLimits
from cloud_costs.config.budgets import Budget, Filters
from cloud_costs.database.postgres import Database
from cloud_costs.insights import telling
from cloud_costs.insights.anomalies import detect_anomalies
from cloud_costs.insights.budgets import check_budgets
from cloud_costs.insights.forecasts import forecast

TASKS = ("detect_anomalies", "forecast", "check_budgets", "tell")
BUDGETS = (
    Budget(name="all", amount=6500, currency="USD"),
    Budget(name="web", amount=2400, currency="USD", filters=Filters(tag={"user:team": ["web"]})),
)
CHANNELS = (telling.Channel(email="finops@example.com"), telling.Channel(slack="web_slack"))


def take_task(task: str, database: Database, sent: Path, then: Callable[[], None] = lambda: None) -> None:
    """Take a task as the DAG does. Messages are lines of the file `sent`; `then` is called when it took one."""

    def send(notice: telling.Notice) -> None:
        with sent.open("a") as file:
            file.write(f"{notice.notice_id}\n")
            file.flush()
            os.fsync(file.fileno())
        then()

    if task == "tell":
        telling.write_notices(database, BUDGETS, CHANNELS)
        telling.send_notices(database, send)
    else:
        work = {
            "detect_anomalies": lambda: detect_anomalies(database, ChangeLimits()),
            "forecast": lambda: forecast(database),
            "check_budgets": lambda: check_budgets(database, BUDGETS),
        }
        work[task]()


def stop_in_a_task(pipe: Pipe, uri: str, schema: str, task: str, sent: Path, at: int, waits: bool) -> None:
    """Take a task, and send `there` when its moment `at` has come, or with 0 when the channel took a message.

    Then wait there for ever, or go on.
    """

    def happen() -> None:
        pipe.send("there")
        if waits:
            threading.Event().wait()

    moments = Moments(at, happen)
    take_task(task, moments.database(uri, schema), sent, lambda: None if at else happen())
    pipe.send("done")
    threading.Event().wait()
