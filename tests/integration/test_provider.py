"""A provider is one folder in `formats/`, and its files in `sql/focus/`: a made-up one goes the whole way to `costs`.

tests/fixtures/provider holds just that. It is laid over a copy of `include`, as a contributor would add it, and the
command line loads its bill.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROVIDER = ROOT / "tests" / "fixtures" / "provider"
BILL = """\
day,customer,product,amount,currency
2025-01-01,007,C1,0.1,EUR
2025-01-01,007,C1,0.2,EUR
2025-01-02,007,S1,12.3456789012345678,EUR
2025-01-02,008,C1,-0.05,USD
"""
CHANGED = BILL + "2025-01-03,008,C1,0.07,USD\n"


@dataclass(frozen=True)
class CommandLine:
    """`python -m cloud_costs` over a package that has Tinycloud too."""

    environ: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cloud_costs", *arguments], env=self.environ, capture_output=True, text=True
        )

    def lines(self, *arguments: str) -> list[str]:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture
def tinycloud(tmp_path: Path, postgres: Any, database: Any) -> Any:
    """The command line, and the folder of Tinycloud's bills."""
    include = tmp_path / "include"
    shutil.copytree(ROOT / "include", include, ignore=shutil.ignore_patterns("__pycache__"))
    before = {path.relative_to(include) for path in include.rglob("*") if path.is_file()}
    for path in PROVIDER.rglob("*.*"):
        name = path.relative_to(PROVIDER)
        assert name not in before, f"{name} is shared code: adding a provider changes none"
        (include / name).parent.mkdir(parents=True, exist_ok=True)
        if "__pycache__" not in name.parts:
            shutil.copy(path, include / name)
    bucket = tmp_path / "bucket"
    (bucket / "2025-01").mkdir(parents=True)
    (bucket / "2025-01" / "bill.csv").write_text(BILL)
    config = tmp_path / "sources.yaml"
    config.write_text(
        f"sources:\n  - name: tiny\n    format: tinycloud\n    uri: file://{bucket}/\n    stale_after_hours: 0\n"
    )
    line = CommandLine(
        {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(include),
            "CLOUD_COSTS_CONFIG": str(config),
            "POSTGRES_HOST": str(postgres.socket_dir),
            "POSTGRES_PORT": str(postgres.port),
            "POSTGRES_DB": "postgres",
            "POSTGRES_USER": f"{database.schema}_loader",
            "POSTGRES_SCHEMA": database.schema,
        }
    )
    return line, bucket


def test_made_up_provider_of_five_columns_is_loaded_audited_and_restated(tinycloud, query):
    line, bucket = tinycloud
    assert line.lines("test-source")[-1].startswith("tiny")
    assert line.lines("sync")[-1] == "1 month(s) published, 0 failed"
    costs = "select date::text, account_id, service, currency, cloud_provider, cost from costs order by 1, 2, 3"
    assert query(costs) == [
        ("2025-01-01", "007", "Tiny Compute", "EUR", "Tinycloud", Decimal("0.3")),
        ("2025-01-02", "007", "Tiny Storage", "EUR", "Tinycloud", Decimal("12.3456789012345678")),
        ("2025-01-02", "008", "Tiny Compute", "USD", "Tinycloud", Decimal("-0.05")),
    ]
    assert query("select count(*), sum(billedcost) from focus_costs") == [(4, Decimal("12.5956789012345678"))]
    assert query("select check_name from audit_results where not passed") == []
    assert query("select count(*) > 4 from file_facts") == [(True,)]
    assert line.lines("sync")[-1] == "0 month(s) published, 0 failed"
    (bucket / "2025-01" / "bill.csv").write_text(CHANGED)
    assert line.lines("sync")[-1] == "1 month(s) published, 0 failed"
    assert query("select sum(cost) from costs where currency = 'USD'") == [(Decimal("0.02"),)]


def test_provider_without_a_listing_mode_is_told_so(tinycloud, tmp_path):
    line, _ = tinycloud
    config = tmp_path / "sources.yaml"
    config.write_text(config.read_text() + "    manifest: none\n")
    assert "'none' is not for tinycloud: its deliveries need their manifests" in line.run("list-manifests").stderr


def test_data_dictionary_has_the_mapping_of_every_provider(tinycloud):
    line, _ = tinycloud
    program = "from cloud_costs.charges import data_dictionary as page; print(*page._mapping('tinycloud'), sep='\\n')"
    shown = subprocess.run(
        [sys.executable, "-c", program], env=line.environ, capture_output=True, text=True, check=True
    )
    assert "## FOCUS columns of tinycloud" in shown.stdout
    assert "| `SubAccountId` | `customer` |" in shown.stdout
