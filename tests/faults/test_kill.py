"""SIGKILL at moments all through a load, and between its steps; then the next run, or Airflow's retry of the step.

A moment is a statement, a batch of rows or a commit, just before it is sent. The loader waits there to be killed, or
goes on while it is killed.
"""

from itertools import cycle
from typing import Any

import pytest
from fault_month import Month, attempts, count_moments, go_on
from processes import STEPS, start, stop_at_a_moment

from cloud_costs.demo.sample_bill import Bill
from cloud_costs.publishing.history import Load

BILLS = {
    # Several batches of each file, copied by two streams.
    "parquet": Bill(lines=4500, files=2),
    "csv": Bill(lines=3000, files=2, file_type="csv"),
    "small": Bill(lines=60, files=2),
}


@pytest.fixture(scope="module")
def months(new_module_month: Any) -> dict[str, Month]:
    """A published month of each bill."""
    found = {name: new_module_month(bill) for name, bill in BILLS.items()}
    for month in found.values():
        count_moments(month)
    return found


def kill(month: Month, step: str, load: Load | None, moment: int, waits: bool = True) -> None:
    """Take the step in a process that is killed at the moment; 0 is after the step."""
    arguments = (month.uri, month.database.schema, month.source, step, load, moment, waits)
    process, pipe = start(stop_at_a_moment, *arguments)
    assert pipe.recv() == ("there" if moment else "done")
    process.kill()
    process.join()
    assert process.exitcode == -9


def kill_in(month: Month, step: str, attempt: int, tries: int) -> None:
    moment = month.moment(step, attempt, tries)
    month.deliver()
    old, at = month.published(), STEPS.index(step)
    load = go_on(month, STEPS[:at])
    kill(month, step, load, moment, waits=attempt % 4 < 2)
    month.assert_whole(old, month.delivered)
    if attempt % 2:
        go_on(month, STEPS[at:], load)
    month.next_run()


@pytest.mark.parametrize("bill", ["parquet", "csv"])
@pytest.mark.parametrize("attempt", attempts(4))
def test_killed_in_load_raw(months, bill, attempt):
    kill_in(months[bill], "load_raw", attempt, 4)


@pytest.mark.parametrize("attempt", attempts(4))
def test_killed_in_normalize(months, attempt):
    kill_in(months["small"], "normalize", attempt, 4)


@pytest.mark.parametrize("attempt", attempts(3))
def test_killed_in_audit(months, attempt):
    kill_in(months["small"], "audit", attempt, 3)


@pytest.mark.parametrize("attempt", attempts(10))
def test_killed_in_publish(months, attempt):
    """The last moments: the new partitions are attached and locked, and the commit is not sent; then, while it is."""
    kill_in(months["small"], "publish", attempt, 10)


@pytest.mark.parametrize("attempt", attempts(2))
def test_killed_in_refresh_views(months, attempt):
    kill_in(months["small"], "refresh_views", attempt, 2)


@pytest.mark.parametrize(("step", "then"), list(zip(STEPS, cycle(["retry", "next run"]), strict=False)))
def test_killed_after(months, step, then):
    """The step was done, and Airflow has not heard of it: it goes on with a new run, or takes the step again."""
    month = months["small"]
    month.deliver()
    old, at = month.published(), STEPS.index(step)
    load = go_on(month, STEPS[:at])
    kill(month, step, load, 0)
    month.assert_whole(month.delivered if step in ("publish", "refresh_views") else old)
    if then == "retry":
        go_on(month, STEPS[at:], load)
    month.next_run()


@pytest.mark.parametrize("attempt", range(3))
def test_killed_in_the_first_publish_of_a_source(new_month, attempt):
    month = new_month(BILLS["small"])
    month.deliver()
    load = go_on(month, STEPS[:3])
    kill(month, "publish", load, 4 + 10 * attempt, waits=attempt % 4 < 2)
    month.assert_whole(0, 1)
    month.next_run()
