"""The settings of a sample bill: one billing export in one format, the versions of its months, and its calendar."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal

Format = Literal["aws_cur", "aws_cur2", "aws_focus"]
FileType = Literal["parquet", "csv"]
Compression = Literal["gzip", "zip", "none"]
Layout = Literal["overwrite", "create-new"]
Timestamps = Literal["ms", "us", "ns", "int96"]
DataFiles = Literal["uri", "key", "object"]

_ACCOUNT_NAMES = ("Acme Management", "Acme Shop", "Acme Data", "Acme Mobile", "Acme Security")
_RENAMED = {"Acme Shop": "Acme Store"}
_RENAMED_ON = 15  # the day of each month on which an account's name differs for the first time


@dataclass(frozen=True)
class Event:
    """Use that a bill does not have on other days, such as a server that was left running.

    It has one line an hour from the first day to the last one, of `amount` units of the meter with this product code
    and usage type.
    """

    account: str
    product_code: str
    usage_type: str
    first: date
    last: date
    amount: Decimal


@dataclass(frozen=True)
class Bill:
    """The settings of one billing export. `lines` is the number of usage lines of a month, without the fixed lines.

    The lines of `events` come on top.

    All formats and file types of a bill have the same meaning. `net` puts it on the net basis: its files have net
    columns, and its truth is theirs. `compression` is that of CSV files, `timestamps` the physical type in
    Parquet files, `data_files` how the manifest of a CUR 2.0 or FOCUS export names its files.
    """

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
    format: Format = "aws_cur"
    file_type: FileType = "parquet"
    compression: Compression = "gzip"
    timestamps: Timestamps = "ms"
    data_files: DataFiles = "uri"
    net: bool = False
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        if not self.accounts or self.lines < 0 or self.files < 1:
            raise ValueError("a bill needs at least one account, lines >= 0 and files >= 1")

    @property
    def suffix(self) -> str:
        """The ending of the data files' names."""
        if self.file_type == "parquet":
            return "snappy.parquet"
        return {"gzip": "csv.gz", "zip": "csv.zip", "none": "csv"}[self.compression]

    @property
    def root(self) -> str:
        """The key above everything that belongs to the export."""
        return f"{self.prefix}/{self.report}"


def month_start(month: date) -> datetime:
    """Return the first instant of the month, in UTC."""
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def month_end(month: date) -> datetime:
    """Return the first instant after the month, in UTC."""
    years, index = divmod(month.month, 12)
    return datetime(month.year + years, index + 1, 1, tzinfo=UTC)


def days_in(month: date) -> int:
    """Return the number of days of the month."""
    return (month_end(month) - month_start(month)).days


def delivered_at(month: date, version: int) -> datetime:
    """Return when a version was delivered: days after the month's end."""
    return month_end(month) + timedelta(days=1 + version, hours=12, minutes=1, seconds=25)


def file_count(bill: Bill, version: int) -> int:
    """Return how many data files a delivery has: the number of chunks changes between deliveries."""
    if version == 1:
        return bill.files
    return bill.files - 1 if version % 2 == 0 and bill.files > 1 else bill.files + 1


def account_name(bill: Bill, account: str, instant: datetime) -> str:
    """Return the account's name at that time: one account is renamed on the 15th, and renamed back later."""
    if account not in bill.accounts:
        return _ACCOUNT_NAMES[0]
    number = bill.accounts.index(account)
    name = _ACCOUNT_NAMES[number] if number < len(_ACCOUNT_NAMES) else f"Acme {account}"
    return _RENAMED.get(name, name) if instant.day >= _RENAMED_ON else name
