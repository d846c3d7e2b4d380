"""Costs for tests of the Costs page: two months of three clouds, a restated month, two currencies and hostile text."""

import decimal
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from azure_tenant import azure_source
from deliveries import write_month
from hostile import HOSTILE
from pipeline import JANUARY, line, load_month, write_delivery

from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.demo.sample_bill.azure import AzureBill
from cloud_costs.demo.sample_bill.azure import write_month as write_azure_month
from cloud_costs.demo.sample_bill.gcp import GoogleBill, write_google_month

FEBRUARY = date(2025, 2, 1)
AWS = Bill(lines=150, files=1)
AZURE = AzureBill(lines=100)
GOOGLE = GoogleBill(lines=100)
DIMENSIONS = (
    *("cloud_provider", "source", "billing_account_id", "account_id", "service", "region", "charge_category"),
    *("invoice_id", "tag:user%3Ateam", "tag:team"),
)
METRICS = {"billed_cost": "cost", "effective_cost": "effective_cost", "list_cost": "list_cost"}
Row = dict[str, Any]


def load_bills(database: Database, folder: Path) -> tuple[Source, ...]:
    """Publish the months, and return their sources."""
    cup = Source(
        name="cup",
        format="aws_cur",
        uri=f"file://{folder}/{AWS.prefix}/{AWS.report}/",
        tags=("user:team", "user:environment"),
    )
    azure = azure_source(AZURE, folder)
    google = Source(name="google", format="gcp_billing", uri=f"file://{folder}/{GOOGLE.prefix}/", tags=("team", "env"))
    hostile = Source(name="hostile", format="aws_cur", uri=f"file://{folder}/crafted/", tags=("user:team",))
    for version in (1, 2):
        write_month(AWS, JANUARY, folder, version=version)
        load_month(database, cup, JANUARY)
    for month in (JANUARY, FEBRUARY):
        write_azure_month(AZURE, month, folder)
        load_month(database, azure, month)
        write_google_month(GOOGLE, month, folder)
        load_month(database, google, month)
    write_month(AWS, FEBRUARY, folder)
    load_month(database, cup, FEBRUARY)
    write_delivery(folder, hostile_lines(), month=FEBRUARY)
    load_month(database, hostile, FEBRUARY)
    return cup, azure, google, hostile


def hostile_lines() -> list[Row]:
    """Return lines in another currency, whose accounts, services, regions and tags are hostile text."""
    return [
        line(
            FEBRUARY,
            identity_line_item_id=f"line {number}",
            line_item_currency_code="EUR",
            line_item_usage_account_id=text,
            line_item_usage_account_name=text,
            line_item_product_code=text,
            product_region_code=text,
            resource_tags_user_team=text,
            line_item_unblended_cost=number + 0.25,
        )
        for number, text in enumerate(HOSTILE)
    ]


def read_costs(query: Callable[..., Any]) -> list[Row]:
    """Return all rows of `costs`, with the columns of tags that the tests ask about."""
    names = ["date", "billing_period", "currency", "account_name", *DIMENSIONS[:8], *METRICS.values()]
    rows = query(f"select {', '.join(names)}, tags ->> 'user:team', tags ->> 'team' from costs")
    return [dict(zip([*names, *DIMENSIONS[8:]], row, strict=True)) for row in rows]


def sums(rows: Sequence[Row], keys: Sequence[str | Callable[[Row], Any]], metric: str) -> dict[Any, Decimal]:
    """Return the exact sums of a metric by keys; a key is a column, empty where there is none, or a function."""
    found: dict[Any, Decimal] = defaultdict(Decimal)
    with decimal.localcontext(decimal.Context(prec=1000, traps=[decimal.Inexact])):
        for row in rows:
            values = tuple(key(row) if callable(key) else row[key] or "" for key in keys)
            found[values] += row[METRICS[metric]] or 0
    return dict(found)
