"""`make conformance`: one month of `focus_costs`, checked with focus-validator against the FOCUS 1.2 rules.

The month is loaded into a scratch PostgreSQL, exported under the specification's own column names, and read by the
validator in an environment of its own. The validator exits with 0 even when rules fail, so what it prints decides:
a failing rule is one that fails on conformant data too (KNOWN), one that `docs/focus-conformance.md` gives the reason
of (GAPS), or new, and a new one fails the command.
"""

import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import psycopg
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import typer
from psycopg import sql
from rich.console import Console
from rich.table import Table

from cloud_costs import embedded_postgres, views
from cloud_costs.audit import audit
from cloud_costs.config import Source
from cloud_costs.load import load_raw
from cloud_costs.months import month_label
from cloud_costs.normalize import normalize
from cloud_costs.postgres import Database, apply_schema
from cloud_costs.publish import publish
from cloud_costs.sample_bill import Bill, write_month
from cloud_costs.storage import LocalStorage
from cloud_costs.views import refresh_views

ROOT = Path(__file__).resolve().parents[2]
VALIDATOR = ROOT / ".venv" / "conformance"
REAL_MONTH = ROOT.parent / "shared" / "data" / "aws-workshop-2018"
SAMPLE_BILL = "sample bill"
REAL = "real month"
LARGEST_PRECISION = 38  # of a decimal128

TOTAL = re.compile(r"^Total: (\d+) \| Pass: (\d+) \| Fail: (\d+) \| Skipped: (\d+)$", re.MULTILINE)
FAILED = re.compile(r"^(?:❌|\[FAIL\]) (?P<rule>\S+): FAIL  \((?P<details>.*)\)$", re.MULTILINE)
ROWS = re.compile(r"\bviolations=(\d+)")
CHILDREN = re.compile(r"AND failed - failed child rules: \[(.*?)\]")

Verdict = Literal["known", "gap", "NEW"]


@dataclass(frozen=True)
class Gap:
    """A rule that published data breaks, and why. `rows` counts the rows that break it, by month.

    The validator does not see some: it compares ChargeClass with "Correction", which SQL does not answer where
    ChargeClass is null, so it skips nearly every row. `unseen` is the condition, in SQL, that finds those rows.
    """

    rule: str
    column: str
    reason: str
    rows: Mapping[str, int]
    unseen: str | None = None


@dataclass(frozen=True)
class Failure:
    """A failing rule as the validator reports it; `children` are the rules that a compound one failed by."""

    rule: str
    rows: int
    message: str
    children: tuple[str, ...]


@dataclass(frozen=True)
class Month:
    """A month to check: what messages call it, and the export that holds it."""

    title: str
    source: Source
    billing_month: date


# Each fails on conformant data too; the reason is the validator's own.
KNOWN = {
    "CapacityReservationStatus-C-000-C": "its part C-004 fails",
    "CapacityReservationStatus-C-002-C": "its part C-004 fails",
    "CapacityReservationStatus-C-004-C": "its condition is read by no part of the validator: it wants every row filled",
    "CommitmentDiscountStatus-C-000-C": "its part C-004 fails",
    "CommitmentDiscountStatus-C-002-C": "its part C-004 fails",
    "CommitmentDiscountStatus-C-004-C": "its condition is inverted: it wants a status where there is no commitment",
    "CostAndUsage-D-000-M": "its part D-002 fails",
    "CostAndUsage-D-002-M": "the columns above fail",
    "EffectiveCost-C-000-M": "its part C-005 fails",
    "EffectiveCost-C-005-C": "it wants 0 for every purchase, also for one that covers no future charge",
    "InvoiceId-C-004-C": "it wants null on every row: it cannot know which charges no invoice holds",
}

NOT_A_CORRECTION = "chargecategory in ('Usage', 'Purchase') and chargeclass is distinct from 'Correction'"

