"""Deliveries of the sample bills, each made once: a month of a bill is the same every time that it is written."""

import atexit
import functools
import shutil
import tempfile
from datetime import date
from pathlib import Path

from cloud_costs.demo import sample_bill
from cloud_costs.demo.sample_bill import Bill, Truth
from cloud_costs.demo.sample_bill.files import replacing

# Larger months are not kept, because no two tests use the same one.
MOST_LINES = 20_000


def write_month(bill: Bill, month: date, bucket_dir: Path, *, version: int = 1) -> Truth:
    """Do what `sample_bill.write_month` does; the planning of the lines is done once for each delivery."""
    if bill.lines > MOST_LINES:
        return sample_bill.write_month(bill, month, bucket_dir, version=version)
    folder, truth, keys = _written(bill, month.replace(day=1), version)
    for key in keys:
        with replacing(bucket_dir, key) as path:
            shutil.copyfile(folder / key, path)
    return truth


@functools.cache
def _written(bill: Bill, month: date, version: int) -> tuple[Path, Truth, tuple[str, ...]]:
    """Write a delivery into a folder of its own; return it with the truth and the keys, the manifests last."""
    folder = Path(tempfile.mkdtemp(dir=_kept()))
    truth = sample_bill.write_month(bill, month, folder, version=version)
    written = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_mtime_ns)
    return folder, truth, tuple(path.relative_to(folder).as_posix() for path in written)


@functools.cache
def _kept() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="cloud-costs-deliveries-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
