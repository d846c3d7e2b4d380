"""The months that are loaded: sample bills of the project's own generator, written once below `.bench/data`.

The generator writes about 30,000 lines a second on one core, so a month is planned as two halves with different
seeds, in two processes, and delivered as one: every line differs, and one manifest lists all files.
"""

import hashlib
import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

import cloud_costs.demo.sample_bill
from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill, write_month
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
    folder = work / "data" / f"{file_type}-{lines}-{files}-{accounts}-{_generator()}"
    written = folder / "written.json"
    if not written.exists():
        shutil.rmtree(folder, ignore_errors=True)
        rows = _write(bill, folder)
        written.write_text(json.dumps({"rows": rows}))
    source = Source(
        name="cup",
        format="aws_cur",
        uri=f"file://{folder}/{bill.root}/",
        tags=("user:team", "user:environment"),
    )
    paths = tuple(folder / data_key(bill, MONTH, 1, number) for number in range(1, files + 1))
    return Sample(source, paths, json.loads(written.read_text())["rows"])


def _generator() -> str:
    """Return a digest of the generator's code: other code writes other data."""
    digest = hashlib.sha256()
    for path in sorted(Path(cloud_costs.demo.sample_bill.__file__).parent.glob("*.py")):
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
