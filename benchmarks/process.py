"""One load in a process of its own: `measure` starts it and watches its memory; the process itself is `main`.

Every way to load, ours and the others', runs like this, so that none has another's memory or imports. Its time
begins when its packages are imported and ends when its rows are committed.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.results import ROOT

SECONDS_BETWEEN_SAMPLES = 0.2
# What the shell that starts the benchmarks may have set for others.
NOT_INHERITED = ("AIRFLOW", "CLOUD_COSTS_", "CUR_PATHS", "DLT_", "PG", "POSTGRES_", "S3_BUCKET")


@dataclass(frozen=True)
class Job:
    """What to load by which way: Parquet `files`, or a delivery of `source`, into `schema`.`table`."""

    way: str
    uri: str
    schema: str
    work: str
    table: str = "lines"
    files: tuple[str, ...] = ()
    source: Mapping[str, Any] = field(default_factory=dict)
    streams: int = 1


@dataclass(frozen=True)
class Run:
    """One run of a job. Memory is in bytes: the peak of the process, and its samples (seconds, RSS, USS).

    `peak` is the kernel's own high-water mark. `cpu` is that of the process and its children, not of PostgreSQL.
    """

    rows: int
    seconds: float
    cpu: float
    peak: int
    facts: Mapping[str, Any]
    samples: tuple[tuple[float, int, int], ...]

    @property
    def rate(self) -> float:
        return self.rows / self.seconds


def measure(job: Job, *, watch: bool = False) -> Run:
    """Run a job and return what it took, with samples of its memory if it is watched.

    Raises `RuntimeError` with what a failed one wrote to standard error.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    errors = Path(job.work, "process.log")
    with errors.open("w") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.child", json.dumps(asdict(job))],
            cwd=ROOT,
            env={**environment, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "include")])},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        samples = _watch(process, began) if watch else []
        output = process.communicate()[0]
    if process.returncode:
        raise RuntimeError(f"{job.way} failed:\n{errors.read_text()[-3000:]}")
    return Run(samples=tuple(samples), **json.loads(output.splitlines()[-1]))


def _watch(process: subprocess.Popen[str], began: float) -> list[tuple[float, int, int]]:
    """Return the memory of the process over time, in seconds and bytes, until it ends."""
    samples = []
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        with suppress(psutil.Error):
            memory = watched.memory_full_info()
            samples.append((round(time.monotonic() - began, 2), memory.rss, memory.uss))
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_BETWEEN_SAMPLES)
    return samples
