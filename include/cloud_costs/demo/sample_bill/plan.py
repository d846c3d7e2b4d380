"""The lines of one month with their true meaning, independent of any file format.

Lines are planned day by day and not kept, so a month of ten million lines needs memory only for its resources. All
randomness comes from (bill, month). A version changes the drawn lines by arithmetic on their position, so a restated
month differs from the first one only by the restatement.
"""

from collections.abc import Iterator
from datetime import date

from cloud_costs.demo.sample_bill.bill import Bill
from cloud_costs.demo.sample_bill.commitments import plan_commitments
from cloud_costs.demo.sample_bill.lines import Charge, Line, Month
from cloud_costs.demo.sample_bill.monthly import monthly_lines
from cloud_costs.demo.sample_bill.usage import Split, Usage

__all__ = ["Charge", "Line", "plan_lines"]

_SPLIT_PERCENT = 2


def plan_lines(bill: Bill, month: date, version: int = 1) -> Iterator[Line]:
    """Yield the month's lines: each day's usage, then the charges for the month as a whole."""
    plan = Month(bill, month.replace(day=1), version)
    commitments = plan_commitments(plan)
    split, usage = Split(plan), Usage(plan)
    for day in range(plan.days):
        hours = plan.hours(day)
        rest = plan.day_lines(day)
        for commitment in commitments:
            count = plan.share(day, commitment.percent)
            rest -= count * commitment.lines_per_use
            yield from commitment.day_lines(day, count, hours)
        count = plan.share(day, _SPLIT_PERCENT)
        yield from split.day_lines(count, hours)
        yield from usage.day_lines(day, max(1, rest - count), hours)
        yield from usage.event_lines(day, hours)
    for commitment in commitments:
        yield from commitment.month_lines()
    yield from monthly_lines(plan)
