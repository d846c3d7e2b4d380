"""The invoices that an operator lists, so that an audit compares the bill with them.

A CSV file with one line for each invoice, under the header `invoice_id,amount,currency`. With the further column
`month`, the audit also notices an invoice that the month's bill lacks.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from cloud_costs.config.lists import read_list
from cloud_costs.errors import ConfigError
from cloud_costs.months import parse_month

REQUIRED = ("invoice_id", "amount", "currency")
OPTIONAL = ("month",)


@dataclass(frozen=True)
class Invoice:
    """One invoice of the list. The bill is rounded to the decimal places of `amount` before the two are compared."""

    invoice_id: str
    amount: Decimal
    currency: str
    billing_month: date | None = None


def read_invoices(path: Path) -> tuple[Invoice, ...]:
    """Return the listed invoices; raises `ConfigError` naming the file, the line and what is allowed."""
    return read_list(path, _header, _invoice)


def _header(where: str, found: list[str]) -> list[str]:
    header = [name.strip() for name in found]
    known = set(REQUIRED) | set(OPTIONAL)
    if not set(REQUIRED) <= set(header) <= known or len(set(header)) < len(header):
        raise ConfigError(
            f"{where}: the header is {','.join(header)!r}; expected {','.join(REQUIRED)}, and month if you like"
        )
    return header


def _invoice(where: str, values: dict[str, str]) -> tuple[str, Invoice]:
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
    invoice = Invoice(values["invoice_id"], Decimal(values["amount"]), values["currency"], month)
    return f"the invoice {invoice.invoice_id!r}", invoice
