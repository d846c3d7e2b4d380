"""`make conformance`: one month of `focus_costs`, checked with focus-validator against the FOCUS 1.2 rules.

The month is loaded into a scratch PostgreSQL. A failing rule that is neither known nor documented
(`charges/conformance_gaps.py`) fails the command.
"""

import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from cloud_costs.charges.conformance import Failure, count_unseen, export_month, new_rules, validate, verdicts
from cloud_costs.charges.conformance_gaps import GAPS, REAL, SAMPLE_BILL
from cloud_costs.charges.views import refresh_views
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.demo import embedded_postgres
from cloud_costs.demo.sample_bill import Bill, write_month
from cloud_costs.months import month_label
from cloud_costs.publishing.sync import load_month
from cloud_costs.storage.local import LocalStorage

ROOT = Path(__file__).resolve().parents[3]
VALIDATOR = ROOT / ".venv" / "conformance"
REAL_MONTH = ROOT.parent / "shared" / "data" / "aws-workshop-2018"


@dataclass(frozen=True)
class Month:
    """A month to check: its title in messages, and the export that holds it."""

    title: str
    source: Source
    billing_month: date


console = Console(highlight=False, soft_wrap=True)
app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)


@app.command()
def main() -> None:
    """Check the sample bill, and the real month when it is there; exit with 1 when a new rule fails."""
    logging.basicConfig(level=logging.WARNING)
    new = 0
    with scratch() as (folder, server):
        for month in months(folder):
            console.print(f"\n[bold]{month.title}[/bold], {month_label(month.billing_month)}")
            database = load(server, month)
            export = folder / f"{month.source.name}.parquet"
            count = export_month(database, month.billing_month, export)
            summary, failures = validate(VALIDATOR, export)
            unseen = count_unseen(database)
            _print(month, count, summary, failures, unseen)
            new += len(new_rules(failures))
    if not REAL_MONTH.exists():
        console.print(f"\n{REAL} skipped: ../shared/data/{REAL_MONTH.name} is not there")
    if new:
        console.print(f"\n[red]{new} new failing rule(s)[/red]: mend the mapping, or add the reason to GAPS")
    raise typer.Exit(1 if new else 0)


@contextmanager
def scratch() -> Iterator[tuple[Path, embedded_postgres.Server]]:
    """Start a PostgreSQL in a temporary folder, give both, and in the end stop it and remove the folder."""
    folder = Path(tempfile.mkdtemp(prefix="cloud-costs-conformance-"))
    try:
        yield folder, embedded_postgres.start(folder / "postgres", settings={"fsync": "off"})
    finally:
        embedded_postgres.stop(folder / "postgres")
        shutil.rmtree(folder, ignore_errors=True)


def months(folder: Path) -> Iterator[Month]:
    """Yield the sample bill's month, written to `folder`, and the real one when it is there."""
    bill = Bill()
    january = date(2025, 1, 1)
    write_month(bill, january, folder / "bucket")
    uri = f"file://{folder}/bucket/{bill.prefix}/{bill.report}/"
    yield Month(SAMPLE_BILL, Source(name="sample", format="aws_cur", uri=uri), january)
    if REAL_MONTH.exists():
        uri = f"file://{REAL_MONTH}/workshop/WorkshopCUR/"
        yield Month(REAL, Source(name="workshop", format="aws_cur", uri=uri), date(2018, 10, 1))


def load(server: embedded_postgres.Server, month: Month) -> Database:
    """Take the month through all steps, in a schema of its own."""
    database = Database(lambda: psycopg.connect(server.uri()), month.source.name, "scratch")
    apply_schema(database)
    load_month(database, LocalStorage(), month.source, month.billing_month)
    refresh_views(database)
    return database


def _print(month: Month, count: int, summary: str, failures: Sequence[Failure], unseen: Mapping[str, int]) -> None:
    """Print the failing rules. Compound rules are left out, because their failing parts are printed."""
    console.print(f"{count:,} rows. {summary}", markup=False)
    documented = {gap.rule: gap.rows[month.title] for gap in GAPS}
    table = Table("verdict")
    table.add_column("rule", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("documented", justify="right")
    found = verdicts(failures)
    for failure in sorted(failures, key=lambda failure: (found[failure.rule], failure.rule)):
        if found[failure.rule] == "NEW" or not failure.children:
            expected = f"{documented[failure.rule]:,}" if failure.rule in documented else ""
            style = "red" if found[failure.rule] == "NEW" else None
            table.add_row(found[failure.rule], failure.rule, f"{failure.rows:,}", expected, style=style)
    for rule, rows in unseen.items():
        table.add_row("gap", f"{rule} (unseen)", f"{rows:,}", f"{documented[rule]:,}")
    console.print(table)
    for failure in failures:
        if found[failure.rule] == "NEW":
            console.print(f"NEW {failure.rule}: {failure.message}", markup=False)


if __name__ == "__main__":
    if not VALIDATOR.exists():
        sys.exit("run make conformance, which makes the validator's environment")
    app(prog_name="make conformance")
