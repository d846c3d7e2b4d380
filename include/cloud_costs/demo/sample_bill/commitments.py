"""The commitments of the company on the sample bill: Savings Plans and reservations.

A commitment is paid for once (fee rows), and usage is covered by it. Each one is so large that a part stays unused, so
every month has an unused commitment to account for.
"""

from collections.abc import Iterator
from random import Random
from typing import Protocol

from cloud_costs.demo.sample_bill.catalog import Values
from cloud_costs.demo.sample_bill.lines import Line, Month
from cloud_costs.demo.sample_bill.reservations import RESERVATIONS, Reservation
from cloud_costs.demo.sample_bill.savings_plans import SAVINGS_PLANS, SavingsPlan


class Commitment(Protocol):
    """A commitment's month; `percent` of the usage lines use it, each as `lines_per_use` lines."""

    percent: int
    lines_per_use: int

    def day_lines(self, day: int, count: int, hours: list[Values]) -> Iterator[Line]:
        """Yield the lines of `count` uses on a day; `hours` has the columns of each hour of the day."""

    def month_lines(self) -> Iterator[Line]:
        """Yield the fees of the month, once all its uses are planned."""


def plan_commitments(plan: Month) -> list[Commitment]:
    """Return the month's commitments, drawn from the bill's seed alone, so that they are the same in every month."""
    rng = Random(f"{plan.bill.seed}/commitments")  # noqa: S311 - reproducible, not secret
    return [
        *(SavingsPlan(plan, offer, rng) for offer in SAVINGS_PLANS),
        *(Reservation(plan, offer, rng) for offer in RESERVATIONS),
    ]
