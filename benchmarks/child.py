"""The process that `process.measure` starts: it does one job, and prints what it took."""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.process import Job
from benchmarks.ways import WAYS


def main(text: str) -> None:
    """Do one job, and print what it took as JSON."""
    values = json.loads(text)
    job = Job(**{**values, "files": tuple(values["files"])})
    load: Callable[[], tuple[int, Mapping[str, Any]]] = WAYS[job.way](job)
    began, cpu = time.monotonic(), _cpu()
    rows, facts = load()
    took = {"rows": rows, "seconds": time.monotonic() - began, "cpu": _cpu() - cpu, "peak": peak(), "facts": facts}
    print(json.dumps(took))


def _cpu() -> float:
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak() -> int:
    """Return the most memory that this process has held, in bytes.

    Linux begins `ru_maxrss` with the memory of the process that started this one, so VmHWM is read where it is.
    """
    with suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(sys.argv[1])
