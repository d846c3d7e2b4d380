"""SIGKILL while a report is made and sent: it is there once, and each channel gets it, whenever that happens."""

from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from deliveries import write_month
from fault_month import Month
from pipeline import JANUARY, load_month
from processes import Moments, make_and_send, start, stop_in_a_report

from cloud_costs.database.postgres import Database
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.insights.reports import periods

BILL = Bill(lines=100, files=1)
PERIOD = periods.daily(date(2025, 1, 20))
# The last moments, one by one, are those in which messages are sent. The others are spread from the first one on.
LAST, OTHERS = 7, 4


@pytest.fixture(scope="module")
def month(new_module_month: Any) -> Month:
    found: Month = new_module_month(BILL)
    write_month(BILL, JANUARY, found.bucket)
    load_month(found.database, found.source, JANUARY)
    return found


@pytest.fixture(scope="module")
def moments(month: Month, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many moments a report has that nothing disturbs."""
    counted = Moments()
    make_and_send(counted.database(month.uri, month.database.schema), PERIOD, tmp_path_factory.mktemp("in"), counted)
    return counted.seen


def sent(inbox: Path) -> dict[str, int]:
    """Return how often each message came, by its Message-ID."""
    lines = (inbox / "messages").read_text().splitlines() if (inbox / "messages").exists() else []
    return {line: lines.count(line) for line in lines}


@pytest.mark.parametrize("nth", range(LAST + OTHERS))
def test_killed_while_a_report_is_made_and_sent(month: Month, moments: int, tmp_path: Path, nth: int) -> None:
    database: Database = month.database
    with psycopg.connect(month.uri, options=f"-c search_path={database.schema}") as connection:
        connection.execute("delete from reports")
    at = moments - nth if nth < LAST else 1 + (nth - LAST) * (moments - LAST) // OTHERS
    process, pipe = start(stop_in_a_report, month.uri, database.schema, PERIOD, tmp_path, at)
    assert pipe.recv() == "there"
    process.kill()
    process.join()
    assert process.exitcode == -9
    before = sent(tmp_path)
    # Airflow tries again, and a person clears the tasks after that.
    for _ in range(2):
        make_and_send(database, PERIOD, tmp_path, Moments())
    with psycopg.connect(month.uri, options=f"-c search_path={database.schema}") as connection:
        reports = connection.execute("select count(*), bool_and(sent_at is not null) from reports").fetchone()
        notices = connection.execute("select notice_id::text from notices where sent_at is not null").fetchall()
    assert reports == (1, True)
    found = sent(tmp_path)
    assert sorted(found) == sorted(notice for (notice,) in notices)
    assert len(found) == 2
    # A message comes again, with its Message-ID, only where its channel had it and nobody could write that down.
    again = [name for name, times in found.items() if times > 1]
    assert len(again) <= 1
    assert set(again) <= set(before)
    assert all(times <= 2 for times in found.values())
