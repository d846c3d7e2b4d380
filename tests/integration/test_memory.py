"""Memory does not depend on the size of the month."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from deliveries import write_month
from roles import loader_uri

from cloud_costs.demo.sample_bill import Bill

# A file of row groups of 20,000 lines, as AWS writes them, and three to a stream: it decodes one and reads the next.
# Both months keep two streams busy. With fewer lines the smaller one has a stream that ends early, and takes less.
# A line has 1.8 kB in PostgreSQL's format: half of what the larger month has more, held until the end, break the bar.
LINES = {"small": 120_000, "large": 240_000}
SCRIPT = """
import sys
from datetime import date
import psycopg
from cloud_costs.publishing.audit import audit
from cloud_costs.config.sources import Source
from cloud_costs.publishing.load import load_raw
from cloud_costs.publishing.normalize import normalize
from cloud_costs.database.postgres import Database
from cloud_costs.publishing.publish import publish
from cloud_costs.storage.local import LocalStorage
uri, schema, name, folder = sys.argv[1:]
database = Database(lambda: psycopg.connect(uri), schema, "costs_db")
source = Source(name=name, format="aws_cur", uri=folder)
load = normalize(database, source, load_raw(database, LocalStorage(), source, date(2025, 1, 1)))
audit(database, source, load)
publish(database, source, load)
# getrusage would count what the process that started this one held.
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


def peak(database, postgres, name: str, folder: Path) -> float:
    """Return the most memory, in MB, that a process needs to bring the month in."""
    include = str(Path(sys.modules["cloud_costs"].__file__ or "").parents[1])
    uri = loader_uri(postgres, database.schema)
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT, uri, database.schema, name, f"file://{folder}/cup/{Bill().report}/"],
        env={**os.environ, "PYTHONPATH": include},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return int(finished.stdout.splitlines()[-1]) / 1024


# Arrow gives memory back after a pause, which is longer where other tests want the processors.
@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process its own peak")
def test_larger_month_takes_the_same_memory(database, postgres, tmp_path, query):
    from pipeline import JANUARY

    peaks = {}
    for name, lines in LINES.items():
        write_month(replace(Bill(), lines=lines, files=1), JANUARY, tmp_path / name)
        peaks[name] = peak(database, postgres, name, tmp_path / name)
    assert query("select max(rows) from load_history") > [(240_000,)]
    assert peaks["large"] < 500, peaks
    assert peaks["large"] / peaks["small"] < 1.15, peaks
