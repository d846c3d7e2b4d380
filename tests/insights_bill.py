"""A small bill for the tests of insights: some months of daily usage of two accounts, with what a test plants in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipeline import crafted_source, line, load_month, write_delivery

from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.months import next_month

WEB, DATA = "000000000011", "000000000022"
EC2, S3 = "Amazon Elastic Compute Cloud", "Amazon Simple Storage Service"
MONTHS = tuple(date(2025, month, 1) for month in range(1, 6))
# What a weekday costs, in dollars: the weekend is cheaper for EC2.
DAILY: Mapping[tuple[str, str], Callable[[date], Decimal]] = {
    (WEB, "AmazonEC2"): lambda day: Decimal(60 if day.weekday() >= 5 else 100) + day.day % 3,
    (WEB, "AmazonS3"): lambda day: Decimal(20) + Decimal(day.day % 5) / 10,
    (DATA, "AmazonEC2"): lambda day: Decimal(50) + day.day % 2,
    (DATA, "AmazonS3"): lambda day: Decimal(30) + Decimal(day.day % 4) / 4,
}
Plant = Callable[[str, str, date], Decimal]


@dataclass
class Bill:
    """Writes months, and loads them. `extra` is what a service of an account costs more on a day.

    `names` gives services other names, and `name` is that of the source.
    """

    folder: Path
    database: Database
    extra: dict[tuple[str, str, date], Decimal] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    versions: dict[date, int] = field(default_factory=dict)
    name: str = "crafted"

    @property
    def source(self) -> Source:
        return crafted_source(self.folder, name=self.name, tags=("user:team",))

    def load(self, month: date, until: date | None = None) -> None:
        """Deliver the month, with its days before `until`, and load it."""
        self.versions[month] = self.versions.get(month, 0) + 1
        lines = [
            self._line(month, account, code, day)
            for day in days_of(month)
            if until is None or day < until
            for account, code in DAILY
        ]
        fee = {"line_item_line_item_type": "Fee", "line_item_unblended_cost": 99.0}
        lines.append(line(month, **fee, line_item_usage_account_id=WEB, identity_line_item_id="support"))
        write_delivery(self.folder, lines, month=month, version=f"v{self.versions[month]}")
        load_month(self.database, self.source, month)

    def plant(self, account: str, code: str, first: date, last: date, amount: int) -> None:
        """Let a service of an account cost more on some days; it takes effect with the next load of the month."""
        for number in range((last - first).days + 1):
            self.extra[account, code, first + timedelta(days=number)] = Decimal(amount)

    def _line(self, month: date, account: str, code: str, day: date) -> dict[str, Any]:
        start = datetime(day.year, day.month, day.day)
        extra = self.extra.get((account, code, day), Decimal(0))
        return line(
            month,
            identity_line_item_id=f"{account} {code} {day}",
            line_item_usage_account_id=account,
            line_item_product_code=code,
            line_item_usage_type="Usage:planted" if extra else "Usage:plain",
            line_item_resource_id=f"{code}-{account}",
            line_item_usage_start_date=start,
            line_item_usage_end_date=start + timedelta(hours=1),
            line_item_unblended_cost=float(DAILY[account, code](day) + extra),
            product_sku="SKU",
            product_product_name=self.names.get(code),
            resource_tags_user_team="web" if account == WEB else "data",
        )


def days_of(month: date) -> list[date]:
    return [month + timedelta(days=number) for number in range((next_month(month) - month).days)]
