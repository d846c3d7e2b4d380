"""SIGKILL at moments all through each task of `cloud_costs_insights`; then Airflow's retry of it, or the next run.

Afterwards everything is as if nothing had happened, and nobody was told anything twice.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from conftest import in_schema
from fault_month import attempts
from insights_bill import MONTHS, WEB, Bill
from insights_tasks import TASKS, stop_in_a_task, take_task
from processes import Moments, start

from cloud_costs.demo.embedded_postgres import Server

TABLES = ("anomaly_actions", "anomalies", "day_totals", "forecasts", "budgets", "budget_status", "notices")
# Everything that the tasks leave, without times, and without the numbers of events, which a rollback leaves out.
STATE = (
    "select to_jsonb(anomalies) - '{anomaly_id,found_at,told_at}'::text[], told_at is null from anomalies",
    "select to_jsonb(forecasts) - 'made_at' from forecasts",
    "select to_jsonb(budget_status) - '{checked_at,thresholds}'::text[] from budget_status",
    "select budget, threshold.key, threshold.value ->> 'told' is null, threshold.value ->> 'back' is null "
    "from budget_status cross join jsonb_each(thresholds) as threshold",
    "select slack, email, subject, lines, sent_at is null from notices",
    "select date, currency, effective_cost from day_totals",
)


@dataclass
class Told:
    """Published months with an event and budgets that are exceeded, and the messages that the channels took."""

    bill: Bill
    uri: str
    sent: Path
    moments: dict[str, int] = field(default_factory=dict)
    right: list[list[str]] = field(default_factory=list)

    def begin(self, task: str) -> None:
        """Forget everything, and take the tasks before this one."""
        with self.bill.database.session() as connection:
            names = ", ".join(f'"{self.bill.database.schema}".{name}' for name in TABLES)
            connection.execute(f"truncate {names} restart identity")
        self.sent.write_text("")
        self.take(TASKS[: TASKS.index(task)])

    def take(self, tasks: tuple[str, ...] = TASKS) -> None:
        for task in tasks:
            take_task(task, self.bill.database, self.sent)

    def kill(self, task: str, moment: int, waits: bool = True) -> None:
        """Take the task in a process that is killed at the moment; 0 is when the channel took a message."""
        arguments = (self.uri, self.bill.database.schema, task, self.sent, moment, waits)
        process, pipe = start(stop_in_a_task, *arguments)
        assert pipe.recv() == "there"
        process.kill()
        process.join()
        assert process.exitcode == -9

    def state(self) -> list[list[str]]:
        query = in_schema(self.bill.database)
        return [sorted(re.sub(r"#\d+", "#", str(row)) for row in query(statement)) for statement in STATE]

    def messages(self) -> list[int]:
        """Return the numbers of the messages that the channels took, in their order."""
        return [int(line) for line in self.sent.read_text().split()]


@pytest.fixture(scope="module")
def told(schemas: Any, postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("told")
    with schemas.borrowed() as database:
        bill = Bill(folder, database)
        bill.plant(WEB, "AmazonEC2", date(2025, 5, 12), date(2025, 5, 19), 80)
        for month in MONTHS[2:]:
            bill.load(month, until=date(2025, 5, 20))
        told = Told(bill, postgres.uri(), folder / "sent")
        told.begin(TASKS[0])
        for task in TASKS:
            moments = Moments()
            take_task(task, moments.database(told.uri, database.schema), told.sent)
            told.moments[task] = moments.seen
        told.right = told.state()
        assert told.messages() == [1, 2]
        assert all(told.right)
        yield told


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("attempt", attempts(4))
def test_killed_in_a_task(told: Told, task: str, attempt: int) -> None:
    told.begin(task)
    told.kill(task, 1 + attempt * (told.moments[task] - 1) // 3, waits=attempt % 4 < 2)
    told.take(TASKS[TASKS.index(task) :] if attempt % 2 else TASKS)
    assert told.state() == told.right
    # Killed after its message was taken and before that was recorded, a task sends the message again.
    messages = told.messages()
    assert set(messages) == {1, 2}
    assert len(messages) == 2 or (task == "tell" and len(messages) == 3)
    told.take()
    assert told.messages() == messages


@pytest.mark.parametrize("then", [TASKS[-1:], TASKS], ids=["retry", "next run"])
def test_killed_before_a_message_is_recorded(told: Told, then: tuple[str, ...]) -> None:
    """The channel took it, and the task does not know. It is sent again under its number, which e-mails show."""
    told.begin("tell")
    told.kill("tell", 0)
    told.take(then)
    assert told.state() == told.right
    assert told.messages() == [1, 1, 2]
    told.take()
    assert told.messages() == [1, 1, 2]
