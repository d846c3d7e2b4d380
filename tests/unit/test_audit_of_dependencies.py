"""`make audit` fails for a known vulnerability, and never takes a service that does not answer for a clean bill."""

import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "audit_dependencies.py"))
audit, pins = SCRIPT["audit"], SCRIPT["pins"]
GOOD = {"version": "1", "vulns": []}
BAD = {"version": "1", "vulns": [{"id": "CVE-2026-1", "fix_versions": ["2"]}]}
SKIPPED = {"skip_reason": "Dependency not found"}


def service(*, reached: str | None, **reports: Any) -> Any:
    """Stand in for pip-audit: one service knows the packages, the others answer nothing."""

    def ask(name: str, wanted: list[str]) -> list[dict[str, Any]] | None:
        if name != reached:
            return None if name == "osv" else [{"name": one, **SKIPPED} for one in wanted]
        return [{"name": one.partition("==")[0], **reports.get(one[0], GOOD)} for one in wanted]

    return ask


def test_every_pin_is_asked_about() -> None:
    found = pins()
    assert len(found) > 150
    assert {"apache-airflow", "celery", "pyarrow", "apache-airflow-providers-fab"} <= {
        pin.split("==")[0] for pin in found
    }
    assert len(found) == len(set(found))


def test_known_vulnerability_fails() -> None:
    status, lines = audit(["a==1", "b==1"], service(reached="pypi", b=BAD))
    assert status == 1
    assert lines == ["b 1: CVE-2026-1, mended in 2", "pypi: 2 packages audited, 1 with known vulnerabilities"]


def test_clean_packages_pass() -> None:
    assert audit(["a==1"], service(reached="osv")) == (0, ["osv: 1 packages audited, 0 with known vulnerabilities"])


def test_package_that_the_service_does_not_know_is_said() -> None:
    status, lines = audit(["a==1", "b==1"], service(reached="pypi", b=SKIPPED))
    assert status == 0
    assert lines[0] == "NOT AUDITED: 1 of 2 packages, which pypi does not know"


def test_no_service_is_said_and_is_no_fault_of_the_change() -> None:
    status, [line] = audit(["a==1", "b==1"], service(reached=None))
    assert status == 0
    assert line.startswith("NOT AUDITED: no advisory service answers (pypi, osv); 2 packages")


def test_report_that_ends_halfway_is_not_a_pass() -> None:
    def ask(name: str, wanted: list[str]) -> list[dict[str, Any]] | None:
        return [{"name": "pip", **GOOD}] if wanted[0].startswith("pip==") else None

    assert audit(["a==1"], ask)[1][0].startswith("NOT AUDITED")
