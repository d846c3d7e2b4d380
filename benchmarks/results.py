"""What a benchmark is given and what it returns, and how results become tables, pages and JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloud_costs.demo.embedded_postgres import Server

ROOT = Path(__file__).resolve().parents[1]
MARKER = "benchmarks"
PLOTS = ("throughput", "memory-over-time", "time-against-size")


@dataclass(frozen=True)
class Options:
    """What to measure with: `work` is a folder for everything that is made, `runs` how often short things are done.

    `server` is a PostgreSQL of the benchmarks' own; a benchmark makes its databases or schemas there and drops them.
    """

    server: Server
    work: Path
    lines: int = 1_000_000
    large: bool = False
    runs: int = 3


@dataclass(frozen=True)
class Result:
    """One row of the table: a measured value, and the bar that it is held against, if any.

    `details` is what a reader of the JSON needs to judge the value: single runs, sizes, settings. JSON types only.
    `headline` is true for what the README shows too.
    """

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""
    headline: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bar(self) -> str:
        """The bar as the table shows it; empty when there is none."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}" if self.at_most is not None else ""

    @property
    def met(self) -> bool | None:
        """Whether the value is on the right side of the bar; None when there is none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return self.value <= self.at_most if self.at_most is not None else None

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON types."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "bar": self.bar,
            "met": self.met,
            "note": self.note,
            "details": dict(self.details),
        }


def markdown_table(results: Iterable[Result]) -> str:
    """Return the results as a Markdown table."""
    header = ["| what | measured | bar | met | |", "| --- | --: | --: | --- | --- |"]
    return "\n".join([*header, *(f"| {' | '.join(cells)} |" for cells in table_rows(results))])


def table_rows(results: Iterable[Result]) -> list[tuple[str, str, str, str, str]]:
    """Return the cells of the table: what, measured, bar, met, note."""
    return [
        (
            one.name,
            f"{number(one.value)} {one.unit}".strip(),
            one.bar,
            {True: "yes", False: "no", None: ""}[one.met],
            one.note,
        )
        for one in results
    ]


def number(value: float) -> str:
    """Return a value with three significant digits, or as a whole number with thousands."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def fill_markers(text: str, name: str, content: str) -> str:
    """Return a page with everything between its markers `name` replaced.

    Raises `ValueError` for a page that does not have both markers.
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, opened, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise ValueError(f"the page has no markers {begin!r} and {end!r}")
    return f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}"


def write_json(path: Path, machine: Mapping[str, Any], results: Sequence[Result]) -> None:
    """Write the results and what they were measured on."""
    content = {"machine": dict(machine), "results": [one.to_dict() for one in results]}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def section(results: Iterable[Result], machine: Mapping[str, Any], folder: str, plots: Sequence[str]) -> str:
    """Return what a page shows: the table, what it was measured on, and plots; `folder` leads to the results."""
    postgresql, python = machine["postgresql"]["server_version"], machine["python"]
    lines = [
        markdown_table(results),
        "",
        f"Measured on {machine['date']} at commit `{machine['commit']}`: {machine['cores']} cores ({machine['cpu']}), "
        f"{machine['memory_gb']} GB of memory, PostgreSQL {postgresql}, Python {python}; [all numbers, settings and "
        f"versions]({folder}/results.json).",
    ]
    for name in plots:
        lines += ["", f"![{name.replace('-', ' ').capitalize()}]({folder}/{name}.png)"]
    return "\n".join(lines)


def verdict(results: Sequence[Result]) -> str:
    """Return how many bars were met, of all rows that have one."""
    met = [one.met for one in results if one.met is not None]
    return f"Of {len(met)} rows that have a bar, {sum(met)} meet it."


def record(root: Path, results: Sequence[Result], machine: Mapping[str, Any]) -> None:
    """Write the latest results into the pages: the README shows the headlines, docs/performance.md everything."""
    headlines = [one for one in results if one.headline]
    for page, shown, folder, plots in (
        ("README.md", headlines, "benchmarks/results", PLOTS[:1]),
        ("docs/performance.md", results, "../benchmarks/results", PLOTS),
    ):
        path = root / page
        content = f"{section(shown, machine, folder, plots)}\n\n{verdict(results)}"
        text = fill_markers(path.read_text(encoding="utf-8"), MARKER, content)
        path.write_text(text, encoding="utf-8")
