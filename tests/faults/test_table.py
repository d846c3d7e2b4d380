"""The table of docs/reliability.md names tests that are there, and how often they try their fault."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reliability.md"
ROW = re.compile(
    r"^\| (?P<fault>[^|]+) \|.*\| (?P<tests>`test_[^|]+`) \| (?P<tried>[0-9,]+) \| (?P<lost>[^|]+) \|$", re.MULTILINE
)
# A part in brackets stands for the tries that have it in their name.
TEST = re.compile(r"`(?P<file>test_\w+\.py)::(?P<name>test_\w+)(?:\[(?P<part>[\w -]+)\])?`")
COLLECT = """
import json, pytest, sys

class Count:
    def pytest_collection_finish(self, session):
        found = []
        for item in session.items:
            mark = item.get_closest_marker("tries")
            found.append([item.path.name, item.originalname, item.name, mark.args[0] if mark else 1])
        print("COUNTED" + json.dumps(found))

sys.exit(pytest.main(["--collect-only", "-qq", *sys.argv[1:]], plugins=[Count()]))
"""


@pytest.fixture(scope="module")
def collected() -> list[tuple[str, str, str, int]]:
    """Every test of the files that the page names: file, function, name with parameters, and its tries."""
    names = {match["file"] for match in TEST.finditer(PAGE.read_text(encoding="utf-8"))}
    paths = [str(path) for path in sorted((ROOT / "tests").rglob("test_*.py")) if path.name in names]
    result = subprocess.run(
        [sys.executable, "-c", COLLECT, *paths], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [tuple(one) for one in json.loads(result.stdout.partition("COUNTED")[2].splitlines()[0])]


def test_table_names_every_test_and_how_often_it_tries(collected: list[tuple[str, str, str, int]]) -> None:
    rows = list(ROW.finditer(PAGE.read_text(encoding="utf-8")))
    assert len(rows) > 10
    said = {row["fault"]: int(row["tried"].replace(",", "")) for row in rows}
    tried = {
        row["fault"]: sum(
            tries
            for match in TEST.finditer(row["tests"])
            for file, function, name, tries in collected
            if (file, function) == (match["file"], match["name"]) and (match["part"] or "") in name
        )
        for row in rows
    }
    assert said == tried
    assert {row["lost"] for row in rows} == {"nothing"}
    named = {(match["file"], match["name"]) for row in rows for match in TEST.finditer(row["tests"])}
    assert named <= {(file, function) for file, function, *_ in collected}
    here = {path.name for path in Path(__file__).parent.glob("test_*.py")} - {Path(__file__).name}
    assert {(file, function) for file, function, *_ in collected if file in here} <= named
