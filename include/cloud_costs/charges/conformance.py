"""Check months of `focus_costs` against the rules of FOCUS 1.2, with focus-validator in an environment of its own.

A month is exported under the specification's own column names. The validator exits with 0 even when rules fail, so its
output is read. A failing rule is either known to fail on conformant data too (KNOWN), or a gap of the provider that
`docs/focus-conformance.md` explains (GAPS), or new. PostgreSQL counts the charges that the page speaks of, so that a
test can hold the page true without the validator.
"""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from psycopg import sql

from cloud_costs.charges.columns import focus_columns
from cloud_costs.charges.conformance_gaps import GAPS, KNOWN
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Database

LARGEST_PRECISION = 38  # of a decimal128

TOTAL = re.compile(r"^Total: (\d+) \| Pass: (\d+) \| Fail: (\d+) \| Skipped: (\d+)$", re.MULTILINE)
FAILED = re.compile(r"^(?:❌|\[FAIL\]) (?P<rule>\S+): FAIL  \((?P<details>.*)\)$", re.MULTILINE)
ROWS = re.compile(r"\bviolations=(\d+)")
CHILDREN = re.compile(r"AND failed - failed child rules: \[(.*?)\]")

Verdict = Literal["known", "gap", "NEW"]


@dataclass(frozen=True)
class Failure:
    """A failing rule as the validator reports it. `children` are the failing parts of a compound rule.

    An `unseen` one is reported only where ChargeClass is filled.
    """

    rule: str
    rows: int
    message: str
    children: tuple[str, ...]
    unseen: bool = False


@dataclass(frozen=True)
class Counts:
    """How many charges a bill has, and how many of them break each rule that is a gap of its provider."""

    charges: int
    broken: Mapping[str, int]


