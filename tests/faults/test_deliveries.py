"""Deliveries of Azure and Google that are damaged, or not what they promise: named, and the old month stays."""

import gzip
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from azure_tenant import azure_source
from fault_month import Month, assert_passes
from pipeline import JANUARY, load_month

from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Truth
from cloud_costs.demo.sample_bill.azure import AzureBill
from cloud_costs.demo.sample_bill.azure import write_month as write_azure_month
from cloud_costs.demo.sample_bill.gcp import GoogleBill, write_google_month
from cloud_costs.errors import CloudCostsError, DeliveryError, DeliveryNotReady
from cloud_costs.storage.files import StoredFile
from cloud_costs.storage.local import LocalStorage

AZURE = AzureBill(lines=30, format="azure_focus")
GOOGLE = GoogleBill(lines=150, files=1)
PARQUET = "damaged, or not Parquet"


class Interfering(LocalStorage):
    """A local bucket in which something happens before a data file is opened for the `at`-th time."""

    def __init__(self, happen: Callable[[], None], at: int) -> None:
        self.happen, self.left = happen, at

    def open(self, file: StoredFile) -> io.RawIOBase:
        self.left -= 1
        if self.left == 0:
            self.happen()
        return super().open(file)


@dataclass(frozen=True)
class Fault:
    """How the delivery of a bill is harmed, in the folder of its run, and what is said of it."""

    bill: Any
    harm: Callable[[Path], object]
    error: type[CloudCostsError]
    told: str


def first(folder: Path) -> Path:
    """Return the first file with lines."""
    return min(folder.glob("part*"))


def damaged(folder: Path) -> None:
    """Zeros in the middle of a file that keeps its size."""
    path = first(folder)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(200) + content[len(content) // 2 + 200 :])


def cut(folder: Path) -> None:
    path = first(folder)
    path.write_bytes(path.read_bytes()[:-100])


def lost(folder: Path) -> None:
    first(folder).unlink()


def wrong_line(folder: Path) -> None:
    path = first(folder)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join([lines[0], b'{"cost": \n', *lines[2:]])))


def one_promise_more(folder: Path) -> None:
    """The manifest counts a line more than there is."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    content["dataRowCount"] += 1
    content["blobs"][0]["dataRowCount"] += 1
    path.write_text(json.dumps(content))


def contradicting(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "blobCount": 3}))


def written_twice(folder: Path) -> None:
    """Lines came to the run after its marker: the marker is older than they are."""
    (folder / "part-000000000099.parquet").write_bytes(first(folder).read_bytes())


FAULTS = {
    "azure": (
        Fault(AZURE, damaged, DeliveryError, "part_0_0001.csv.gz"),
        Fault(replace(AZURE, file_type="parquet"), damaged, DeliveryError, PARQUET),
        Fault(AZURE, cut, DeliveryError, "copy the file again, or run the export"),
        Fault(AZURE, lost, DeliveryNotReady, "part_0_0001.csv.gz', which is neither at"),
        Fault(AZURE, one_promise_more, DeliveryError, "lines in .*part_0_0001.csv.gz, which has"),
        Fault(AZURE, contradicting, DeliveryError, "blobCount 3, and lists 2 files"),
    ),
    "google": (
        Fault(GOOGLE, cut, DeliveryError, PARQUET),
        Fault(GOOGLE, lost, DeliveryError, "lines in all files, which have"),
        Fault(GOOGLE, written_twice, DeliveryError, "lines in all files, which have"),
        Fault(replace(GOOGLE, form="json.gz"), damaged, DeliveryError, "part-000000000000"),
        Fault(replace(GOOGLE, form="json.gz"), wrong_line, DeliveryError, "line 2: no JSON"),
    ),
}


def google_source(bill: GoogleBill, bucket: Path) -> Source:
    return Source(name="cup", format="gcp_billing", uri=f"file://{bucket}/{bill.prefix}/", tags=("team",))


def write_only_run(bill: GoogleBill, month: date, bucket: Path, *, version: int) -> Truth:
    """Write a run and remove the other: versions take turns, and the newest run is the one of the greatest name."""
    shutil.rmtree(bucket / bill.prefix, ignore_errors=True)
    return write_google_month(bill, month, bucket, version=version)


@pytest.fixture(scope="module")
def months(new_module_month: Any) -> dict[str, Month]:
    """A published month of each provider."""
    azure = new_module_month(AZURE, source=partial(azure_source, name="cup"), write=write_azure_month)
    google = new_module_month(GOOGLE, source=google_source, write=write_only_run)
    for month in (azure, google):
        month.deliver()
        month.next_run()
    return {"azure": azure, "google": google}


@pytest.mark.parametrize(
    "provider", [pytest.param(name, marks=pytest.mark.tries(len(faults))) for name, faults in FAULTS.items()]
)
def test_delivery_that_is_not_whole(months, provider):
    """Each time an error that names what is wrong, and the old month stays. What was put right is loaded."""
    month = months[provider]
    month.deliver()
    for fault in FAULTS[provider]:
        month.bill = fault.bill
        month.write_again()
        [folder] = month.bucket.rglob(month.truths[month.delivered].assembly_id)
        fault.harm(folder)
        with pytest.raises(fault.error, match=rf"^cup 2025-01: .*{fault.told}"):
            load_month(month.database, month.source, JANUARY)
        month.assert_whole(3 - month.delivered)
    month.write_again()
    month.next_run()


@pytest.mark.parametrize("at", [1, 3, 5])
@pytest.mark.parametrize("provider", ["azure", "google"])
def test_newer_run_comes_while_one_is_read(months, provider, at):
    """As the exporters write it, to a folder of its own, the older run gone: no load is of both."""
    month = months[provider]
    month.bill = AZURE if provider == "azure" else GOOGLE
    month.deliver()
    old = 3 - month.delivered
    with pytest.raises(CloudCostsError, match=r"^cup 2025-01: ") as raised:
        load_month(month.database, month.source, JANUARY, Interfering(month.deliver, at))
    assert_passes(raised.value)
    assert month.delivered == old
    month.assert_whole(old)
    month.next_run()
