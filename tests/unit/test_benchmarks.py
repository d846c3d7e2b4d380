"""The benchmarks' own parts: bars, tables, pages and JSON. Nothing is measured here, and no peer is installed."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.load import PEERS
from benchmarks.results import ROOT, Result, fill_markers, markdown_table, record, write_json
from benchmarks.ways import WAYS

FAST = Result("against the limit", 1.04, "times", at_least=1.0, note="median of 3")
SLOW = Result("memory", 612.4, "MB", at_most=500, details={"runs": [612.4]})
PLAIN = Result("rows", 1_234_567.0, "rows/s")
MACHINE = {
    "date": "2025-01-31 12:00 UTC",
    "commit": "abc1234",
    "cores": 2,
    "cpu": "Some CPU",
    "memory_gb": 16.0,
    "postgresql": {"server_version": "18.4"},
    "python": "3.11.7",
}


def test_bar_is_met_on_its_right_side() -> None:
    assert (FAST.bar, FAST.met) == ("≥ 1", True)
    assert (SLOW.bar, SLOW.met) == ("≤ 500", False)
    assert (PLAIN.bar, PLAIN.met) == ("", None)
    assert Result("publish", 200, "ms", at_most=200).met
    assert not Result("against the limit", 0.999, "times", at_least=1.0).met


def test_table_has_a_row_for_each_result() -> None:
    assert markdown_table([FAST, SLOW, PLAIN]).splitlines() == [
        "| what | measured | bar | met | |",
        "| --- | --: | --: | --- | --- |",
        "| against the limit | 1.04 times | ≥ 1 | yes | median of 3 |",
        "| memory | 612 MB | ≤ 500 | no |  |",
        "| rows | 1,234,567 rows/s |  |  |  |",
    ]


def test_markers_are_filled_again_and_the_rest_stays() -> None:
    page = "before\n<!-- begin benchmark -->\nold\n<!-- end benchmark -->\nafter\n"
    once = fill_markers(page, "benchmark", "| new |")
    assert once == "before\n<!-- begin benchmark -->\n\n| new |\n\n<!-- end benchmark -->\nafter\n"
    assert fill_markers(once, "benchmark", "| new |") == once


@pytest.mark.parametrize("page", ["nothing", "<!-- begin benchmark -->", "<!-- end benchmark -->"])
def test_page_without_both_markers_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="no markers"):
        fill_markers(page, "benchmark", "")


def test_json_holds_the_machine_and_every_result(tmp_path: Path) -> None:
    write_json(tmp_path / "results.json", {"cores": 2}, [FAST, SLOW])
    content = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert content["machine"] == {"cores": 2}
    assert [one["met"] for one in content["results"]] == [True, False]
    assert content["results"][1]["details"] == {"runs": [612.4]}


def test_readme_shows_the_headlines_and_the_page_shows_everything(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    pages = [tmp_path / "README.md", tmp_path / "docs/performance.md"]
    for page in pages:
        page.write_text("<!-- begin benchmarks -->\n<!-- end benchmarks -->\n", encoding="utf-8")
    record(tmp_path, [FAST, replace(SLOW, headline=True), PLAIN], MACHINE)
    readme, performance = (page.read_text(encoding="utf-8") for page in pages)
    assert "| memory | 612 MB |" in readme
    assert "| rows |" not in readme
    assert "| against the limit |" not in readme
    assert "| against the limit |" in performance
    assert "Of 2 rows that have a bar, 1 meet it." in readme
    assert "Of 2 rows that have a bar, 1 meet it." in performance
    assert "(benchmarks/results/throughput.png)" in readme
    assert "| rows | 1,234,567 rows/s |" in performance
    assert "at commit `abc1234`: 2 cores (Some CPU)" in performance
    assert "(../benchmarks/results/results.json)" in performance


@pytest.mark.parametrize("page", ["README.md", "docs/performance.md"])
def test_pages_have_the_place_for_the_table(page: str) -> None:
    assert "| new |" in fill_markers((ROOT / page).read_text(encoding="utf-8"), "benchmarks", "| new |")


def test_every_peer_has_a_way() -> None:
    assert len(PEERS) > 5
    assert {peer.way for peer in PEERS} <= WAYS.keys()


def test_every_benchmark_is_a_documented_module() -> None:
    readme = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    assert BENCHMARKS
    for name in BENCHMARKS:
        assert importlib.util.find_spec(f"benchmarks.{name}"), name
        assert f"| `{name}` | " in readme, name
