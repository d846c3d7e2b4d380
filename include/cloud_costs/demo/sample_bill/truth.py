"""The truth: the totals that a correct load of the sample bill gives, added up from the plan while it is written."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from cloud_costs.demo.sample_bill.bill import Bill
from cloud_costs.demo.sample_bill.lines import ZERO, Line


@dataclass(frozen=True)
class TruthRow:
    """The totals of one (billing month, service, account, charge category, currency).

    `account` is None for charges that belong to no account. `lines` is the number of exported lines. A fee that FOCUS
    splits in two counts once, and negations and split-cost rows do not count. The lines of a FOCUS export are charges,
    so there the fee counts twice.
    """

    billing_month: date
    service: str
    account: str | None
    charge_category: str
    currency: str
    billed_cost: Decimal
    effective_cost: Decimal
    list_cost: Decimal
    lines: int


@dataclass(frozen=True)
class Truth:
    """One delivered month; `assembly_id` is the delivery's id, whatever the format calls it.

    `raw_cost` is the sum of the exported cost on the bill's basis, without split-cost rows; `split_cost` is what those
    give shares of; `raw_lines` counts every exported line.

    `raw_lines` is the lines of `rows` plus `negation_lines` plus `split_lines`. `invoices` holds the billed
    cost by invoice id, under '' that of lines not invoiced yet.
    """

    billing_month: date
    version: int
    assembly_id: str
    currency: str
    rows: tuple[TruthRow, ...]
    raw_lines: int
    raw_cost: Decimal
    negation_lines: int
    split_lines: int
    split_cost: Decimal
    invoices: dict[str, Decimal]

    @property
    def billed_cost(self) -> Decimal:
        """The sum of FOCUS BilledCost; of all currencies, where a bill has several."""
        return sum((row.billed_cost for row in self.rows), ZERO)

    @property
    def effective_cost(self) -> Decimal:
        """The sum of FOCUS EffectiveCost."""
        return sum((row.effective_cost for row in self.rows), ZERO)

    @property
    def list_cost(self) -> Decimal:
        """The sum of FOCUS ListCost."""
        return sum((row.list_cost for row in self.rows), ZERO)


@dataclass
class _Sums:
    billed: Decimal = ZERO
    effective: Decimal = ZERO
    list_cost: Decimal = ZERO
    lines: int = 0


@dataclass
class Tally:
    """The sums of the lines that pass through it, which become the truth."""

    bill: Bill
    groups: defaultdict[tuple[str, str, str], _Sums] = field(default_factory=lambda: defaultdict(_Sums))
    invoices: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    lines: int = 0
    cost: Decimal = ZERO
    negation_lines: int = 0
    split_lines: int = 0
    split_cost: Decimal = ZERO

    def watch(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Pass the lines on, adding them up."""
        for line in lines:
            self._add(line)
            yield line

    def __post_init__(self) -> None:
        self._cost_column = "line_item_net_unblended_cost" if self.bill.net else "line_item_unblended_cost"
        self._by_charge = self.bill.format == "aws_focus"

    def _add(self, line: Line) -> None:
        if self._by_charge:
            self.lines += len(line.charges)
            self.cost += sum((charge.billed for charge in line.charges), ZERO)
        else:
            self._count(line)
        for charge in line.charges:
            sums = self.groups[line.service, line.account, charge.category]
            sums.billed += charge.billed
            sums.effective += charge.effective
            sums.list_cost += charge.list_cost
            sums.lines += 1 if self._by_charge else charge.lines
            self.invoices[str(line.values["bill_invoice_id"])] += charge.billed

    def _count(self, line: Line) -> None:
        self.lines += 1
        cost = line.values.get(self._cost_column, ZERO)
        if not isinstance(cost, Decimal):
            raise TypeError(f"a cost must be a Decimal, not {cost!r}")
        if line.split:
            share = line.values["split_line_item_split_cost"]
            self.split_lines += 1
            self.split_cost += share if isinstance(share, Decimal) else ZERO
        else:
            self.cost += cost
            self.negation_lines += not line.charges

    def truth(self, month: date, version: int, delivery_id: str) -> Truth:
        """Return the truth of all lines that passed."""
        rows = tuple(
            TruthRow(
                month,
                service,
                account,
                category,
                self.bill.currency,
                sums.billed,
                sums.effective,
                sums.list_cost,
                sums.lines,
            )
            for (service, account, category), sums in sorted(self.groups.items())
        )
        return Truth(
            month, version, delivery_id, self.bill.currency, rows, self.lines, self.cost,
            self.negation_lines, self.split_lines, self.split_cost, dict(sorted(self.invoices.items())),
        )  # fmt: skip


def write_truth(path: Path, truths: Sequence[Truth]) -> None:
    """Write the truths as JSON, decimals as strings and dates in ISO form."""
    documents = [
        {**vars(truth), "rows": [vars(row) for row in truth.rows]} for truth in truths
    ]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(documents, indent=1, ensure_ascii=False, default=_to_json) + "\n", encoding="utf-8")


def read_truth(path: Path) -> list[Truth]:
    """Read a file of `write_truth`."""
    return [_truth(document) for document in json.loads(path.read_text(encoding="utf-8"))]


def _to_json(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _truth(document: dict[str, Any]) -> Truth:
    invoices = {invoice: Decimal(cost) for invoice, cost in document["invoices"].items()}
    rows = tuple(TruthRow(**_typed(row)) for row in document["rows"])
    return Truth(**_typed(document) | {"rows": rows, "invoices": invoices})


def _typed(document: dict[str, Any]) -> dict[str, Any]:
    readers: dict[str, Any] = {"billing_month": date.fromisoformat}
    readers |= dict.fromkeys(
        ("billed_cost", "effective_cost", "list_cost", "raw_cost", "split_cost"), Decimal
    )  # fmt: skip
    return {name: readers[name](value) if name in readers else value for name, value in document.items()}
