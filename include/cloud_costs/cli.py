"""The command line: `sync`, `list-manifests`, `renew`, `export`, `query`, `mcp`, `test-connection`, and more.

On a terminal it shows progress bars; in a pipe or a log, plain lines.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from cloud_costs import environment, export_cli, insights_cli
from cloud_costs.asking.extra import needed
from cloud_costs.charges.views import refresh_views
from cloud_costs.config.sources import Source, load_accounts, load_sources, pick_sources
from cloud_costs.database.schema import apply_schema
from cloud_costs.errors import PermanentError
from cloud_costs.messages import safe
from cloud_costs.months import MonthRange
from cloud_costs.publishing.diagnosis import Diagnosis, diagnose_database, diagnose_source
from cloud_costs.publishing.plan import Plan, PlannedMonth, list_manifests
from cloud_costs.publishing.renew import outdated
from cloud_costs.publishing.renew import renew as derive_again
from cloud_costs.publishing.sync import load_months
from cloud_costs.terminal import console, end, errors

app = typer.Typer(
    help="Load cloud billing exports into cost tables in PostgreSQL.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(insights_cli.anomalies, name="anomalies")
app.command()(insights_cli.insights)
app.command()(export_cli.export)
app.command()(export_cli.query)

SourceOption = Annotated[
    list[str] | None,
    typer.Option("--source", help="A configured source; repeat it for several. Default: all."),
]
FromOption = Annotated[str | None, typer.Option("--from-month", help="First billing month, YYYY-MM.")]
ToOption = Annotated[str | None, typer.Option("--to-month", help="Last billing month, YYYY-MM.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Load unchanged deliveries too.")]
RawOnlyOption = Annotated[bool, typer.Option("--raw-only", help="Publish raw lines and leave normalized as it was.")]


@app.callback()
def main() -> None:
    """Set up logging: `LOG_LEVEL`, default INFO in a log and WARNING on a terminal."""
    default = "WARNING" if console.is_terminal else "INFO"
    level = (os.environ.get("LOG_LEVEL") or default).upper()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("cloud_costs").setLevel(level if level in logging.getLevelNamesMapping() else default)


@app.command()
def sync(
    source: SourceOption = None,
    from_month: FromOption = None,
    to_month: ToOption = None,
    force: ForceOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and load nothing.")] = False,
    raw_only: RawOnlyOption = False,
) -> None:
    """Load every month whose delivery changed, and refresh the views."""
    with errors():
        sources = pick_sources(load_sources(), source)
        plan = _plan(sources, from_month, to_month, force, raw_only)
        if dry_run:
            end(plan.failures.values())
            return
        with _bars(plan) as bars:
            outcome = load_months(
                environment.database(),
                {one.name: one for one in sources},
                environment.storage,
                plan,
                raw_only=raw_only,
                on_step=bars.step,
                progress=bars.advance,
                listed=load_accounts(),
            )
        console.print(f"{len(outcome.published)} month(s) published, {len(outcome.failed)} failed")
        unexported = list(export_cli.export_sources(sources))
    end([*plan.failures.values(), *outcome.failed.values(), *unexported])


@app.command("list-manifests")
def show_manifests(
    source: SourceOption = None,
    from_month: FromOption = None,
    to_month: ToOption = None,
    force: ForceOption = False,
    raw_only: RawOnlyOption = False,
) -> None:
    """Show every month in the buckets, the version that is published, and what a sync would do."""
    with errors():
        plan = _plan(pick_sources(load_sources(), source), from_month, to_month, force, raw_only)
    end(plan.failures.values())


@app.command()
def renew(
    source: SourceOption = None,
    from_month: FromOption = None,
    to_month: ToOption = None,
    force: Annotated[bool, typer.Option("--force", help="Derive months again that today's rules derived.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the months and derive none.")] = False,
) -> None:
    """Derive published months again from their raw lines, where an earlier version of this package derived them."""
    with errors():
        database = environment.database()
        sources = {one.name: one for one in pick_sources(load_sources(), source)}
        months = MonthRange.parse(from_month, to_month)
        apply_schema(database)
        loads = outdated(database, sources, months, force=force)
        if dry_run:
            for load in loads:
                console.print(load.label)
            console.print(f"{len(loads)} month(s) would be derived again")
            return
        renewal = derive_again(database, sources, loads, lambda load: console.print(load.label))
        refresh_views(database)
    console.print(f"{len(renewal.renewed)} month(s) derived again, {len(renewal.failed)} failed")
    end(renewal.failed.values())


@app.command()
def mcp() -> None:
    """Answer a program that speaks the Model Context Protocol, over standard input and output."""
    with errors():
        database = environment.database()
        with needed():
            from cloud_costs.asking.server import create_server
        from cloud_costs.page.costs import Costs
        from cloud_costs.page.pool import Pool
    # One program asks, and it waits for each answer.
    create_server(Costs(Pool(database, size=2), load_sources)).run("stdio")


@app.command("test-connection")
def check_connection() -> None:
    """Connect to PostgreSQL, try everything that loads need of it, and make sure that the tables are there."""
    with errors():
        _show([diagnose_database(environment.database())])


@app.command("test-source")
def check_source(source: SourceOption = None) -> None:
    """List each source's manifests, and read the newest one and the footer of its first file."""
    with errors():
        sources = pick_sources(load_sources(), source)
    _show(diagnose_source(one, environment.storage) for one in sources)


def _show(diagnoses: Iterable[Diagnosis]) -> None:
    """Print each fact as soon as it is known, and at the end all problems."""
    problems = []
    for diagnosis in diagnoses:
        for fact in diagnosis.facts:
            console.print(safe(fact))
        problems += [PermanentError(problem) for problem in diagnosis.problems]
    end(problems)


def _plan(
    sources: tuple[Source, ...], from_month: str | None, to_month: str | None, force: bool, raw_only: bool
) -> Plan:
    database = environment.database()
    months = MonthRange.parse(from_month, to_month)
    apply_schema(database)
    plan = list_manifests(database, sources, environment.storage, months, force=force, raw_only=raw_only)
    for line in plan.lines():
        console.print(line)
    return plan


@dataclass
class _Bars:
    """One bar a month: the step, the rows and the time."""

    progress: Progress
    task: TaskID | None = None

    def step(self, month: PlannedMonth, step: str) -> None:
        if step == "load_raw":
            self.task = self.progress.add_task(month.label, total=None, step=step)
        elif self.task is not None:
            # How many rows a delivery has is known only when they are loaded. From then on the bar takes loading for
            # one of four steps of equal length.
            done = self.progress.tasks[self.task].completed
            over = step in ("published", "failed")
            self.progress.update(self.task, step=step, total=done if over else 4 * done)

    def advance(self, rows: int) -> None:
        if self.task is not None:
            self.progress.advance(self.task, rows)


@contextmanager
def _bars(plan: Plan) -> Iterator[_Bars]:
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} rows  {task.fields[step]}"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with progress:
        yield _Bars(progress)
