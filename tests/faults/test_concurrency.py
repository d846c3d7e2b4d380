"""Several loads of one month at the same time, in processes of their own."""

from multiprocessing.connection import Connection as Pipe
from typing import Any

import psycopg
import pytest
from fault_month import Month
from processes import STEPS, start, take_step

from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import CloudCostsError

LOADS = 3


def take_all_steps(pipe: Pipe, uri: str, schema: str, source: Source) -> None:
    """Take the month through all steps when told to, and say what stopped it."""
    database = Database(lambda: psycopg.connect(uri), schema, "costs_db")
    pipe.recv()
    load = None
    try:
        for step in STEPS:
            load = take_step(step, database, source, load)
        pipe.send(None)
    except CloudCostsError as error:
        pipe.send(error)


@pytest.fixture(scope="module")
def month(new_module_month: Any) -> Month:
    found: Month = new_module_month(Bill(lines=300, files=2))
    found.deliver()
    found.next_run()
    return found


@pytest.mark.parametrize("attempt", range(2))
def test_loads_of_one_month_at_once(month, attempt):
    """The last that begins is done; the others are, too, or say that they made way."""
    month.deliver()
    loads = [start(take_all_steps, month.uri, month.database.schema, month.source) for _ in range(LOADS)]
    for _, pipe in loads:
        pipe.send("go")
    while any(process.is_alive() and not pipe.poll(0.02) for process, pipe in loads):
        month.assert_whole(3 - month.delivered, month.delivered)
    errors = [pipe.recv() for _, pipe in loads]
    assert None in errors
    told = [type(error).__name__ for error in errors if error]
    assert set(told) <= {"LoadBusy", "LoadLost"}, errors
    month.next_run()
