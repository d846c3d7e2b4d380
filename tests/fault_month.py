"""A month with a published delivery and a newer one, which a test loads while something goes wrong."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from deliveries import write_month
from pipeline import JANUARY, cost_totals, staged_tables, truth_totals
from processes import STEPS, Moments, take_step

from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.demo.sample_bill import Truth
from cloud_costs.errors import CloudCostsError, TransientError
from cloud_costs.months import MonthRange
from cloud_costs.publishing.history import Load
from cloud_costs.publishing.plan import list_manifests
from cloud_costs.publishing.sync import load_months
from cloud_costs.storage.files import Storage
from cloud_costs.storage.local import LocalStorage

PATIENCE = 60.0


@dataclass
class Month:
    """January of one source; versions 1 and 2 of its bill take turns, as `write` delivers them."""

    database: Database
    uri: str
    bill: Any
    bucket: Path
    source: Source
    write: Callable[..., Truth] = write_month
    truths: dict[int, Truth] = field(default_factory=dict)
    delivered: int = 0
    # How many moments each step of each version has, and the load that each step got.
    counts: dict[tuple[int, str], int] = field(default_factory=dict)
    loads: dict[str, Load | None] = field(default_factory=dict)
    storage: Storage = field(default_factory=LocalStorage)
    # Copies the files of `bucket` to where the source reads them.
    upload: Callable[[], None] = lambda: None

    def deliver(self) -> None:
        """Deliver the version that is not published."""
        self.delivered = 2 if self.delivered == 1 else 1
        self.write_again()

    def write_again(self) -> None:
        """Deliver the same version once more, whole."""
        self.truths[self.delivered] = self.write(self.bill, JANUARY, self.bucket, version=self.delivered)
        self.upload()

    def moment(self, step: str, attempt: int, tries: int) -> int:
        """Return one of `tries` moments of a step that are spread evenly from its first to its last."""
        return 1 + attempt * (self.counts[3 - self.delivered, step] - 1) // (tries - 1)

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a statement in the month's schema."""
        with self.database.session() as connection:
            connection.execute(f'set search_path to "{self.database.schema}"')
            return connection.execute(statement, parameters or None).fetchall()

    def published(self) -> int:
        """Return the version that readers see in all relations, to the last digit; 0 for none."""
        with self.database.session() as connection, connection.transaction():
            connection.execute(f'set search_path to "{self.database.schema}"')
            made = connection.execute("select to_regclass('costs') is not null and to_regclass('raw_cup') is not null")
            if made.fetchone() == (False,):
                return 0
            # With this lock, no swap comes between the queries: they see the same, as a reader of one statement does.
            connection.execute("lock table only raw_cup, only cup_normalized in access share mode")

            def query(statement: str, *parameters: Any) -> Any:
                return connection.execute(statement, parameters or None).fetchall()

            costs = cost_totals(query, "cup", JANUARY)
            [version] = [number for number, truth in self.truths.items() if truth_totals(truth) == costs] or [0]
            if version:
                truth = self.truths[version]
                assert query("select sum(billedcost) from focus_costs") == [(truth.billed_cost,)]
                assert query("select count(*) from raw_cup") == [(truth.raw_lines,)]
                assert query("select version, rows from published_months") == [(truth.assembly_id, truth.raw_lines)]
        return version

    def assert_whole(self, *versions: int) -> None:
        """Assert that readers see one of these versions, the same in every relation and in `load_history`."""
        assert self.published() in versions

    def next_run(self) -> None:
        """Run as on the next day, and assert that everything is repaired (`assert_repaired`)."""
        for _ in patiently():
            plan = list_manifests(self.database, [self.source], lambda _: self.storage, MonthRange())
            outcome = load_months(self.database, {"cup": self.source}, lambda _: self.storage, plan)
            if not outcome.failed:
                break
            assert_passes(*outcome.failed.values())
        self.assert_repaired()

    def assert_repaired(self) -> None:
        """Assert that the newest version is published, nothing is staged, and every load is over with its reason."""
        self.assert_whole(self.delivered)
        assert staged_tables(self.database) == []
        rows = self.query("select status, error is null, error from load_history order by load_id")
        assert {status for status, *_ in rows} <= {"published", "superseded", "failed"}
        assert [status for status, *_ in rows].count("published") == 1
        # Failed loads, and only these, have an error.
        assert all((status == "failed") != is_silent for status, is_silent, _ in rows), rows
        plan = list_manifests(self.database, [self.source], lambda _: self.storage, MonthRange())
        assert [month.decision for month in plan.months] == ["unchanged"]


def attempts(number: int) -> list[Any]:
    """Return the params of this number of attempts. In every second one, the step is repeated as Airflow does it."""
    return [pytest.param(n, id=f"{n}-{'retry' if n % 2 else 'next run'}") for n in range(number)]


def go_on(month: Month, steps: tuple[str, ...], load: Load | None = None) -> Load | None:
    """Take steps as Airflow does, and repeat a step whose error may pass."""
    for step in steps:
        for _ in patiently():
            try:
                load = take_step(step, month.database, month.source, load, storage=month.storage)
                break
            except CloudCostsError as error:
                assert_passes(error)
    return load


def count_moments(month: Month) -> None:
    """Publish a delivery, then both versions once more, and count the moments of their steps."""
    month.deliver()
    month.next_run()
    for _ in range(2):
        month.deliver()
        load = None
        for step in STEPS:
            moments = Moments()
            load = take_step(step, moments.database(month.uri, month.database.schema), month.source, load, moments)
            month.counts[month.delivered, step] = moments.seen
    month.assert_repaired()


def patiently() -> Iterator[None]:
    """Yield for each try until the caller breaks, like Airflow's retries, but with shorter pauses."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        yield
        time.sleep(0.05)
    raise AssertionError("it never came to an end")


def assert_passes(*errors: CloudCostsError) -> None:
    """Assert that Airflow tries again after these errors."""
    for error in errors:
        assert isinstance(error, TransientError), error
