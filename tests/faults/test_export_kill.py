"""SIGKILL before writes of an export: readers see the old version or the new one, and the next export completes it."""

import json
from pathlib import Path
from typing import Any

import pytest
from deliveries import write_month
from fault_month import Month
from pipeline import JANUARY, load_month, wait_for_locks
from processes import start, stop_at_a_write

from cloud_costs.config.exports import Export
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.exporting.months import export_month
from cloud_costs.storage.local import LocalStorage

BILL = Bill(lines=100, files=1)
FOLDER = "focus_costs_v1_2/source=cup/billing_period=2025-01"
# Three files or more, two manifests, and after a restatement the files of the old version.
FIRST, RESTATED = (1, 2, 4, 5), (1, 3, 5, 6, 7, 9)


@pytest.fixture(scope="module")
def month(new_module_month: Any) -> Month:
    return new_module_month(BILL)


def deliver(month: Month, version: int) -> Any:
    """Publish a version of the month and return its truth."""
    truth = write_month(BILL, JANUARY, month.bucket, version=version)
    load_month(month.database, month.source, JANUARY)
    return truth


def export(month: Month, lake: Path) -> str:
    return export_month(month.database, LocalStorage(), "cup", JANUARY, Export(to=f"file://{lake}/")).did


def kill(month: Month, lake: Path, at: int) -> None:
    process, pipe = start(stop_at_a_write, month.uri, month.database.schema, f"file://{lake}/", at)
    assert pipe.recv() == "there"
    process.kill()
    process.join()
    assert process.exitcode == -9
    # An export that finds another one at work does not wait, and Airflow tries it again.
    wait_for_locks(month.query)


def billed(lake: Path) -> str | None:
    """Return the billed cost of the version that readers see, whose files are all there; None where there is none."""
    path = lake / FOLDER / "_manifest.json"
    if not path.exists():
        return None
    manifest = json.loads(path.read_text())
    folder = path.parent / f"version={manifest['version']}"
    assert {one["name"]: one["bytes"] for one in manifest["files"]}.items() <= {
        file.name: file.stat().st_size for file in folder.iterdir()
    }.items()
    cost: str = manifest["sums"]["USD"]["BilledCost"]
    return cost


def assert_repaired(month: Month, lake: Path, truth: Any) -> None:
    """Export once more, and assert that the version is there and nothing beside it."""
    assert export(month, lake) in ("exported", "unchanged")
    assert billed(lake) == f"{truth.billed_cost:f}"
    manifest = json.loads((lake / FOLDER / "_manifest.json").read_text())
    names = {"_manifest.json", *(f"version={manifest['version']}/{one['name']}" for one in manifest["files"])}
    names.add(f"version={manifest['version']}/_manifest.json")
    found = {path.relative_to(lake / FOLDER).as_posix() for path in (lake / FOLDER).rglob("*") if path.is_file()}
    assert found == names


@pytest.mark.parametrize("at", FIRST)
def test_killed_in_the_first_export_of_a_month(month, tmp_path, at):
    truth = deliver(month, 1)
    kill(month, tmp_path, at)
    assert billed(tmp_path) is None
    assert_repaired(month, tmp_path, truth)


@pytest.mark.parametrize("at", RESTATED)
def test_killed_in_the_export_of_a_restated_month(month, tmp_path, at):
    old = deliver(month, 1)
    assert export(month, tmp_path) == "exported"
    new = deliver(month, 2)
    kill(month, tmp_path, at)
    assert billed(tmp_path) in (f"{old.billed_cost:f}", f"{new.billed_cost:f}")
    assert_repaired(month, tmp_path, new)