GAPS = (
    Gap(
        "BilledCost-C-005-C",
        "BilledCost",
        "The rule asks for 0 where a third party receives the payment. The validator takes every row for one whose "
        "InvoiceIssuerName differs from its ProviderName. AWS names the legal entity that issues the invoice "
        "(`Amazon Web Services, Inc.`), and is paid for Marketplace charges too.",
        {SAMPLE_BILL: 3729, REAL: 51988},
    ),
    Gap(
        "BillingAccountName-C-003-C",
        "BillingAccountName",
        "A legacy CUR has no account names. CUR 2.0 has (`bill_payer_account_name`), and fills the column.",
        {SAMPLE_BILL: 5851, REAL: 119316},
    ),
    Gap(
        "SubAccountName-C-005-C",
        "SubAccountName",
        "A legacy CUR has no account names. CUR 2.0 has (`line_item_usage_account_name`), and fills the column.",
        {SAMPLE_BILL: 5851, REAL: 119316},
    ),
    Gap(
        "ConsumedUnit-C-003-O",
        "ConsumedUnit",
        "A recommendation (SHOULD). Units are AWS's own words (`GB-Mo`, `Lambda-GB-Second`), as its price list and its "
        "own FOCUS export have them, so that rows of all formats join.",
        {SAMPLE_BILL: 651, REAL: 26605},
    ),
    Gap(
        "PricingUnit-C-003-O",
        "PricingUnit",
        "As ConsumedUnit.",
        {SAMPLE_BILL: 651, REAL: 26605},
    ),
    Gap(
        "InvoiceId-C-003-C",
        "InvoiceId",
        "Passes in the validator when all rows have an invoice, or none has. A month has both: see C-005.",
        {SAMPLE_BILL: 0, REAL: 0},
    ),
    Gap(
        "InvoiceId-C-005-C",
        "InvoiceId",
        "The validator wants an invoice on every row. AWS leaves `bill_invoice_id` empty until it issues the invoice "
        "that the charge is on.",
        {SAMPLE_BILL: 3, REAL: 0},
    ),
    Gap(
        "ServiceName-C-002-M",
        "ServiceName",
        "The validator allows ASCII alone. Marketplace sellers name their products as they like, and FOCUS asks to "
        "keep names as they are.",
        {SAMPLE_BILL: 94, REAL: 0},
    ),
    Gap(
        "SkuId-C-005-C",
        "SkuId",
        "The lines of commitments, fees, discounts, refunds and of some Marketplace products name no product in CUR.",
        {SAMPLE_BILL: 321, REAL: 0},
        f"{NOT_A_CORRECTION} and skuid is null",
    ),
    Gap(
        "SkuPriceId-C-005-C",
        "SkuPriceId",
        "As SkuId: those lines have no rate.",
        {SAMPLE_BILL: 321, REAL: 0},
        f"{NOT_A_CORRECTION} and skupriceid is null",
    ),
    Gap(
        "ListUnitPrice-C-005-C",
        "ListUnitPrice",
        "CUR leaves `pricing_public_on_demand_rate` empty where the public price list has no on-demand price of the "
        "line: commitments, fees, discounts, refunds and, in old exports, Spot usage.",
        {SAMPLE_BILL: 321, REAL: 1424},
        f"{NOT_A_CORRECTION} and listunitprice is null",
    ),
    Gap(
        "ContractedUnitPrice-C-006-C",
        "ContractedUnitPrice",
        "CUR has no column for it. `line_item_unblended_rate` is 0 for usage that a reservation covers, and leaves out "
        "discounts that are lines of their own. AWS's own FOCUS export leaves it null too.",
        {SAMPLE_BILL: 5763, REAL: 119316},
        f"{NOT_A_CORRECTION} and contractedunitprice is null",
    ),
    Gap(
        "ConsumedQuantity-C-006-C",
        "ConsumedQuantity",
        "Lines without a unit measure nothing: discounts and refunds, which are Usage in FOCUS, and what AWS bills "
        "without `pricing_unit`. A quantity without its unit would break ConsumedUnit's rules.",
        {SAMPLE_BILL: 119, REAL: 22394},
        "chargecategory = 'Usage' and commitmentdiscountstatus is distinct from 'Unused' "
        "and chargeclass is distinct from 'Correction' and consumedquantity is null",
    ),
)

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
            summary, failures = validate(export)
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
    """Start a PostgreSQL of its own in a temporary folder; stop it and remove both in the end."""
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
    loaded = load_raw(database, LocalStorage(), month.source, month.billing_month)
    loaded = normalize(database, month.source, loaded)
    audit(database, month.source, loaded)
    publish(database, month.source, loaded)
    refresh_views(database)
    return database


