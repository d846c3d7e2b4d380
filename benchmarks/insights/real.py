"""The real month in `../shared/data`: what is told of it as it is, and of events that are planted in it, each alone."""

import logging
from dataclasses import dataclass
from datetime import date

import numpy as np
import psycopg

from benchmarks import database
from benchmarks.insights.scoring import limits
from benchmarks.results import ROOT
from cloud_costs.charges.views import refresh_views
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.demo.embedded_postgres import Server
from cloud_costs.insights import days as source_days
from cloud_costs.insights.anomalies import read_grid
from cloud_costs.insights.detection import HISTORY
from cloud_costs.insights.findings import Finding, Grid, covers, find
from cloud_costs.publishing.sync import load_month
from cloud_costs.storage.local import LocalStorage

FOLDER = ROOT.parent / "shared/data/aws-workshop-2018/workshop/WorkshopCUR"
SCHEMA, MONTH = "benchmark_insights_real", date(2018, 10, 1)
# Days that an event lasts, and its factor.
KINDS = ((3, 0.5), (3, 1.0), (3, 3.0), (1, 1.0), (1, 3.0))
LEAST = 20.0


@dataclass(frozen=True)
class Real:
    """What is told of the month as it is, and how many events of each kind were found, of how many."""

    told: list[Finding]
    series: int
    found: dict[tuple[int, float], tuple[int, int]]


def measure(server: Server) -> Real | None:
    """Load the month and measure on it; None where it is not there."""
    if not FOLDER.exists():
        return None
    logging.getLogger("cloud_costs").setLevel(logging.ERROR)
    target = Database(lambda: psycopg.connect(server.uri()), SCHEMA, "benchmark")
    database.drop_schema(server, SCHEMA)
    try:
        apply_schema(target)
        source = Source(name="workshop", format="aws_cur", uri=f"file://{FOLDER}/")
        load_month(target, LocalStorage(), source, MONTH)
        refresh_views(target)
        with target.session() as connection:
            [days] = source_days.read(connection, target)
            with connection.transaction():
                grid, _ = read_grid(connection, target, days)
    finally:
        database.drop_schema(server, SCHEMA)
    told = find(grid, limits)
    return Real(told, len(grid.keys), {kind: _recall(grid, told, *kind) for kind in KINDS})


def _recall(grid: Grid, told: list[Finding], days: int, factor: float) -> tuple[int, int]:
    """Plant an event on every day from the third week on, in every series of 20 a day, each alone."""
    found = total = 0
    length = grid.values.shape[1]
    for row in np.flatnonzero(grid.values.mean(axis=1) >= LEAST):
        for first in range(HISTORY + 1, length - days):
            values = grid.values.copy()
            values[row, first : first + days] *= 1 + factor
            planted = Grid(grid.source, grid.currency, grid.start, grid.keys, values, length)
            new = [one for one in find(planted, limits) if one not in told]
            found += any(
                covers(one.scope, grid.keys[int(row)]) and abs((one.first_date - grid.start).days - first) <= 1
                for one in new
            )
            total += 1
    return found, total
