"""The months that are loaded: sample bills of the project's own generator, written once below `.bench/data`.

The generator writes about 30,000 lines a second on one core, so a month is planned as two halves with different
seeds, in two processes, and delivered as one: every line differs, and one manifest lists all files.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

import cloud_costs.demo.sample_bill
from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill, azure, gcp, write_month
from cloud_costs.demo.sample_bill.cur_delivery import data_key, manifest_keys

MONTH = date(2025, 1, 1)
# AWS splits a month into files of some hundred thousand lines.
LINES_PER_FILE = 250_000
LEAST_FILES = 4


@dataclass(frozen=True)
class Sample:
    """One delivered month in a folder that stands for a bucket."""

    source: Source
    files: tuple[Path, ...]
    rows: int

    @property
    def size(self) -> int:
        """Bytes of all data files."""
        return sum(path.stat().st_size for path in self.files)


def sample(work: Path, lines: int, file_type: Literal["parquet", "csv"] = "parquet", accounts: int = 5) -> Sample:
    """Return a month of `lines` usage lines; what was written before, by the same generator, is used again."""
    numbers = tuple(f"{100_000_000_000 + number * 7919}" for number in range(accounts))
    files = max(LEAST_FILES, lines // LINES_PER_FILE // 2 * 2)
    bill = Bill(lines=lines, files=files, file_type=file_type, payer=numbers[0], accounts=numbers)
    name = f"{file_type}-{lines}-{files}-{accounts}"
    folder, rows = _written(work, name, lambda folder: _write(bill, folder))
    source = Source(
        name="cup",
        format="aws_cur",
        uri=f"file://{folder}/{bill.root}/",
        tags=("user:team", "user:environment"),
    )
    paths = tuple(folder / data_key(bill, MONTH, 1, number) for number in range(1, files + 1))
    return Sample(source, paths, rows)


def azure_sample(work: Path, lines: int) -> Sample:
    """Return a FOCUS export of Azure, in gzipped CSV, of about as many lines."""
    bill = azure.AzureBill(lines=lines, files=max(LEAST_FILES, lines // LINES_PER_FILE), format="azure_focus")
    folder, rows = _written(work, f"azure-{lines}", lambda folder: azure.write_month(bill, MONTH, folder).raw_lines)
    source = Source(name="azure", format=bill.format, uri=f"file://{folder}/{bill.root}/", tags=("team",))
    return Sample(source, tuple(sorted(folder.rglob("*.csv.gz"))), rows)


def google_sample(work: Path, lines: int) -> Sample:
    """Return a detailed export of Google, in nested Parquet, of about as many lines."""
    bill = gcp.GoogleBill(lines=lines)
    folder, rows = _written(
        work, f"google-{lines}", lambda folder: gcp.write_google_month(bill, MONTH, folder).raw_lines
    )
    source = Source(name="google", format="gcp_billing", uri=f"file://{folder}/{bill.prefix}/", tags=("team", "env"))
    return Sample(source, tuple(sorted(folder.rglob("*.parquet"))), rows)


def _written(work: Path, name: str, write: Callable[[Path], int]) -> tuple[Path, int]:
    """Return the folder of a month and its lines; what was written before, by the same generator, is used again."""
    folder = work / "data" / f"{name}-{_generator()}"
    written = folder / "written.json"
    if not written.exists():
        shutil.rmtree(folder, ignore_errors=True)
        rows = write(folder)
        written.write_text(json.dumps({"rows": rows}))
    return folder, json.loads(written.read_text())["rows"]


def _generator() -> str:
    """Return a digest of the generator's code: other code writes other data."""
    digest = hashlib.sha256()
    for path in sorted(Path(cloud_costs.demo.sample_bill.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _write(bill: Bill, folder: Path) -> int:
    """Write both halves, bring the second one's files into the first one's delivery; return the lines."""
    halves = [replace(bill, lines=bill.lines // 2, files=bill.files // 2, seed=seed) for seed in (1, 2)]
    other = folder.with_name(f"{folder.name}.half")
    with ProcessPoolExecutor(max_workers=2) as pool:
        rows = sum(pool.map(_write_half, halves, (folder, other)))
    for number in range(1, halves[0].files + 1):
        target = folder / data_key(bill, MONTH, 1, halves[0].files + number)
        (other / data_key(bill, MONTH, 1, number)).rename(target)
    shutil.rmtree(other)
    for key in manifest_keys(bill, MONTH, 1):
        manifest = json.loads((folder / key).read_text(encoding="utf-8"))
        manifest["reportKeys"] = [data_key(bill, MONTH, 1, number) for number in range(1, bill.files + 1)]
        (folder / key).write_text(json.dumps(manifest), encoding="utf-8")
    return rows


def _write_half(bill: Bill, folder: Path) -> int:
    return write_month(bill, MONTH, folder).raw_lines
