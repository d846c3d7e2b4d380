"""Readers see the old month or the new one: never none, never both, never half, and never an error."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyarrow as pa
from pipeline import JANUARY, crafted_source, line, load_month, write_delivery
from roles import reading

from cloud_costs.charges.views import refresh_views
from cloud_costs.demo.sample_bill import Bill

RELOADS = 50
# Between two questions of a reader. Each takes several milliseconds.
PAUSE = 0.005

COSTS = "select count(*), sum(cost), sum(effective_cost), sum(line_items) from costs"
JOINED = """
    with daily as (select sum(cost) as cost, sum(line_items) as lines from costs),
    charges as (select sum(billedcost) as cost, sum(x_lineitems) as lines from focus_costs)
    select daily.cost, charges.cost, daily.lines, charges.lines from charges cross join daily
"""


class Reader:
    """Asks the same question again and again over a connection of its own, and notes each different answer."""

    def __init__(self, database, question, pause=0.0):
        self.database, self.question, self.pause = database, question, pause
        self.answers, self.asked, self.stop = set(), 0, threading.Event()

    def run(self):
        with self.database.session() as connection:
            connection.execute(f'set search_path to "{self.database.schema}"')
            while not self.stop.is_set():
                self.answers.add(connection.execute(self.question).fetchone())
                self.asked += 1
                self.stop.wait(self.pause)


def test_fifty_reloads_under_readers(database, postgres, cup):
    cup.bill = replace(Bill(), lines=60, files=1)
    truths = {}
    answers = {COSTS: set(), JOINED: set()}
    for version in (2, 1):
        truths[version] = cup.deliver(version=version)
        load_month(database, cup.source, JANUARY)
        for question in answers:
            with database.session() as connection:
                connection.execute(f'set search_path to "{database.schema}"')
                answers[question].add(connection.execute(question).fetchone())
    lines = {version: sum(row.lines for row in truth.rows) for version, truth in truths.items()}
    assert {(row[1], row[2], row[3]) for row in answers[COSTS]} == {
        (truth.billed_cost, truth.effective_cost, lines[version]) for version, truth in truths.items()
    }
    assert answers[JOINED] == {
        (truth.billed_cost, truth.billed_cost, lines[version], lines[version]) for version, truth in truths.items()
    }
    readers = [Reader(reading(postgres, database), question, PAUSE) for question in (COSTS, JOINED)]
    with ThreadPoolExecutor(len(readers)) as pool:
        running = [pool.submit(reader.run) for reader in readers]
        try:
            for number in range(RELOADS):
                cup.deliver(version=2 - number % 2)
                load_month(database, cup.source, JANUARY)
        finally:
            for reader in readers:
                reader.stop.set()
        for reader in running:
            reader.result()
    for reader in readers:
        assert reader.answers == answers[reader.question]
        assert reader.asked > RELOADS


def test_readers_get_no_error_while_columns_are_widened_and_views_change(database, postgres, bucket):
    """Widening drops the views and makes them again; new tags change them."""
    source = crafted_source(bucket)
    write_delivery(bucket, [line(flag=True)])
    load_month(database, source, JANUARY)
    both = "select count(*) from costs cross join focus_costs"
    turned = "select count(*) from focus_costs cross join costs"
    readers = [Reader(reading(postgres, database), question, pause=0.02) for question in (both, turned, COSTS)]
    with ThreadPoolExecutor(len(readers)) as pool:
        running = [pool.submit(reader.run) for reader in readers]
        try:
            for number in range(2):
                table = pa.Table.from_pylist([line()])
                for kind, name in ((pa.int16(), "a"), (pa.int32(), "b"), (pa.int64(), "c")):
                    table = table.append_column(f"n{number}", pa.array([1], kind)).append_column(
                        f"resource_tags_user_{name}{number}", pa.array(["x"])
                    )
                    write_delivery(bucket, table)
                    load_month(database, source, JANUARY)
                    refresh_views(database)
                    table = table.drop_columns([f"n{number}"])
        finally:
            for reader in readers:
                reader.stop.set()
        for reader in running:
            reader.result()
    assert readers[0].answers == readers[1].answers == {(1,)}
    assert len(readers[2].answers) == 1
