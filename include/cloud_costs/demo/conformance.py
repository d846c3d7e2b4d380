"""`make conformance`: a month of each provider, checked with focus-validator against the FOCUS 1.2 rules.

The months are loaded into a scratch PostgreSQL. A failing rule that is neither known nor documented
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
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.table import Table

from cloud_costs.charges.conformance import Counts, Failure, count_gaps, export_month, new_rules, validate, verdicts
from cloud_costs.charges.focus_versions import columns_of_version
from cloud_costs.charges.views import refresh_views
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.demo import embedded_postgres
from cloud_costs.demo.sample_bill import Bill, azure, gcp, write_month
from cloud_costs.demo.sample_bill.bill import Format
from cloud_costs.months import month_label
from cloud_costs.publishing.sync import load_month
from cloud_costs.storage.local import LocalStorage

ROOT = Path(__file__).resolve().parents[3]
VALIDATOR = ROOT / ".venv" / "conformance"
REAL_MONTH = ROOT.parent / "shared" / "data" / "aws-workshop-2018"
REAL = "real month"
JANUARY = date(2025, 1, 1)
# Usage lines of each sample bill; what else is on a bill, which most gaps are of, comes on top.
LINES = 500
AWS_FORMATS: Mapping[str, Format] = {"CUR": "aws_cur", "CUR 2.0": "aws_cur2", "FOCUS export": "aws_focus"}
AZURE_BILLS = {
    "costs, EA": azure.AzureBill(lines=LINES),
    "costs, MCA": azure.AzureBill(lines=LINES, agreement="MCA"),
    "costs, pay-as-you-go": azure.AzureBill(lines=LINES, agreement="payg", amortized=False),
    "FocusCost, EA": azure.AzureBill(lines=LINES, format="azure_focus"),
    "FocusCost, MCA": azure.AzureBill(lines=LINES, format="azure_focus", agreement="MCA"),
}


@dataclass(frozen=True)
class Month:
    """A month to check: the provider of its bill, its title in messages, and the export that holds it."""

    provider: str
    title: str
    source: Source
    billing_month: date = JANUARY


console = Console(highlight=False, soft_wrap=True)
app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)


@app.command()
def main() -> None:
    """Check each provider's sample bill, and the real month when it is there; exit with 1 when a new rule fails."""
    logging.basicConfig(level=logging.ERROR)
    new = 0
    with scratch() as (folder, server):
        database = scratch_database(server)
        for month in months(folder / "bucket"):
            load_month(database, LocalStorage(), month.source, month.billing_month)
            refresh_views(database)
            new += _check(database, month, folder / f"{month.source.name}.parquet")
    if not REAL_MONTH.exists():
        console.print(f"\n{REAL} skipped: ../shared/data/{REAL_MONTH.name} is not there")
    if new:
        console.print(f"\n[red]{new} new failing rule(s)[/red]: mend the mapping, or add the reason to GAPS")
    raise typer.Exit(1 if new else 0)


def _check(database: Database, month: Month, export: Path) -> int:
    """Print what the validator says of a month; return how many rules fail without a reason."""
    console.print(f"\n[bold]{month.provider}: {month.title}[/bold], {month_label(month.billing_month)}")
    export_month(database, month.source.name, month.billing_month, export)
    summary, failures = validate(VALIDATOR, export)
    _print(month, count_gaps(database, month.source.name, month.provider), summary, failures)
    return len(new_rules(month.provider, failures))


@contextmanager
def scratch() -> Iterator[tuple[Path, embedded_postgres.Server]]:
    """Start a PostgreSQL in a temporary folder, give both, and in the end stop it and remove the folder."""
    folder = Path(tempfile.mkdtemp(prefix="cloud-costs-conformance-"))
    try:
        yield folder, embedded_postgres.start(folder / "postgres", settings={"fsync": "off"})
    finally:
        embedded_postgres.stop(folder / "postgres")
        shutil.rmtree(folder, ignore_errors=True)


