"""`scale`: whole loads of months of different sizes: time, the share of each step, memory, and what readers notice.

A load is all four steps and the views, in a process of its own, as `python -m cloud_costs sync` does it. The second
load of a month replaces the first, so that publishing has an old partition to drop. Meanwhile a reader asks for one
row of the month again and again.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import psycopg
from psycopg import sql

from benchmarks import database
from benchmarks.process import Job, Run, measure
from benchmarks.results import Options, Result
from benchmarks.sample import sample

SCHEMA = "benchmark_scale"
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
LARGE = 10_000_000
LARGE_RUNS = 2
MEGABYTE = 1e6
MOST_SAMPLES = 200


def run(options: Options) -> list[Result]:
    """Load months of every size up to the options' lines, and of ten million with `large`."""
    sizes = [*(size for size in SIZES if size < options.lines), options.lines]
    runs: dict[int, list[tuple[Run, float]]] = {}
    for size in sizes + [LARGE] * options.large:
        runs[size] = _load(options, size, LARGE_RUNS if size == LARGE else max(2, options.runs))
    return _results(options, runs)


def _load(options: Options, size: int, times: int) -> list[tuple[Run, float]]:
    """Load a month several times; return each run with the longest wait of a reader while it was published."""
    month = sample(options.work, size)
    job = Job("all_steps", options.server.uri(), SCHEMA, str(options.work), source=month.source.model_dump(mode="json"))
    found = []
    database.new_schema(options.server, SCHEMA)
    try:
        for _ in range(times):
            with _reader(options) as waits:
                run = measure(job, watch=True)
            began, ended = run.facts["publish_began"], run.facts["publish_ended"]
            during = [seconds for at, seconds in waits if at + seconds >= began and at <= ended]
            found.append((run, max(during, default=0.0)))
            with database.connect(options.server) as connection:
                connection.execute("checkpoint")
    finally:
        database.drop_schema(options.server, SCHEMA)
    return found


@contextmanager
def _reader(options: Options) -> Iterator[list[tuple[float, float]]]:
    """Read one row again and again, and yield the list of when each read began and how long it took."""
    waits: list[tuple[float, float]] = []
    stop = threading.Event()
    statement = sql.SQL("select (select 1 from {} limit 1), (select 1 from {} limit 1)").format(
        sql.Identifier(SCHEMA, "raw_cup"), sql.Identifier(SCHEMA, "cup_normalized")
    )

    def read() -> None:
        with database.connect(options.server) as connection:
            while not stop.wait(0.005):
                began = time.time()
                try:
                    connection.execute(statement)
                except psycopg.errors.UndefinedTable:
                    # Before the first load there is nothing to wait for.
                    stop.wait(0.5)
                else:
                    waits.append((began, time.time() - began))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield waits
    finally:
        stop.set()
        thread.join()


def _results(options: Options, runs: dict[int, list[tuple[Run, float]]]) -> list[Result]:
    sizes = {str(size): _details(found) for size, found in runs.items()}
    main = [run for run, _ in runs[options.lines]]
    shares = [_others(run) / run.facts["seconds"]["load_raw"] for run in main]
    locked = {size: max(run.facts["locked"] for run, _ in found) * 1000 for size, found in runs.items()}
    waited = {size: max(wait for _, wait in found) * 1000 for size, found in runs.items()}
    smallest, largest = f"{min(runs):,}", f"{max(runs):,}"
    results = [
        Result(
            f"All steps of a month, {options.lines:,} lines",
            median(_total(run) for run in main),
            "s",
            details={"sizes": sizes},
        ),
        Result(
            "normalize + audit + publish, against load_raw",
            median(shares),
            "of its time",
            at_most=0.5,
            headline=True,
            details={"ratios": shares},
        ),
        Result(
            "publish: readers are locked out",
            max(locked.values()),
            "ms",
            at_most=200,
            note=f"longest of all runs; {locked[min(runs)]:.0f} ms at {smallest} lines, {locked[max(runs)]:.0f} ms at "
            f"{largest}",
            details={"by_size": {str(size): value for size, value in locked.items()}},
        ),
        Result(
            "publish: a reader waited",
            max(waited.values()),
            "ms",
            at_most=200,
            note="longest read of one row meanwhile, as the reader saw it",
            details={"by_size": {str(size): value for size, value in waited.items()}},
        ),
        _memory(options.lines, main),
    ]
    if options.large:
        large = [run for run, _ in runs[LARGE]]
        growth = _peak(large) / _peak(main)
        results += [
            _memory(LARGE, large),
            Result(
                f"Peak memory of the process, {LARGE:,} lines against {options.lines:,}", growth, "times", at_most=1.1
            ),
            Result(f"All steps of a month, {LARGE:,} lines", median(_total(run) for run in large), "s"),
        ]
    return results


def _memory(size: int, runs: Sequence[Run]) -> Result:
    longest = max(runs, key=lambda run: run.peak)
    return Result(
        f"Peak memory of the process, {size:,} lines",
        _peak(runs),
        "MB",
        at_most=500,
        note="resident, all steps",
        headline=True,
        details={
            "peaks": [run.peak / MEGABYTE for run in runs],
            "samples": [
                [at, round(rss / MEGABYTE), round(uss / MEGABYTE)]
                for at, rss, uss in longest.samples[:: len(longest.samples) // MOST_SAMPLES + 1]
            ],
        },
    )


def _peak(runs: Sequence[Run]) -> float:
    return max(run.peak for run in runs) / MEGABYTE


def _total(run: Run) -> float:
    return float(sum(run.facts["seconds"].values()))


def _others(run: Run) -> float:
    return sum(float(run.facts["seconds"][step]) for step in ("normalize", "audit", "publish"))


def _details(found: Sequence[tuple[Run, float]]) -> dict[str, Any]:
    runs = [run for run, _ in found]
    return {
        "rows": runs[0].rows,
        "normalized_rows": runs[0].facts["normalized_rows"],
        "seconds": median(_total(run) for run in runs),
        "steps": {step: median(run.facts["seconds"][step] for run in runs) for step in runs[0].facts["seconds"]},
        "cpu_seconds": median(run.cpu for run in runs),
        "peak_mb": _peak(runs),
    }
