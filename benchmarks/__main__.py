"""`make bench`: measure, show the table, and keep results and plots in `.bench/results`.

`--record` also writes them to `benchmarks/results`, and the tables of the README and of docs/performance.md.
"""

import fcntl
import importlib
import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import database, machine
from benchmarks.results import ROOT, Options, Result, record, table_rows, write_json
from cloud_costs.demo import embedded_postgres
from cloud_costs.demo.embedded_postgres import Server

WORK = ROOT / ".bench"
RECORDED = ROOT / "benchmarks" / "results"
BENCHMARKS = ("load", "scale", "clouds", "export", "list_manifests", "queries", "page", "airflow_overhead")

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


@app.command()
def bench(
    lines: Annotated[int, typer.Option(min=1000, help="Usage lines of the month.")] = 1_000_000,
    large: Annotated[bool, typer.Option("--large", help="Load a month of ten million lines too.")] = False,
    runs: Annotated[int, typer.Option(min=1, help="How often short things are measured.")] = 3,
    only: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(BENCHMARKS)}; repeat it.")] = None,
    keep: Annotated[bool, typer.Option("--record", help="Write results, README and docs/performance.md.")] = False,
) -> None:
    """Measure everything, or only some of it."""
    names = only or list(BENCHMARKS)
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(BENCHMARKS)}")
    if keep and only:
        raise typer.BadParameter("--record writes whole results; leave --only out")
    logging.getLogger("cloud_costs").setLevel(logging.WARNING)
    results: list[Result] = []
    failed = []
    with _server() as server:
        options = Options(server, WORK, lines, large, runs)
        facts = machine.facts(server)
        for name in names:
            found = _measure(name, options)
            results += found
            failed += [] if found else [name]
    _show(results, facts)
    _write(results, facts, WORK / "results")
    if failed:
        _stop(f"{', '.join(failed)} failed; nothing is recorded")
    if keep:
        _write(results, facts, RECORDED)
        record(ROOT, results, facts)


@contextmanager
def _server() -> Iterator[Server]:
    """Start the server, and stop it at the end; one run at a time has it for itself."""
    WORK.mkdir(exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _stop("another make bench is running here")
        server = database.start(WORK)
        try:
            yield server
        finally:
            embedded_postgres.stop(server.data_dir)


def _stop(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)


def _measure(name: str, options: Options) -> list[Result]:
    """Return the results of one benchmark, or none when it failed: the others were not measured for nothing."""
    began = time.monotonic()
    try:
        with console.status(name):
            results: list[Result] = importlib.import_module(f"benchmarks.{name}").run(options)
    except Exception:
        console.print(f"[red]✗[/red] {name}")
        traceback.print_exc()
        return []
    console.print(f"[green]✓[/green] {name} ({time.monotonic() - began:.0f} s)")
    return results


def _show(results: list[Result], facts: dict[str, object]) -> None:
    table = Table("what", title=f"{facts['cores']} cores, {facts['cpu']}, {facts['date']}", title_justify="left")
    for name in ("measured", "bar"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("met", "note"):
        table.add_column(name)
    for cells in table_rows(results):
        table.add_row(*cells, style="red" if cells[3] == "no" else None)
    console.print(table)


def _write(results: list[Result], facts: dict[str, object], folder: Path) -> None:
    from benchmarks import plots

    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "results.json", facts, results)
    plots.draw([one.to_dict() for one in results], folder)
    console.print(f"Results and plots are in {folder.relative_to(ROOT)}")


if __name__ == "__main__":
    app(prog_name="make bench")
