"""Months in schemas of their own, for something to go wrong while one is loaded."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from deliveries import write_month
from fault_month import Month

from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.demo import embedded_postgres
from cloud_costs.demo.sample_bill import Bill, Truth


@pytest.fixture
def new_month(postgres: embedded_postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from _new_month(postgres, tmp_path_factory)


@pytest.fixture(scope="module")
def new_module_month(postgres: embedded_postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from _new_month(postgres, tmp_path_factory)


def _cup(bill: Bill, folder: Path) -> Source:
    return Source(name="cup", format=bill.format, uri=f"file://{folder}/{bill.root}/", tags=("user:team",))


def _new_month(postgres: embedded_postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Give a function that makes a month of a bill, with nothing delivered yet, in schemas of its own."""
    made: list[Database] = []

    def make(
        bill: Any,
        uri: str = "",
        schema: str = "",
        *,
        source: Callable[[Any, Path], Source] = _cup,
        write: Callable[..., Truth] = write_month,
    ) -> Month:
        folder = tmp_path_factory.mktemp("bucket")
        schema = schema or f"fault_{folder.name}_{len(made)}"
        uri = uri or postgres.uri()
        database = Database(lambda: psycopg.connect(uri), schema, "costs_db")
        apply_schema(database)
        if uri == postgres.uri():
            made.append(database)
        return Month(database, uri, bill, folder, source(bill, folder), write)

    yield make
    for database in made:
        with database.session() as connection:
            connection.execute(f'drop schema "{database.schema}" cascade')
            connection.execute(f'drop schema "{database.staging_schema}" cascade')
