"""Deliver a planned month as the shipped query does: numbered files, one of them empty, and then the marker."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import islice
from pathlib import Path

from cloud_costs.demo.sample_bill.files import write_text
from cloud_costs.demo.sample_bill.gcp.bill import GoogleBill, run_name
from cloud_costs.demo.sample_bill.gcp.files import write_file
from cloud_costs.demo.sample_bill.gcp.lines import Line
from cloud_costs.demo.sample_bill.gcp.plan import plan_lines
from cloud_costs.demo.sample_bill.lines import ZERO
from cloud_costs.demo.sample_bill.truth import Truth, TruthRow

BATCH_LINES = 20_000


def write_google_month(bill: GoogleBill, month: date, bucket_dir: Path, *, version: int = 1) -> Truth:
    """Write one run of the query for a month below `bucket_dir`, the root of the bucket, and return its truth."""
    month = month.replace(day=1)
    tally = _Tally()
    run = run_name(month, version)
    folder = f"{bill.prefix}/invoice_month={month:%Y%m}/{run}"
    lines = tally.watch(plan_lines(bill, month, version))
    number = written = 0
    share = max(1, min(BATCH_LINES, -(-bill.lines // bill.files)))
    while batch := list(islice(lines, share)):
        write_file(bucket_dir / _part(folder, number, bill), bill.form, batch, written)
        number, written = number + 1, written + len(batch)
    write_file(bucket_dir / _part(folder, number, bill), bill.form, [], written)
    if bill.marker:
        content = {
            "invoice_month": f"{month:%Y%m}",
            "rows": str(tally.lines),
            "billed": [{"currency": bill.currency, "cost": f"{tally.cost:f}"}],
        }
        write_text(bucket_dir, f"{folder}/_SUCCESS-000000000000.json", json.dumps(content) + "\n")
    return tally.truth(bill, month, version, run)


def write_google_export(bill: GoogleBill, months: Sequence[date], bucket_dir: Path) -> list[Truth]:
    """Write all months and return their truth; the first month has an older run beside the newest one."""
    if months:
        write_google_month(bill, months[0], bucket_dir)
    return [
        write_google_month(bill, month, bucket_dir, version=2 if index == 0 else 1)
        for index, month in enumerate(months)
    ]


def _part(folder: str, number: int, bill: GoogleBill) -> str:
    return f"{folder}/part-{number:012d}.{bill.form}"


@dataclass
class _Sums:
    billed: Decimal = ZERO
    effective: Decimal = ZERO
    list_cost: Decimal = ZERO
    lines: int = 0


@dataclass
class _Tally:
    """The sums of the lines that pass through it, which become the truth."""

    groups: defaultdict[tuple[str, str | None, str], _Sums] = field(default_factory=lambda: defaultdict(_Sums))
    lines: int = 0
    cost: Decimal = ZERO

    def watch(self, lines: Iterator[Line]) -> Iterator[Line]:
        """Pass the lines on, adding them up."""
        for line in lines:
            self.lines += 1
            self.cost += line.values["cost"] + sum((one["amount"] for one in line.values["credits"]), ZERO)
            for charge in line.charges:
                sums = self.groups[line.service, line.project, charge.category]
                sums.billed += charge.billed
                sums.effective += charge.effective
                sums.list_cost += charge.list_cost
                sums.lines += charge.lines
            yield line

    def truth(self, bill: GoogleBill, month: date, version: int, run: str) -> Truth:
        rows = tuple(
            TruthRow(
                month,
                *(service, project, category, bill.currency),
                *(sums.billed, sums.effective, sums.list_cost, sums.lines),
            )
            for (service, project, category), sums in sorted(
                self.groups.items(), key=lambda group: (group[0][0], group[0][1] or "", group[0][2])
            )
        )
        return Truth(month, version, run, bill.currency, rows, self.lines, self.cost, 0, 0, ZERO, {"": self.cost})
