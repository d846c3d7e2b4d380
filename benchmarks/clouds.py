"""`clouds`: months of Azure and Google through every step, against a month of AWS of the same size.

Azure's is a FOCUS export as CSV.gz, Google's the nested Parquet that the shipped query writes. Each is loaded once in
each round, beside AWS's Parquet. The rates that are compared are those of `load_raw`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks import database
from benchmarks.process import Job, Run, measure
from benchmarks.results import Options, Result
from benchmarks.sample import Sample, azure_sample, google_sample, sample

SCHEMA = "benchmark_clouds"
AWS, AZURE, GOOGLE = "AWS, Parquet", "Azure, CSV.gz", "Google, nested Parquet"
MEGABYTE = 1e6


def run(options: Options) -> list[Result]:
    """Load a month of each cloud, in turns."""
    months = {
        AWS: sample(options.work, options.lines),
        AZURE: azure_sample(options.work, options.lines),
        GOOGLE: google_sample(options.work, options.lines),
    }
    runs: dict[str, list[Run]] = defaultdict(list)
    try:
        for _ in range(options.runs):
            for title, month in months.items():
                runs[title].append(_load(options, month))
    finally:
        database.drop_schema(options.server, SCHEMA)
    return [result for title in (AZURE, GOOGLE) for result in _results(options, title, months[title], runs)]


def _load(options: Options, month: Sample) -> Run:
    database.new_schema(options.server, SCHEMA)
    source = month.source.model_dump(mode="json")
    found = measure(Job("all_steps", options.server.uri(), SCHEMA, str(options.work), source=source))
    if found.rows != month.rows:
        raise RuntimeError(f"{month.source.name}: {found.rows:,} rows arrived, of {month.rows:,}")
    return found


def _results(options: Options, title: str, month: Sample, runs: Mapping[str, Sequence[Run]]) -> list[Result]:
    ratios = [_rate(ours) / _rate(aws) for ours, aws in zip(runs[title], runs[AWS], strict=True)]
    rate = median(_rate(one) for one in runs[title])
    return [
        Result(
            f"{title}: load_raw, against AWS's Parquet",
            median(ratios),
            "times",
            at_least=0.5,
            headline=True,
            note=f"{rate:,.0f} rows/s; {month.rows:,} rows, {len(month.files)} files, {month.size / MEGABYTE:,.0f} MB",
            details={"ratios": ratios, "loads": {name: _details(runs[name]) for name in (title, AWS)}},
        ),
        Result(
            f"{title}: all steps of a month, {options.lines:,} lines",
            median(sum(one.facts["seconds"].values()) for one in runs[title]),
            "s",
        ),
        Result(
            f"{title}: peak memory of the process",
            max(one.peak for one in runs[title]) / MEGABYTE,
            "MB",
            at_most=500,
            note="resident, all steps",
        ),
    ]


def _rate(run: Run) -> float:
    return run.rows / float(run.facts["seconds"]["load_raw"])


def _details(runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "rows": runs[0].rows,
        "steps": {step: median(run.facts["seconds"][step] for run in runs) for step in runs[0].facts["seconds"]},
        "cpu_seconds": [round(run.cpu, 3) for run in runs],
        "peaks": [round(run.peak / MEGABYTE) for run in runs],
    }
