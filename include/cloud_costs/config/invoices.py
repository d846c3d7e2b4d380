"""The invoices that an operator lists, so that an audit compares the bill with them.

A CSV file with one line for each invoice, under the header `invoice_id,amount,currency`. With the further column
`month`, the audit also notices an invoice that the month's bill lacks.
"""

import csv
import io
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from cloud_costs.errors import ConfigError
from cloud_costs.months import parse_month

REQUIRED = ("invoice_id", "amount", "currency")
OPTIONAL = ("month",)
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Invoice:
    """One invoice of the list. The bill is rounded to the decimal places of `amount` before the two are compared."""

    invoice_id: str
    amount: Decimal
    currency: str
    billing_month: date | None = None


def read_invoices(path: Path) -> tuple[Invoice, ...]:
    """Return the listed invoices; raises `ConfigError` naming the file, the line and what is allowed."""
    try:
        text = path.read_bytes().removeprefix(BOM).decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8: {error}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    invoices: dict[str, Invoice] = {}
    lines: dict[str, int] = {}
    try:
        header = _header(path, next(reader, []))
        for row in reader:
            if not row:
                continue
            where = f"{path}: line {reader.line_num}"
            invoice = _invoice(where, header, row)
            if invoice.invoice_id in invoices:
                raise ConfigError(
                    f"{where}: the invoice {invoice.invoice_id!r} is on line {lines[invoice.invoice_id]} already"
                )
            invoices[invoice.invoice_id], lines[invoice.invoice_id] = invoice, reader.line_num
    except csv.Error as error:
        raise ConfigError(f"{path}: line {reader.line_num}: not CSV: {error}") from None
    return tuple(invoices.values())


def _header(path: Path, found: list[str]) -> list[str]:
    header = [name.strip() for name in found]
    known = set(REQUIRED) | set(OPTIONAL)
    if not set(REQUIRED) <= set(header) <= known or len(set(header)) < len(header):
        raise ConfigError(
            f"{path}: line 1: the header is {','.join(header)!r}; expected {','.join(REQUIRED)}, and month if you like"
        )
    return header


def _invoice(where: str, header: list[str], row: list[str]) -> Invoice:
    if len(row) != len(header):
        raise ConfigError(f"{where}: {len(row)} values; the header names {len(header)}")
    values = dict(zip(header, (value.strip() for value in row), strict=True))
    if not values["invoice_id"]:
        raise ConfigError(f"{where}: invoice_id is empty; write it as the bill does")
    if not re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,20})?", values["amount"], re.ASCII):
        raise ConfigError(f"{where}: amount {values['amount']!r} is not allowed; write a number such as 1234.50")
    if not re.fullmatch(r"[A-Z]{3}", values["currency"]):
        raise ConfigError(f"{where}: currency {values['currency']!r} is not allowed; write a code such as USD")
    month = None
    if values.get("month"):
        try:
            month = parse_month(values["month"])
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
    return Invoice(values["invoice_id"], Decimal(values["amount"]), values["currency"], month)