def export_month(database: Database, billing_month: date, path: Path) -> int:
    """Write a month of `focus_costs` as Parquet under the specification's column names; return its rows.

    Numbers are decimals of the scale that the column has, so that none is rounded; it raises where that takes more
    digits than Parquet's decimal128 holds. Parquet, because the validator guesses types in CSV: it takes account
    ids for numbers.
    """
    columns = [(column.focus_name, column.type) for column in views.focus_columns() if column.focus_name]
    focus_costs = database.table("focus_costs")
    rows = path.with_suffix(".csv")
    with database.session() as connection:
        types = {name: _arrow_type(connection, focus_costs, name, kind) for name, kind in columns}
        select = sql.SQL("select {} from {} where billing_period = {}").format(
            sql.SQL(", ").join(_exported(name, kind) for name, kind in columns),
            focus_costs,
            sql.Literal(billing_month),
        )
        copy_to = sql.SQL("copy ({}) to stdout (format csv, header)").format(select)
        with connection.cursor().copy(copy_to) as copy, rows.open("wb") as file:
            for block in copy:
                file.write(block)
    count = 0
    options = pa_csv.ConvertOptions(
        column_types=types, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
    )
    parse = pa_csv.ParseOptions(newlines_in_values=True)
    with (
        pa_csv.open_csv(rows, parse_options=parse, convert_options=options) as batches,
        pq.ParquetWriter(path, pa.schema(types.items())) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    rows.unlink()
    return count


def _exported(name: str, kind: str) -> sql.Composed:
    column: sql.Composable = sql.Identifier(name.lower())
    if kind == "timestamp":
        column = sql.SQL("""to_char({}, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')""").format(column)
    return sql.SQL("{} as {}").format(column, sql.Identifier(name))


def _arrow_type(connection: psycopg.Connection, relation: sql.Identifier, name: str, kind: str) -> pa.DataType:
    if kind == "timestamp":
        return pa.timestamp("us", tz="UTC")
    if kind != "numeric":
        return pa.string()
    scale = sql.SQL("select coalesce(max(scale({})), 0) from {}").format(sql.Identifier(name.lower()), relation)
    row = connection.execute(scale).fetchone()
    return pa.decimal128(LARGEST_PRECISION, row[0] if row else 0)


def validate(export: Path) -> tuple[str, list[Failure]]:
    """Run focus-validator on the export; return its summary and the rules that fail.

    It reads its currency list relative to the working directory, and would ask the network for its rules.
    """
    [packages] = VALIDATOR.glob("lib/python3*/site-packages")
    command = [
        *(str(VALIDATOR / "bin" / "focus-validator"), "--data-file", str(export), "--validate-version", "1.2"),
        *("--block-download", "--applicability-criteria", "ALL"),
    ]
    env = {**os.environ, "PYTHONUTF8": "1", "COLUMNS": "200"}
    env.pop("PYTHONPATH", None)
    result = subprocess.run(command, cwd=packages, env=env, capture_output=True, text=True)
    if result.returncode or not TOTAL.search(result.stdout):
        raise RuntimeError(f"focus-validator failed: {(result.stderr or result.stdout)[-2000:]}")
    return read_report(result.stdout)


def read_report(report: str) -> tuple[str, list[Failure]]:
    """Return the summary line and the failing rules of what focus-validator printed.

    Raises `ValueError` when not every failure that the summary counts is found.
    """
    total = TOTAL.search(report)
    failures = [_failure(match) for match in FAILED.finditer(report)]
    if not total or int(total[3]) != len(failures):
        raise ValueError(f"cannot read the report of focus-validator: {len(failures)} failures found")
    return total[0], sorted(failures, key=lambda failure: failure.rule)


def _failure(match: re.Match[str]) -> Failure:
    rows = ROWS.search(match["details"])
    children = CHILDREN.search(match["details"])
    message = match["details"].partition("msg=")[2]
    names = tuple(children[1].split(", ")) if children else ()
    return Failure(match["rule"], int(rows[1]) if rows else 0, message, names)


def verdicts(failures: Sequence[Failure]) -> dict[str, Verdict]:
    """Tell of each failing rule whether it is known, a documented gap or new.

    A compound rule is what its failing parts are: new when one of them is.
    """
    by_rule = {failure.rule: failure for failure in failures}
    gaps = {gap.rule for gap in GAPS if not gap.unseen}

    def verdict(rule: str) -> Verdict:
        if rule in KNOWN:
            return "known"
        if rule in gaps:
            return "gap"
        children = [child for child in by_rule[rule].children if child in by_rule] if rule in by_rule else []
        return "gap" if children and all(verdict(child) != "NEW" for child in children) else "NEW"

    return {rule: verdict(rule) for rule in by_rule}


def new_rules(failures: Sequence[Failure]) -> list[str]:
    """Return the failing rules that are neither known nor documented."""
    return [rule for rule, verdict in verdicts(failures).items() if verdict == "NEW"]


def count_unseen(database: Database) -> dict[str, int]:
    """Count the rows of each gap that the validator does not see."""
    counts = {}
    with database.session() as connection:
        for gap in GAPS:
            if gap.unseen:
                count = sql.SQL("select count(*) from {} where {}").format(
                    database.table("focus_costs"), sql.SQL(gap.unseen)
                )
                row = connection.execute(count).fetchone()
                counts[gap.rule] = row[0] if row else 0
    return counts


def gaps_table() -> str:
    """Return the table of gaps of `docs/focus-conformance.md`."""
    lines = [
        f"| rule | column | rows, {SAMPLE_BILL} | rows, {REAL} | why |",
        "| --- | --- | --: | --: | --- |",
    ]
    for gap in GAPS:
        counts = " | ".join(f"{gap.rows[title]:,}" for title in (SAMPLE_BILL, REAL))
        rule = f"{gap.rule} (unseen)" if gap.unseen else gap.rule
        lines.append(f"| {rule} | {gap.column} | {counts} | {gap.reason} |")
    return "\n".join(lines)


def known_table() -> str:
    """Return the table of the validator's own failing rules of `docs/focus-conformance.md`."""
    return "\n".join(["| rule | why |", "| --- | --- |", *(f"| {rule} | {why} |" for rule, why in KNOWN.items())])


def _print(month: Month, count: int, summary: str, failures: Sequence[Failure], unseen: Mapping[str, int]) -> None:
    """Print the failing rules but for the compound ones, which fail by the parts that are printed."""
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
