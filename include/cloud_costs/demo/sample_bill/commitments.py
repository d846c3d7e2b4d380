"""What a company has committed itself to: Savings Plans and reservations, consistent in themselves.

A commitment is paid once (fee rows) and used up or not (covered usage). Each one is sized so that it is
never used up in full: every month has unused commitment to account for.
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

    def day_lines(self, day: int, count: int, hours: list[Values]) -> Iterator[Line]: ...

    def month_lines(self) -> Iterator[Line]: ...


def plan_commitments(plan: Month) -> list[Commitment]:
    rng = Random(f"{plan.bill.seed}/commitments")  # noqa: S311 - reproducible, not secret
    return [
        *(SavingsPlan(plan, offer, rng) for offer in SAVINGS_PLANS),
        *(Reservation(plan, offer, rng) for offer in RESERVATIONS),
    ]
