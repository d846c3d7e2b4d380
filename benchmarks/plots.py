"""The plots, made from the results' JSON alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot

OURS, OTHERS, LIMIT = "#1f6feb", "#9aa4b1", "#d1242f"
WIDTH, DPI = 8, 120


def draw(results: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Draw what the results have the data for, and return the files."""
    pyplot.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 10})
    paths = []
    for one in results:
        details = one["details"]
        if "ways" in details:
            paths.append(_throughput(details["ways"], folder / "throughput.png"))
        if "sizes" in details:
            paths.append(_time_against_size(details["sizes"], folder / "time-against-size.png"))
    memory = [one for one in results if "samples" in one["details"]]
    if memory:
        paths.append(_memory_over_time(memory, folder / "memory-over-time.png"))
    return paths


def _throughput(ways: Mapping[str, Mapping[str, Any]], path: Path) -> Path:
    """Draw rows a second of every way, the fastest first."""
    ordered = sorted(ways, key=lambda title: ways[title]["rate"])
    rates = [ways[title]["rate"] for title in ordered]
    colours = [
        OURS if title.startswith("Cloud") else LIMIT if title.startswith("COPY") else OTHERS for title in ordered
    ]
    figure, axes = pyplot.subplots(figsize=(WIDTH, 0.42 * len(ordered) + 1))
    bars = axes.barh(ordered, rates, color=colours)
    axes.bar_label(bars, [f"{rate:,.0f}" for rate in rates], padding=4)
    axes.set_xlabel("lines a second into PostgreSQL, median")
    axes.margins(x=0.12)
    return save(figure, path)


def _memory_over_time(results: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Draw the memory of each load over the share of its time, so that sizes can be compared."""
    figure, axes = pyplot.subplots(figsize=(WIDTH, 3.6))
    for one in results:
        samples = one["details"]["samples"]
        end = samples[-1][0]
        label = f"{one['name'].rpartition(', ')[2]} ({end:.0f} s)"
        axes.plot([at / end for at, _, _ in samples], [rss for _, rss, _ in samples], label=label)
    axes.set(xlabel="share of the load's time", ylabel="MB resident", ylim=(0, None), xlim=(0, 1))
    axes.legend(frameon=False, loc="lower center")
    return save(figure, path)


def _time_against_size(sizes: Mapping[str, Mapping[str, Any]], path: Path) -> Path:
    """Draw the seconds of all steps, and of each, against the lines of the month, both on logarithmic scales."""
    rows = [one["rows"] for one in sizes.values()]
    figure, axes = pyplot.subplots(figsize=(WIDTH, 3.6))
    axes.loglog(rows, [one["seconds"] for one in sizes.values()], color="black", marker="o", label="all steps")
    for step in next(iter(sizes.values()))["steps"]:
        axes.loglog(rows, [one["steps"][step] for one in sizes.values()], marker=".", linewidth=1, label=step)
    axes.set(xlabel="lines in the month", ylabel="seconds")
    axes.set_xticks(rows, [f"{int(size):,}" for size in sizes], minor=False)
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(frameon=False, fontsize="small")
    return save(figure, path)


def save(figure: Any, path: Path) -> Path:
    """Write a figure, without the version of the program that drew it."""
    figure.tight_layout()
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    pyplot.close(figure)
    return path
