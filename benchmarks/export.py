"""`export`: a published month as Parquet, as gzipped CSV, and as `costs`, and how fast DuckDB reads it.

Each export is a process of its own, from the first query to the manifest, into an empty folder of this machine. It
includes the check of the files by DuckDB.
"""

import shutil
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

import duckdb

from benchmarks import database
from benchmarks.process import Job, Run, measure
from benchmarks.results import Options, Result
from benchmarks.sample import sample

SCHEMA = "benchmark_export"
MEGABYTE = 1e6
KINDS = {
    "Parquet": {},
    "CSV.gz": {"format": "csv"},
    "Parquet of costs": {"relation": "costs"},
}
# What a million lines may take.
SECONDS, MEMORY = 30, 500


def run(options: Options) -> list[Result]:
    """Load a month, and export it in each form in turns."""
    month = sample(options.work, options.lines)
    source = month.source.model_dump(mode="json")
    folder = options.work / "exported"
    runs: dict[str, list[Run]] = defaultdict(list)
    read: list[float] = []
    try:
        database.new_schema(options.server, SCHEMA)
        measure(Job("all_steps", options.server.uri(), SCHEMA, str(options.work), source=source))
        for _ in range(options.runs):
            for kind, settings in KINDS.items():
                shutil.rmtree(folder, ignore_errors=True)
                exported = source | {"export": {"to": f"file://{folder}/", **settings}}
                job = Job("export", options.server.uri(), SCHEMA, str(options.work), source=exported)
                runs[kind].append(measure(job))
                if kind == "Parquet":
                    read.append(_read(folder))
    finally:
        database.drop_schema(options.server, SCHEMA)
        shutil.rmtree(folder, ignore_errors=True)
    results = [result for kind in KINDS for result in _results(kind, runs[kind], options.lines)]
    return [*results, Result("DuckDB reads the export: cost by service and account", median(read), "s")]


def _read(folder: Path) -> float:
    with duckdb.connect(config={"threads": 2}) as connection:
        began = time.monotonic()
        connection.execute(
            "select ServiceName, SubAccountId, sum(BilledCost) from read_parquet($files) group by all",
            {"files": [str(path) for path in folder.rglob("*.parquet")]},
        ).fetchall()
        return time.monotonic() - began


def _results(kind: str, runs: list[Run], lines: int) -> list[Result]:
    size = runs[0].facts["bytes"] / MEGABYTE
    # The bars are for a million lines; a month of another size has none.
    has_bar = kind == "Parquet" and lines == 1_000_000
    return [
        Result(
            f"export, {kind}",
            median(one.seconds for one in runs),
            "s",
            at_most=SECONDS if has_bar else None,
            note=f"{runs[0].rows:,} rows, {runs[0].facts['files']} files, {size:,.0f} MB",
            details={
                "seconds": [round(one.seconds, 3) for one in runs],
                "cpu_seconds": [round(one.cpu, 3) for one in runs],
            },
        ),
        Result(
            f"export, {kind}: peak memory of the process",
            max(one.peak for one in runs) / MEGABYTE,
            "MB",
            at_most=MEMORY if has_bar else None,
            note="resident",
        ),
    ]
