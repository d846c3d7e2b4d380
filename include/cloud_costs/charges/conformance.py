"""Check a month of `focus_costs` against the rules of FOCUS 1.2, with focus-validator in an environment of its own.

The month is exported under the specification's own column names. The validator exits with 0 even when rules fail, so
its output is read. A failing rule is either known to fail on conformant data too (KNOWN), or a gap that
`docs/focus-conformance.md` explains (GAPS), or new.
"""

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import psycopg
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from psycopg import sql

from cloud_costs.charges.columns import focus_columns
from cloud_costs.charges.conformance_gaps import GAPS, KNOWN, REAL, SAMPLE_BILL
from cloud_costs.database.postgres import Database

LARGEST_PRECISION = 38  # of a decimal128

TOTAL = re.compile(r"^Total: (\d+) \| Pass: (\d+) \| Fail: (\d+) \| Skipped: (\d+)$", re.MULTILINE)
FAILED = re.compile(r"^(?:❌|\[FAIL\]) (?P<rule>\S+): FAIL  \((?P<details>.*)\)$", re.MULTILINE)
ROWS = re.compile(r"\bviolations=(\d+)")
CHILDREN = re.compile(r"AND failed - failed child rules: \[(.*?)\]")

Verdict = Literal["known", "gap", "NEW"]


@dataclass(frozen=True)
class Failure:
    """A failing rule as the validator reports it. `children` are the failing parts of a compound rule."""

    rule: str
    rows: int
    message: str
    children: tuple[str, ...]


def export_month(database: Database, billing_month: date, path: Path) -> int:
    """Write a month of `focus_costs` as Parquet under the specification's column names; return the number of its rows.

    Numbers are decimals of the column's largest scale, so none is rounded. Raises `pa.ArrowInvalid` where a number then
    has more digits than Parquet's decimal128. The validator guesses types in CSV and takes account ids for numbers, so
    the file is Parquet.
    """
    columns = [(column.focus_name, column.type) for column in focus_columns() if column.focus_name]
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


def validate(validator: Path, export: Path) -> tuple[str, list[Failure]]:
    """Run focus-validator on the export; return its summary and the rules that fail.

    `validator` is the folder of the environment in which it is installed. Raises `RuntimeError` when it does not run.
    """
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
        raise RuntimeError(f"focus-validator failed: {(result.stderr or result.stdout)[-2000:]}")
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


def verdicts(failures: Sequence[Failure]) -> dict[str, Verdict]:
    """Return for each failing rule whether it is known, a documented gap or new.

    A compound rule is new when one of its failing parts is new.
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
    """Return the failing rules that are neither known nor documented gaps."""
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