def scratch_database(server: embedded_postgres.Server) -> Database:
    """Return a database that all months are loaded into, with its tables."""
    database = Database(lambda: psycopg.connect(server.uri()), "conformance", "scratch")
    apply_schema(database)
    return database


def months(bucket: Path) -> Iterator[Month]:
    """Yield the months of each provider's sample bill, written to `bucket`, and the real one when it is there."""
    yield from _months_of_aws(bucket)
    for number, (title, bill) in enumerate(AZURE_BILLS.items(), 1):
        folder = bucket / f"azure-{number}"
        azure.write_month(bill, JANUARY, folder)
        amortized = f"file://{folder}/{bill.amortized_root}/" if bill.has_two_exports else None
        uri = f"file://{folder}/{bill.root}/"
        yield Month(
            "Azure", title, Source(name=f"azure_{number}", format=bill.format, uri=uri, amortized_uri=amortized)
        )
    google = gcp.GoogleBill(lines=LINES)
    gcp.write_google_month(google, JANUARY, bucket)
    uri = f"file://{bucket}/{google.prefix}/"
    yield Month("Google Cloud", "detailed export", Source(name="google", format="gcp_billing", uri=uri))
    for version in ("1.0", "1.2", "1.4"):
        folder = bucket / f"vendor-{version}"
        write_month(Bill(lines=LINES, files=1, format="aws_focus"), JANUARY, folder)
        _bring_to_version(folder, version)
        source = Source(name=f"vendor_{version[2:]}", format="focus", uri=f"file://{folder}/")
        yield Month("FOCUS files", version, source)


def _months_of_aws(bucket: Path) -> Iterator[Month]:
    for number, (title, form) in enumerate(AWS_FORMATS.items(), 1):
        bill = Bill(prefix=f"aws-{number}", lines=LINES, format=form)
        write_month(bill, JANUARY, bucket)
        yield Month("AWS", title, Source(name=f"aws_{number}", format=form, uri=f"file://{bucket}/{bill.root}/"))
    if REAL_MONTH.exists():
        source = Source(name="workshop", format="aws_cur", uri=f"file://{REAL_MONTH}/workshop/WorkshopCUR/")
        yield Month("AWS", REAL, source, date(2018, 10, 1))


def _bring_to_version(folder: Path, version: str) -> None:
    """Leave the files of a FOCUS 1.2 export with the columns that a version has, in the folder of their month."""
    [file] = folder.rglob("data/**/*.parquet")
    charges = pq.read_table(file)
    newer = {"ServiceProviderName": charges["ProviderName"], "HostProviderName": charges["ProviderName"]}
    wanted = {column.name for column in columns_of_version(version)}
    columns = {name: charges[name] for name in charges.column_names} | newer
    table = pa.table({name: column for name, column in columns.items() if name in wanted})
    shutil.rmtree(folder)
    (folder / "2025-01").mkdir(parents=True)
    pq.write_table(table, folder / "2025-01" / "charges.parquet")


def _print(month: Month, counts: Counts, summary: str, failures: Sequence[Failure]) -> None:
    """Print the failing rules. Compound rules are left out, because their failing parts are printed."""
    console.print(f"{counts.charges:,} charges. {summary}", markup=False)
    table = Table("verdict")
    table.add_column("rule", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("charges that break it", justify="right")
    found = verdicts(month.provider, failures)
    for failure in sorted(failures, key=lambda failure: (found[failure.rule], failure.rule)):
        if found[failure.rule] == "NEW" or not failure.children:
            counted = f"{counts.broken[failure.rule]:,}" if failure.rule in counts.broken else ""
            style = "red" if found[failure.rule] == "NEW" else None
            rule = f"{failure.rule} (unseen)" if failure.unseen else failure.rule
            table.add_row(found[failure.rule], rule, f"{failure.rows:,}", counted, style=style)
    console.print(table)
    for failure in failures:
        if found[failure.rule] == "NEW":
            console.print(f"NEW {failure.rule}: {failure.message}", markup=False)


if __name__ == "__main__":
    if not VALIDATOR.exists():
        sys.exit("run make conformance, which makes the validator's environment")
    app(prog_name="make conformance")
