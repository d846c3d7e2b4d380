"""The answer of a query, written for people or for programs: a table, CSV or Parquet."""

import csv
import os
import sys
from contextlib import ExitStack
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from cloud_costs.errors import ConfigError
from cloud_costs.messages import safe

if TYPE_CHECKING:
    from cloud_costs.loading.query import Answer


class OutputFormat(StrEnum):
    """How the rows of an answer are written."""

    TABLE = "table"
    CSV = "csv"
    PARQUET = "parquet"


def write_answer(answer: "Answer", form: OutputFormat, output: Path | None, console: Console) -> None:
    """Write an answer to a file, or to standard output where none is named. Parquet needs a file.

    CSV and Parquet keep every digit of a number. Raises `ConfigError` for a file that cannot be written.
    """
    try:
        with ExitStack() as stack:
            if form is OutputFormat.PARQUET and output:
                _write_parquet(answer, output)
            elif form is OutputFormat.CSV:
                file = stack.enter_context(output.open("w", encoding="utf-8", newline="")) if output else sys.stdout
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(answer.names)
                writer.writerows([_text(value) for value in row] for row in answer.rows())
            else:
                if output:
                    file = stack.enter_context(output.open("w", encoding="utf-8"))
                    console = Console(file=file, width=10_000, highlight=False, markup=False, emoji=False)
                _print_table(answer, console)
    except OSError as error:
        # Arrow repeats the path in its words for it.
        reason = os.strerror(error.errno) if error.errno else error
        raise ConfigError(f"--output: {output}: cannot be written: {reason}") from None


def _print_table(answer: "Answer", console: Console) -> None:
    table = Table(*answer.names)
    for row in answer.rows():
        # The text of a bill comes from outside. No escape sequence in it may reach the terminal.
        table.add_row(*(safe(_text(value)) for value in row))
    # In a file or a pipe, rich would wrap lines at 80 columns. A program that reads the table needs one line a row.
    console.print(table, width=console.width if console.is_terminal else 10_000, markup=False)


def _write_parquet(answer: "Answer", output: Path) -> None:
    import pyarrow.parquet as pq

    batches = answer.batches()
    with pq.ParquetWriter(output, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _text(value: Any) -> str:
    if value is None:
        return ""
    # `str` would write a small Decimal with an exponent, such as 1E-9.
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
