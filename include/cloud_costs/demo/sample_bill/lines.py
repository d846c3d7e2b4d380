"""A line of the bill, and the calendar, ids, rounding and discounts that all planners of a month share.

A line carries its filled columns by Athena name (money and amounts as Decimal) and the FOCUS charges behind it.
Renderers read the columns, and the truth adds up the charges. Neither derives one from the other.

Money has at most twelve decimal places and fifteen significant digits. A DOUBLE keeps these, and PostgreSQL's cast from
float8 to numeric gives them back.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from random import Random
from typing import NamedTuple

from cloud_costs.demo.sample_bill.bill import Bill, days_in, month_end, month_start
from cloud_costs.demo.sample_bill.catalog import Values
from cloud_costs.demo.sample_bill.discounts import Discount, discounts_on

ZERO = Decimal(0)
_TEN_PLACES = Decimal("1E-10")
_DOUBLE = Context(prec=15)


class Charge(NamedTuple):
    """One FOCUS row; `lines` is 0 for the second row of a fee that is split in two.

    `public` is the cost at public on-demand prices. Where there is none, FOCUS 1.2 asks ListCost to be BilledCost.
    """

    category: str
    billed: Decimal
    effective: Decimal
    public: Decimal | None = None
    lines: int = 1

    @property
    def list_cost(self) -> Decimal:
        """FOCUS ListCost."""
        return self.billed if self.public is None else self.public


class Line(NamedTuple):
    """One exported line; without charges it is a negation or a split-cost row, which count nowhere."""

    values: Values
    service: str
    account: str
    charges: tuple[Charge, ...]
    split: bool = False


class Product(NamedTuple):
    """A product of one account, which discounts are given on."""

    code: str
    name: str
    account: str


@dataclass
class Month:
    """The state that the planners of one month share.

    It has the bill, its calendar, and the usage that fees, discounts and taxes are levied on.
    """

    bill: Bill
    month: date
    version: int
    taxable: dict[Product, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    discounts: dict[tuple[Product, Discount], Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def __post_init__(self) -> None:
        self.days = days_in(self.month)
        self.start, self.end = month_start(self.month), month_end(self.month)
        self.invoice = str(900_000_000 + (self.month.year * 12 + self.month.month) * 997)
        self.marketplace_invoice = str(int(self.invoice) + 500)
        self._ids = hashlib.blake2b(f"{self.bill.seed}/{self.month}/{self.version}/".encode(), digest_size=26)
        self.base: Values = {
            "bill_invoice_id": self.invoice,
            "bill_billing_entity": "AWS",
            "bill_bill_type": "Anniversary",
            "bill_payer_account_id": self.bill.payer,
            "bill_billing_period_start_date": self.start,
            "bill_billing_period_end_date": self.end,
            "line_item_currency_code": self.bill.currency,
            "line_item_usage_account_id": self.bill.payer,
        }

    def basis(self, gross: Decimal, net: Decimal) -> Decimal:
        """Return the amount that a correct load takes: the net twin where the export has one."""
        return net if self.bill.net else gross

    def discount(self, product: Product, cost: Decimal, times: Decimal | int = 1) -> Decimal:
        """Record the discounts on `times` charges of a cost, for the month's end, and return their sum."""
        return -sum(self.discount_columns(product, cost, times).values(), ZERO)

    def discount_columns(self, product: Product, cost: Decimal, times: Decimal | int = 1) -> dict[str, Decimal]:
        """Record the discounts on `times` charges of a cost; return them by column, as AWS's negative amounts."""
        columns = {}
        for discount in discounts_on(product.code):
            share = discount.share(cost) * times
            if share:
                self.discounts[product, discount] += share
                columns[discount.column] = -share
        return columns

    def month_span(self) -> Values:
        """Return the columns of a line that spans the month: AWS ends it a second before the next one."""
        return self.span(self.start, self.end - timedelta(seconds=1))

    def rng(self, topic: str) -> Random:
        """Return a generator of the month and a topic: what one planner draws does not change what another draws."""
        return Random(f"{self.bill.seed}/{self.month}/{topic}")  # noqa: S311 - reproducible, not secret

    def line_id(self, name: str) -> str:
        """Return an id for a line; like AWS's it repeats across intervals and differs between versions."""
        digest = self._ids.copy()
        digest.update(name.encode())
        return digest.hexdigest()

    def day_lines(self, day: int) -> int:
        """Return how many of the bill's usage lines fall on a day."""
        return self.bill.lines * (day + 1) // self.days - self.bill.lines * day // self.days

    def share(self, day: int, percent: int) -> int:
        """Return the number of lines in a share of a day's usage; at least one, so that small bills have all kinds."""
        return max(1, self.day_lines(day) * percent // 100)

    def busiest_share(self, percent: int) -> int:
        """Return an upper bound of `share` for any day of any month: commitments are sized by it."""
        return max(1, (self.bill.lines // 28 + 1) * percent // 100)

    def span(self, start: datetime, end: datetime) -> Values:
        """Return the columns that all lines of an interval share."""
        interval = f"{start:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}"
        return self.base | {
            "identity_time_interval": interval,
            "line_item_usage_start_date": start,
            "line_item_usage_end_date": end,
        }

    def hours(self, day: int) -> list[Values]:
        """Return the columns that all lines of an hour share, for each hour of a day."""
        midnight = self.start + timedelta(days=day)
        return [self.span(midnight + timedelta(hours=h), midnight + timedelta(hours=h + 1)) for h in range(24)]


def money(value: Decimal) -> Decimal:
    """Round to ten places; raises InvalidOperation rather than return more digits than a DOUBLE keeps."""
    return value.quantize(_TEN_PLACES, context=_DOUBLE)


def costs(gross: Decimal, net: Decimal | None = None) -> Values:
    """Return the cost columns of a line; without discounts of its own its net cost is its gross cost."""
    return {
        "line_item_unblended_cost": gross,
        "line_item_blended_cost": gross,
        "line_item_net_unblended_cost": gross if net is None else net,
    }