def export_month(database: Database, source: str, billing_month: date, path: Path) -> int:
    """Write a source's month of `focus_costs` as Parquet under the specification's column names; return its rows.

    Numbers are decimals of the column's largest scale, so none is rounded. Raises `pa.ArrowInvalid` where a number then
    has more digits than Parquet's decimal128. The validator guesses types in CSV and takes account ids for numbers, so
    the file is Parquet.
    """
    columns = [(column.focus_name, column.type) for column in focus_columns() if column.focus_name]
    charges = _charges_of(database, source)
    rows = path.with_suffix(".csv")
    with database.session() as connection:
        types = _arrow_types(connection, charges, columns)
        select = sql.SQL("select {} from ({}) as charges where billing_period = {}").format(
            sql.SQL(", ").join(_exported(name, kind) for name, kind in columns),
            charges,
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


def _charges_of(database: Database, source: str) -> sql.Composed:
    return sql.SQL("select * from {} where x_source = {}").format(database.table("focus_costs"), sql.Literal(source))


def _arrow_types(
    connection: psycopg.Connection, charges: sql.Composable, columns: Sequence[tuple[str, str]]
) -> dict[str, pa.DataType]:
    amounts = [name for name, kind in columns if kind == "numeric"]
    scales = sql.SQL(", ").join(
        sql.SQL("coalesce(max(scale({})), 0)").format(sql.Identifier(n.lower())) for n in amounts
    )
    row = connection.execute(sql.SQL("select {} from ({}) as charges").format(scales, charges)).fetchone()
    decimals = {name: pa.decimal128(LARGEST_PRECISION, scale) for name, scale in zip(amounts, row or (), strict=True)}
    others = {"timestamp": pa.timestamp("us", tz="UTC")}
    return {name: decimals.get(name) or others.get(kind, pa.string()) for name, kind in columns}


def validate(validator: Path, export: Path) -> tuple[str, list[Failure]]:
    """Run focus-validator on the export; return its summary and the rules that fail.

    `validator` is the folder of the environment in which it is installed. Raises `RuntimeError` when it does not run.

    Many rules speak of charges whose ChargeClass is not "Correction". The validator asks SQL for that, which leaves out
    the rows where it is null: nearly all. So it runs again on a copy where it is filled, which shows the rules that it
    did not see.
    """
    summary, failures = _run(validator, export)
    table = pq.read_table(export)
    filled = pc.fill_null(table["ChargeClass"], "None")
    copy = export.with_name(f"{export.stem}-filled.parquet")
    pq.write_table(table.set_column(table.column_names.index("ChargeClass"), "ChargeClass", filled), copy)
    _, all_failures = _run(validator, copy)
    copy.unlink()
    seen = {failure.rule for failure in failures}
    merged = {failure.rule: failure for failure in failures} | {
        failure.rule: replace(failure, unseen=failure.rule not in seen)
        for failure in all_failures
        if not failure.rule.startswith("ChargeClass-")
    }
    return summary, sorted(merged.values(), key=lambda failure: failure.rule)


def _run(validator: Path, export: Path) -> tuple[str, list[Failure]]:
    # It reads its list of currencies relative to the working directory, and may not fetch rules from the network.
    [packages] = validator.glob("lib/python3*/site-packages")
    command = [
        *(str(validator / "bin" / "focus-validator"), "--data-file", str(export), "--validate-version", "1.2"),
        *("--block-download", "--applicability-criteria", "ALL"),
    ]
    env = {**os.environ, "PYTHONUTF8": "1", "COLUMNS": "200"}
    env.pop("PYTHONPATH", None)
    result = subprocess.run(command, cwd=packages, env=env, capture_output=True, text=True)
    if result.returncode or not TOTAL.search(result.stdout):
        output = (result.stderr or result.stdout)[-2000:]
        raise RuntimeError(f"focus-validator ended with {result.returncode} and no summary: {output}")
    return read_report(result.stdout)


def read_report(report: str) -> tuple[str, list[Failure]]:
    """Return the summary line and the failing rules from the output of focus-validator.

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


def verdicts(provider: str, failures: Sequence[Failure]) -> dict[str, Verdict]:
    """Return for each failing rule of a provider's bill whether it is known, a documented gap or new.

    A compound rule is new when one of its failing parts is new.
    """
    by_rule = {failure.rule: failure for failure in failures}
    gaps = {gap.rule for gap in GAPS[provider]}

    def verdict(rule: str) -> Verdict:
        if rule in KNOWN:
            return "known"
        if rule in gaps:
            return "gap"
        children = [child for child in by_rule[rule].children if child in by_rule] if rule in by_rule else []
        return "gap" if children and all(verdict(child) != "NEW" for child in children) else "NEW"

    return {rule: verdict(rule) for rule in by_rule}


def new_rules(provider: str, failures: Sequence[Failure]) -> list[str]:
    """Return the failing rules that are neither known nor documented gaps."""
    return [rule for rule, verdict in verdicts(provider, failures).items() if verdict == "NEW"]


def count_gaps(database: Database, source: str, provider: str) -> Counts:
    """Count the charges of a source, and those that break each rule that is a gap of its provider."""
    counts = sql.SQL(", ").join(
        sql.SQL("count(*) filter (where {})").format(sql_files.compose(gap.where, charges=sql.Identifier("charges")))
        for gap in GAPS[provider]
    )
    select = sql.SQL("with charges as materialized ({}) select count(*), {} from charges").format(
        _charges_of(database, source), counts
    )
    with database.session() as connection:
        charges, *broken = connection.execute(select).fetchone() or (0,)
    return Counts(charges, dict(zip((gap.rule for gap in GAPS[provider]), broken, strict=True)))


def bills_table(counts: Mapping[str, Mapping[str, Counts]]) -> str:
    """Return the table of the bills of `docs/focus-conformance.md`; `counts` are by provider and bill."""
    lines = ["| bills of | bill | charges | rules broken |", "| --- | --- | --: | --: |"]
    for provider, bills in counts.items():
        for bill, count in bills.items():
            lines.append(f"| {provider} | {bill} | {count.charges:,} | {sum(map(bool, count.broken.values()))} |")
    return "\n".join(lines)


def gaps_table(provider: str, bills: Mapping[str, Counts]) -> str:
    """Return the table of a provider's gaps of `docs/focus-conformance.md`."""
    lines = [f"| rule | {' | '.join(bills)} | whose | why |", f"| --- | {'--: | ' * len(bills)}--- | --- |"]
    for gap in sorted(GAPS[provider], key=lambda gap: gap.rule):
        rows = " | ".join(f"{count.broken[gap.rule]:,}" for count in bills.values())
        lines.append(f"| {gap.rule} | {rows} | {gap.whose} | {gap.why} |")
    return "\n".join(lines)


def known_table() -> str:
    """Return the table of the validator's own failing rules of `docs/focus-conformance.md`."""
    return "\n".join(["| rule | why |", "| --- | --- |", *(f"| {rule} | {why} |" for rule, why in KNOWN.items())])
