"""The lines of a month, and the meaning of each.

A line may be in the data set of actual costs, in that of amortized costs, or in both, with a cost of its own in each:

- usage that no commitment covers: in both, at the same cost
- usage of a reservation or savings plan: actual 0, amortized its share of the commitment
- a commitment's purchase or refund: in the actual data set alone
- what is left unused of it: in the amortized one alone
- all else, such as Marketplace, tax, credits and rounding: in both

A version other than 1 restates every 41st amount, and adds a late credit.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from cloud_costs.demo.sample_bill.azure import catalog
from cloud_costs.demo.sample_bill.azure.bill import AzureBill
from cloud_costs.demo.sample_bill.azure.catalog import Meter, Profile, Subscription
from cloud_costs.demo.sample_bill.bill import days_in

ZERO = Decimal(0)
CENTS = Decimal("0.01")
DIGITS = Decimal("0.0000000001")


@dataclass(frozen=True)
class AzureLine:
    """One line: the values that Azure exports, and its billed, effective and list costs.

    `actual` and `amortized` are its costs in the two data sets, None for a data set that does not have it.
    `subscription` is None for a line of the billing account as a whole.
    """

    day: date
    charge_type: str
    category: str
    meter: Meter
    profile: Profile
    subscription: Subscription | None
    resource_id: str
    region: tuple[str, str, str] | None
    quantity: Decimal
    actual: Decimal | None
    amortized: Decimal | None
    list_cost: Decimal
    pricing_model: str = "OnDemand"
    frequency: str = "UsageBased"
    benefit: str = ""
    benefit_name: str = ""
    publisher: str = catalog.MICROSOFT
    publisher_type: str = "Azure"
    tags: tuple[tuple[str, str], ...] = ()
    description: str = ""

    @property
    def is_bought(self) -> bool:
        """Whether the line buys or gives back a commitment."""
        return self.amortized is None

    @property
    def is_of_commitment(self) -> bool:
        """Whether the line belongs to a reservation or savings plan."""
        return self.benefit != ""

    @property
    def billed(self) -> Decimal:
        """FOCUS BilledCost: a commitment is billed when it is bought, and its use costs nothing."""
        if self.is_bought:
            return self.actual or ZERO
        return ZERO if self.is_of_commitment else self.amortized or ZERO

    @property
    def effective(self) -> Decimal:
        """FOCUS EffectiveCost: both use and unused parts of a commitment cost something, and its purchase nothing."""
        return ZERO if self.is_bought else self.amortized or ZERO


class _Month:
    """The state that the planners of one month share."""

    def __init__(self, bill: AzureBill, month: date) -> None:
        self.bill, self.month = bill, month
        self.rng = random.Random(f"{bill.seed} {month} azure")  # noqa: S311  reproducible, not secret
        self.days = [month + timedelta(days=number) for number in range(days_in(month))]

    def profile(self, subscription: Subscription | None = None) -> Profile:
        if self.bill.agreement == "MCA":
            return catalog.PROFILES[subscription.profile if subscription else 0]
        return Profile(catalog.ENROLLMENT, "Acme Enrollment", "USD", Decimal(1))

    def money(self, dollars: Decimal, profile: Profile) -> Decimal:
        """Return an amount in the billing currency, with as many digits as fit into a double."""
        return (dollars * profile.rate).quantize(DIGITS)


def plan_lines(bill: AzureBill, month: date, version: int = 1) -> Iterator[AzureLine]:
    """Yield the lines of a month, usage first."""
    plan = _Month(bill, month)
    yield from _restated(_usage(plan), version)
    if bill.agreement == "payg":
        return
    if version > 1:
        yield _credit(plan, Decimal("-3.07"), "Late credit")
    yield from _reservation(plan)
    yield from _savings_plan(plan)
    yield from _others(plan)


def _restated(lines: Iterator[AzureLine], version: int) -> Iterator[AzureLine]:
    for number, line in enumerate(lines):
        if version > 1 and number % 41 == 0:
            cost = (line.actual or ZERO) + CENTS
            # Without a list price, the list cost is the billed cost.
            listed = cost if line.list_cost == line.actual else line.list_cost
            yield replace(line, actual=cost, amortized=cost, list_cost=listed)
        else:
            yield line


def _usage(plan: _Month) -> Iterator[AzureLine]:
    for number in range(plan.bill.lines):
        meter = catalog.METERS[number % len(catalog.METERS)]
        subscription = plan.rng.choice(catalog.SUBSCRIPTIONS)
        line = _usage_line(plan, meter, subscription, plan.rng.choice(plan.days))
        spot = meter is catalog.VM and number % 5 == 0 and plan.bill.agreement != "payg"
        yield replace(line, pricing_model="Spot") if spot else line


def _usage_line(plan: _Month, meter: Meter, subscription: Subscription, day: date) -> AzureLine:
    profile = plan.profile(subscription)
    quantity = Decimal(plan.rng.randint(1, 240_000)) / 10_000
    cost = plan.money(meter.price * quantity / meter.block, profile)
    group = f"rg-{plan.rng.randint(1, 4)}"
    name = f"{meter.name.split()[0]}-{plan.rng.randint(1, 30)}"
    return AzureLine(
        day,
        "Usage",
        "Usage",
        meter,
        profile,
        subscription,
        resource_id(subscription, group, meter, name),
        plan.rng.choice(catalog.REGIONS),
        quantity,
        cost,
        cost,
        list_cost(plan.bill, meter, quantity, profile, cost),
        tags=_tags(plan.rng),
    )


def list_cost(bill: AzureBill, meter: Meter, quantity: Decimal, profile: Profile, billed: Decimal) -> Decimal:
    """Return the cost at list prices, or the billed cost where there is no list price.

    Pay-as-you-go exports have no list prices at all.
    """
    if not meter.list_price or bill.agreement == "payg":
        return billed
    amount = meter.list_price * quantity / meter.block
    return (amount * profile.rate).quantize(DIGITS) if bill.agreement == "MCA" else amount


def resource_id(subscription: Subscription, group: str, meter: Meter, name: str) -> str:
    """Return the id of a resource, in mixed case; a database lies below its server."""
    namespace, *kinds = meter.resource_type.split("/")
    path = "/".join(f"{kind}/{name}" for kind in kinds)
    return f"/subscriptions/{subscription.id}/resourceGroups/{group}/providers/{namespace}/{path}"


def _tags(rng: random.Random) -> tuple[tuple[str, str], ...]:
    team = rng.choice(("checkout", "Söker", 'quoted "team"', ""))
    found = (("team", team), ("Env", rng.choice(("prod", "test"))))
    return tuple((key, value) for key, value in found if value)


def _reservation(plan: _Month) -> Iterator[AzureLine]:
    """Yield a reservation of two machines: its monthly fee, its use of each day, its unused part, and a refund."""
    meter, subscription = catalog.RESERVATION, catalog.SUBSCRIPTIONS[0]
    profile = plan.profile(subscription)
    order = catalog.ORDER.format("aaaaaaaa-0000-4000-8000-00000000000d")
    hours = Decimal(48)
    fee = plan.money(meter.price * hours * len(plan.days), profile)
    bought = AzureLine(
        plan.days[0], "Purchase", "Purchase", meter, profile, None, order, None, Decimal(2), fee, None, fee,
        "Reservation", "Recurring", order, "vm-reserved",
    )  # fmt: skip
    yield bought
    refund = plan.money(Decimal("-73.1"), profile)
    yield replace(bought, day=plan.days[9], charge_type="Refund", actual=refund, list_cost=refund, frequency="OneTime")
    for day in plan.days:
        unused = Decimal(plan.rng.choice((0, 0, 6, 24)))
        used = hours - unused
        share = plan.money(meter.price * used, profile)
        line = replace(_usage_line(plan, catalog.VM, subscription, day), pricing_model="Reservation", quantity=used)
        yield replace(
            line, actual=ZERO, amortized=share, benefit=order, benefit_name="vm-reserved",
            list_cost=list_cost(plan.bill, catalog.VM, used, profile, ZERO),
        )  # fmt: skip
        if unused:
            yield replace(
                bought, day=day, charge_type="UnusedReservation", category="Usage", quantity=unused, actual=None,
                amortized=plan.money(meter.price * unused, profile), list_cost=ZERO, frequency="UsageBased",
            )  # fmt: skip


def _savings_plan(plan: _Month) -> Iterator[AzureLine]:
    """Yield a savings plan: it is paid upfront in January, and its use covers machines of two subscriptions."""
    meter = catalog.SAVINGS_PLAN
    profile = plan.profile(catalog.SUBSCRIPTIONS[0])
    order = catalog.PLAN.format("bbbbbbbb-0000-4000-8000-00000000000e")
    bought = AzureLine(
        plan.days[0], "Purchase", "Purchase", meter, profile, None, order, None, Decimal(1), ZERO, None, ZERO,
        "SavingsPlan", "OneTime", order, "compute-plan",
    )  # fmt: skip
    if plan.month.month == 1:
        fee = plan.money(meter.price * 24 * 365, profile)
        yield replace(bought, actual=fee, list_cost=fee)
    for day in plan.days:
        used = Decimal(plan.rng.randint(12, 24))
        line = replace(_usage_line(plan, catalog.VM, catalog.SUBSCRIPTIONS[day.day % 2], day), quantity=used)
        yield replace(
            line, actual=ZERO, amortized=plan.money(meter.price * used, profile), pricing_model="SavingsPlan",
            benefit=order, benefit_name="compute-plan",
            list_cost=list_cost(plan.bill, catalog.VM, used, profile, ZERO),
        )  # fmt: skip
        if used < 24:
            yield replace(
                bought, day=day, charge_type="UnusedSavingsPlan", category="Usage", quantity=24 - used, actual=None,
                amortized=plan.money(meter.price * (24 - used), profile), list_cost=ZERO, frequency="UsageBased",
            )  # fmt: skip


def _others(plan: _Month) -> Iterator[AzureLine]:
    """Yield the other lines of a bill: Marketplace, tax, a credit, and the rounding of an invoice."""
    subscription = catalog.SUBSCRIPTIONS[2]
    seats = _usage_line(plan, catalog.MARKETPLACE, subscription, plan.days[4])
    cost = seats.actual or ZERO
    sold = replace(seats, publisher="Example Search B.V.", publisher_type="Marketplace", list_cost=cost)
    yield replace(sold, pricing_model="", frequency="UsageBased")
    monthly = plan.money(Decimal(500), sold.profile)
    yield replace(
        sold, charge_type="Purchase", category="Purchase", quantity=Decimal(1), frequency="Recurring",
        actual=monthly, amortized=monthly, list_cost=monthly,
    )  # fmt: skip
    yield _credit(plan, Decimal("-120.55"), "Azure credit")
    tax = plan.money(Decimal("31.9"), sold.profile)
    yield replace(
        sold, charge_type="Tax", category="Tax", quantity=Decimal(1), frequency="OneTime", actual=tax, amortized=tax,
        list_cost=tax, pricing_model="", tags=(),
    )  # fmt: skip
    rounding = Decimal("-0.0041")
    yield replace(
        _credit(plan, rounding, "Rounding"), charge_type="RoundingAdjustment", category="Adjustment",
        actual=rounding, amortized=rounding, list_cost=rounding,
    )  # fmt: skip


def _credit(plan: _Month, dollars: Decimal, description: str) -> AzureLine:
    """Return a credit of the billing account: it belongs to no subscription and no resource."""
    meter = Meter(
        description, "Other", "Other (Other)", "", "", "", description, "", "1", 1, "Units", ZERO, ZERO
    )  # fmt: skip
    profile = plan.profile()
    cost = plan.money(dollars, profile)
    return AzureLine(
        plan.days[-1], "Credit", "Credit", meter, profile, None, "", None, Decimal(1), cost, cost, cost, "",
        "OneTime", description=description,
    )  # fmt: skip
