"""What to make, and every name and key that follows from it.

A legacy CUR range is `YYYYMMDD-YYYYMMDD` with an exclusive end; in the Hive-style folders of the Athena
integration the month is not padded; with an empty prefix AWS's keys begin with a slash.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

Layout = Literal["overwrite", "create-new"]


@dataclass(frozen=True)
class Bill:
    """One billing export to make; `lines` counts usage lines a month, the fixed lines come on top."""

    report: str = "CUP-Cost-Usage-Report"
    prefix: str = "cup"
    bucket: str = "acme-billing"
    payer: str = "011254002932"
    accounts: tuple[str, ...] = (
        "011254002932",
        "004512887103",
        "112233445566",
        "771928304455",
        "098765432109",
    )
    currency: str = "USD"
    lines: int = 6000
    files: int = 2
    seed: int = 1
    layout: Layout = "overwrite"
    net: bool = False

    def __post_init__(self) -> None:
        if not self.accounts or self.lines < 0 or self.files < 1:
            raise ValueError("a bill needs at least one account, lines >= 0 and files >= 1")


def month_start(month: date) -> datetime:
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def month_end(month: date) -> datetime:
    """Return the first instant after the month."""
    years, index = divmod(month.month, 12)
    return datetime(month.year + years, index + 1, 1, tzinfo=UTC)


def days_in(month: date) -> int:
    return (month_end(month) - month_start(month)).days


def assembly_id(month: date, version: int) -> str:
    """Return the delivery's id: AWS uses the UTC time of assembly, here days after the month's end."""
    assembled = month_end(month) + timedelta(days=1 + version, hours=12, minutes=1, seconds=25)
    return f"{assembled:%Y%m%dT%H%M%SZ}"


def file_count(bill: Bill, version: int) -> int:
    """Return how many data files a delivery has: the number of chunks changes between deliveries."""
    if version == 1:
        return bill.files
    return bill.files - 1 if version % 2 == 0 and bill.files > 1 else bill.files + 1


def report_key(bill: Bill) -> str:
    return f"{bill.prefix}/{bill.report}"


def range_key(bill: Bill, month: date) -> str:
    return f"{report_key(bill)}/{month_start(month):%Y%m%d}-{month_end(month):%Y%m%d}"


def data_key(bill: Bill, month: date, version: int, number: int) -> str:
    if bill.layout == "overwrite":
        folder = f"{report_key(bill)}/{bill.report}/year={month.year}/month={month.month}"
    else:
        folder = f"{range_key(bill, month)}/{assembly_id(month, version)}"
    return f"{folder}/{bill.report}-{number:05d}.snappy.parquet"


def manifest_keys(bill: Bill, month: date, version: int) -> list[str]:
    """Return the keys of the manifest, the one that every delivery overwrites last."""
    name = f"{bill.report}-Manifest.json"
    latest = f"{range_key(bill, month)}/{name}"
    if bill.layout == "overwrite":
        return [latest]
    return [f"{range_key(bill, month)}/{assembly_id(month, version)}/{name}", latest]
