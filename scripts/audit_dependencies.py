"""Ask advisory services about every pinned dependency; `make audit` runs this.

The exit status is 1 for a known vulnerability. pip-audit alone reports success when a service knows none of the
packages. Here, packages that no service could be asked about are listed as not audited. The status is then 0, because
a service that is out of reach is no fault of the change under test.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PIP_AUDIT = "pip-audit==2.10.1"
SERVICES = ("pypi", "osv")
PINS = ("constraints.txt", "docker/constraints.txt", "docker/requirements.txt")
# A package that every working service knows.
CANARY = "pip==23.2.1"
SECONDS = 900

Ask = Callable[[str, Sequence[str]], list[dict[str, Any]] | None]


def pins() -> list[str]:
    """Return every `name==version` that is installed somewhere, once."""
    text = "\n".join((ROOT / path).read_text(encoding="utf-8") for path in PINS)
    return sorted(set(re.findall(r"^([A-Za-z0-9_.-]+(?:\[[^\]]+\])?==[^\s;#]+)", text, re.MULTILINE)))


def ask(service: str, wanted: Sequence[str]) -> list[dict[str, Any]] | None:
    """Return pip-audit's report of each package, or None where it makes no report."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(wanted))
        file.flush()
        command = [str(ROOT / ".venv/bin/uv"), "tool", "run", "--quiet", "--from", PIP_AUDIT, "pip-audit"]
        options = ["--disable-pip", "--no-deps", "--timeout=10", "--progress-spinner=off", "--format=json"]
        try:
            done = subprocess.run(
                [*command, *options, f"--vulnerability-service={service}", f"--requirement={file.name}"],
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
        except (OSError, subprocess.TimeoutExpired, ValueError, KeyError):
            return None
    return found


def audit(wanted: Sequence[str], ask: Ask) -> tuple[int, list[str]]:
    """Return the exit status, and the lines to print."""
    service = next((name for name in SERVICES if _audited(ask(name, [CANARY]))), None)
    found = ask(service, wanted) if service else None
    if found is None:
        return 0, [
            f"NOT AUDITED: no advisory service answers ({', '.join(SERVICES)}); {len(wanted)} packages stand as is"
        ]
    known = _audited(found)
    lines = [
        f"{one['name']} {one['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'no version'}"
        for one in known
        for found in one["vulns"]
    ]
    missed = len(wanted) - len(known)
    if missed:
        lines.append(f"NOT AUDITED: {missed} of {len(wanted)} packages, which {service} does not know")
    vulnerable = [one for one in known if one["vulns"]]
    lines.append(f"{service}: {len(known)} packages audited, {len(vulnerable)} with known vulnerabilities")
    return bool(vulnerable), lines


def _audited(found: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [one for one in found or () if "skip_reason" not in one]


if __name__ == "__main__":
    status, lines = audit(pins(), ask)
    print("\n".join(lines))
    sys.exit(status)
