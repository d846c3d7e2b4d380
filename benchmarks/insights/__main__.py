"""`make bench-insights`: measure anomalies and forecasts, show the tables, and keep them in `.bench/insights`.

The settings were chosen on the sources of `TUNED`. Those of `HELD` were kept apart, and are what is reported.
`--record` also writes the plots and the JSON to `benchmarks/results`, and the tables of docs/insights.md.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean, median
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import database, machine
from benchmarks.insights import late, plots, real, speed
from benchmarks.insights.months import DAYS_OF_MONTH, LEVELS, Try, period_tries, tries
from benchmarks.insights.scoring import (
    Score,
    Told,
    is_lasting,
    is_spike,
    mean_and_two_sigma,
    ours,
    score,
    simple,
    yesterday_times,
)
from benchmarks.insights.year import Planted, Source, make
from benchmarks.results import ROOT, Result, fill_markers, markdown_table
from cloud_costs.demo import embedded_postgres

TUNED, HELD = (1, 2, 3, 4), (101, 102, 103, 104)
WORK, RECORDED = ROOT / ".bench", ROOT / "benchmarks" / "results"
PAGE, MARKER = ROOT / "docs" / "insights.md", "insights"
METHODS: dict[str, Callable[[Source], list[Told]]] = {
    "Cloud Costs": ours,
    "mean and 2 sigma of 30 days": lambda source: simple(source, mean_and_two_sigma),
    "yesterday and 30 %": lambda source: simple(source, yesterday_times),
}

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)


@app.command()
def bench(
    accounts: Annotated[int, typer.Option(min=2, help="Accounts of each source that speed is measured on.")] = 400,
    keep: Annotated[bool, typer.Option("--record", help="Write results and docs/insights.md.")] = False,
) -> None:
    """Measure everything."""
    held, tuned = ([make(seed) for seed in seeds] for seeds in (HELD, TUNED))
    sources = [source for one in held for source in one]
    scores = {name: score(sources, tell) for name, tell in METHODS.items()}
    tuned_score = score([source for one in tuned for source in one], ours)
    found = [one for group in held for one in tries(group)]
    longer = _together(period_tries(group) for group in held)
    masked, unmasked = (late.false_events(sources, masked=masked) for masked in (True, False))
    WORK.mkdir(exist_ok=True)
    server = database.start(WORK / "insights")
    try:
        facts = machine.facts(server)
        month, fast = real.measure(server), speed.measure(server, accounts)
    finally:
        embedded_postgres.stop(server.data_dir)
    results = [*_events(scores["Cloud Costs"]), *_months(found), *_periods(longer), *_speed(fast)]
    text = "\n\n".join(
        [
            markdown_table(results),
            _methods(scores, tuned_score),
            _kinds(scores["Cloud Costs"]),
            _levels(found),
            _parts(longer),
            _late(masked, unmasked),
            _real(month),
            _measured_on(facts, fast),
        ]
    )
    console.print(text)
    _write(WORK / "results", text, results, scores, found, facts)
    if keep:
        _write(RECORDED, text, results, scores, found, facts)
        page = PAGE.read_text(encoding="utf-8")
        images = "\n\n".join(f"![{alt}](../benchmarks/results/{name}.png)" for name, alt in plots.NAMES.items())
        PAGE.write_text(fill_markers(page, MARKER, f"{text}\n\n{images}"), encoding="utf-8")


def _events(one: Score) -> list[Result]:
    note = f"of {len(one.found) + len(one.missed)} planted events"
    return [
        Result("events: precision", one.precision, "", at_least=0.8, note=f"of {len(one.found) + len(one.wrong)} told"),
        Result("events of ≥ 50 %, two days or more: recall", one.recall(is_lasting), "", at_least=0.9, note=note),
        Result("spikes of ≥ 100 % on one day: recall", one.recall(is_spike), "", at_least=0.8),
        Result("false events, a source and month", one.false_a_month, "", at_most=1),
    ]


def _months(found: Sequence[Try]) -> list[Result]:
    results = []
    for day in DAYS_OF_MONTH:
        of_day = [one for one in found if one.day == day]
        error, line = (
            100 * mean(values) for values in ([one.error for one in of_day], [one.line_error for one in of_day])
        )
        note = f"{error:.1f} %, the straight line {line:.1f} %; {len(of_day):,} months"
        results.append(
            Result(f"forecast on day {day}: error, against the line's", error / line, "times", at_most=1, note=note)
        )
        inside = 100 * mean(one.is_inside for one in of_day)
        note = f"{inside:.0f} % of months ended in it"
        results.append(
            Result(f"forecast on day {day}: coverage, off 80 % by", abs(inside - 80), "points", at_most=10, note=note)
        )
    return results


def _together(groups: Iterable[dict[str, list[Try]]]) -> dict[str, list[Try]]:
    found: dict[str, list[Try]] = {}
    for group in groups:
        for kind, made in group.items():
            found.setdefault(kind, []).extend(made)
    return found


def _periods(longer: dict[str, list[Try]]) -> list[Result]:
    """Return how many quarters and years ended in their intervals, as of the middle of each month."""
    results = []
    for kind, made in longer.items():
        inside = 100 * mean(one.is_inside for one in made)
        note = f"{inside:.0f} % of {len(made):,} tries ended in it"
        results.append(
            Result(f"forecast of a {kind}: coverage, off 80 % by", abs(inside - 80), "points", at_most=10, note=note)
        )
    return results


def _speed(run: speed.Run) -> list[Result]:
    note = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in run.seconds.items())
    total = sum(seconds for name, seconds in run.seconds.items() if name != "first run")
    return [
        Result("all tasks, 36 months of three sources", total, "s", at_most=60, note=f"{run.rows:,} rows: {note}"),
        Result("peak memory of the process", run.peak / 1e6, "MB", at_most=1000),
    ]


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _methods(scores: dict[str, Score], tuned: Score) -> str:
    """Return the methods on the same data, and ours on the data that it was tuned on."""
    rows = [
        (
            name,
            f"{one.precision:.2f}",
            f"{one.recall(is_lasting):.2f}",
            f"{one.recall(is_spike):.2f}",
            f"{one.recall(lambda planted: True):.2f}",
            f"{one.false_a_month:.1f}",
        )
        for name, one in {**scores, "Cloud Costs, where it was tuned": tuned}.items()
    ]
    header = ("method", "precision", "recall, lasting", "recall, spikes", "recall, all", "false a source and month")
    return _table(header, rows)


def _kinds(one: Score) -> str:
    """Return recall and days to detect by what was planted: 0 is the first day of the event."""

    def name(planted: Planted) -> tuple[str, float, str]:
        return planted.kind, planted.factor, "under 20 a day" if planted.base < 20 else "20 a day or more"

    rows = []
    for kind in sorted({name(planted) for planted in (*(planted for planted, _ in one.found), *one.missed)}):
        waited = [max(0, told.noticed - planted.first) for planted, told in one.found if name(planted) == kind]
        total = len(waited) + sum(name(planted) == kind for planted in one.missed)
        factor = f"{kind[1]:+.0%}" if kind[0] != "new" else ""
        label = ", ".join((f"{kind[0]} {factor}".strip(), kind[2]))
        rows.append((label, total, f"{len(waited) / total:.2f}", f"{median(waited):g}" if waited else ""))
    return _table(("planted", "events", "recall", "days to detect, median"), rows)


def _levels(found: Sequence[Try]) -> str:
    """Return errors and coverage by day and level."""
    rows = []
    for level in LEVELS:
        for day in DAYS_OF_MONTH:
            group = [one for one in found if (one.level, one.day) == (level, day)]
            values = (
                mean(one.error for one in group),
                mean(one.line_error for one in group),
                mean(one.is_inside for one in group),
            )
            rows.append((f"{level}, day {day}", len(group), f"{values[0]:.1%}", f"{values[1]:.1%}", f"{values[2]:.0%}"))
    return _table(("level", "months", "error", "straight line", "in the interval"), rows)


def _parts(longer: dict[str, list[Try]]) -> str:
    """Return errors and coverage of quarters by their month, and of years by their quarter."""
    rows = []
    for kind, part, months in (("quarter", "month", 1), ("year", "quarter", 3)):
        count = 3 if kind == "quarter" else 4
        for number in range(count):
            group = [one for one in longer[kind] if (one.month.month - 1) // months % count == number]
            values = (
                mean(one.error for one in group),
                mean(one.line_error for one in group),
                mean((one.high - one.low) / one.actual for one in group),
                mean(one.is_inside for one in group),
            )
            label = f"{kind}, in its {part} {number + 1}"
            rows.append(
                (
                    label,
                    len(group),
                    *(f"{value:.1%}" for value in values[:2]),
                    *(f"{value:.0%}" for value in values[2:]),
                )
            )
    return _table(("period", "tries", "error", "straight line", "width of the interval", "in the interval"), rows)


def _late(masked: tuple[int, int], unmasked: tuple[int, int]) -> str:
    return (
        f"In {masked[1]} runs on mornings whose last days were not complete, {masked[0]} false event(s) of the last "
        f"week were told. Without knowing which days still grow it were {unmasked[0]}."
    )


def _real(month: real.Real | None) -> str:
    if month is None:
        return "The real month was not there."
    rows = [
        (f"{factor:+.0%} on {days} day(s)", total, f"{found / total:.2f}")
        for (days, factor), (found, total) in month.found.items()
    ]
    told = "; ".join(
        f"{one.service or 'all services'}, {one.first_date} to {one.last_date}, {one.impact:+,.0f} USD"
        for one in month.told
    )
    return (
        f"The real month, October 2018, has {month.series} series. Of its days from the 15th on, this is told: "
        f"{told or 'nothing'}. Events that were planted in it, one at a time:\n\n"
        + _table(("planted in the real month", "tries", "found"), rows)
    )


def _measured_on(facts: dict[str, Any], fast: speed.Run) -> str:
    return (
        f"Measured on {facts['date']} at commit `{facts['commit']}`: {facts['cores']} cores ({facts['cpu']}), load "
        f"average {facts['load_average']}, PostgreSQL {facts['postgresql']['server_version']}, "
        f"Python {facts['python']}. "
        f"The generated data are seeds {', '.join(map(str, HELD))}, three sources each. The settings were chosen on "
        f"seeds {', '.join(map(str, TUNED))}. [All numbers](../benchmarks/results/insights.json)."
    )


def _write(
    folder: Path, text: str, results: Sequence[Result], scores: dict[str, Score], found: Sequence[Try], facts: Any
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    plots.draw(scores, found, folder)
    content = {
        "machine": facts,
        "results": [one.to_dict() for one in results],
        "methods": {
            name: {
                "found": [asdict(planted) | {"told": asdict(told)} for planted, told in one.found],
                "missed": [asdict(planted) for planted in one.missed],
                "wrong": [asdict(told) for told in one.wrong] if name == "Cloud Costs" else len(one.wrong),
            }
            for name, one in scores.items()
            if name == "Cloud Costs"
        },
        "text": text.splitlines(),
    }
    (folder / "insights.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    app(prog_name="make bench-insights")
