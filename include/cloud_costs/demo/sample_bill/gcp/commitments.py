"""Committed use discounts, each with an unused part: the lines that Google bills, and their meaning.

The truth is made of quantities and prices. The used part and the unused part of a commitment each cost their quantity
at the committed price, so nothing is divided.

Sources: Google's documentation of resource based and spend based committed use discounts, and "Spend-based CUDs data
model updates".
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from cloud_costs.demo.sample_bill.gcp.lines import CLOUD_RUN, CLOUD_SQL, COMPUTE, Line, Month, Values, credit
from cloud_costs.demo.sample_bill.lines import ZERO, Charge

CPU = ("2E27-4F75-95CD", "N1 Predefined Instance Core running in Americas")
RAM = ("6C71-E844-38BC", "N1 Predefined Instance Ram running in Americas")
RESOURCE_SUBSCRIPTION = "3f0a6c1e-0000-4000-8000-000000000001"
LEGACY_SUBSCRIPTION = "3f0a6c1e-0000-4000-8000-000000000002"
NEW_SUBSCRIPTION = "3f0a6c1e-0000-4000-8000-000000000003"
HOUR = Decimal(3600)


def plan_commitments(month: Month) -> Iterator[Line]:
    """Yield fees and covered use of one commitment of each kind, day by day."""
    yield from _resource_based(month, CPU, "Cpu", "seconds", Decimal("0.00001"), Decimal("0.0000063"), 16)
    yield from _resource_based(month, RAM, "Ram", "byte-seconds", Decimal("0.0000016"), Decimal("0.0000012"), 64)
    yield from _legacy_spend_based(month)
    yield from _new_spend_based(month)
    yield from _untied(month)


def _resource_based(
    month: Month, sku: tuple[str, str], resource: str, unit: str, price: Decimal, committed: Decimal, size: int
) -> Iterator[Line]:
    """Yield a commitment to `size` units. Two projects use some of them, and credits cancel the cost of this use."""
    buyer, other = month.bill.projects[:2]
    subscription = {"instance_id": RESOURCE_SUBSCRIPTION}
    for day in range(month.days):
        start = month.start + timedelta(days=day)
        fee = size * 24 * HOUR * committed
        unused = fee
        for project, covered, uncovered in ((buyer, size // 2, 0), (other, size // 4, 1 + day % 3)):
            hours = 24 * HOUR
            used, rest = covered * hours, uncovered * hours
            cost = (used + rest) * price
            values = month.line(
                COMPUTE,
                sku,
                project,
                start,
                cost,
                usage_end_time=start + timedelta(days=1),
                usage=month.usage(used + rest, unit, (used + rest) / HOUR, "hour"),
                credits=[credit("COMMITTED_USAGE_DISCOUNT", f"Committed Usage Discount: {resource}", used * price)],
                subscription=subscription,
                cost_at_list=cost,
            )
            effective = rest * price + used * committed
            unused -= used * committed
            charge = Charge("Usage", cost - used * price, effective, cost)
            yield Line(values, COMPUTE.name, project.id, (charge,))
        values = month.line(
            COMPUTE,
            (f"0000-0000-{resource.upper()}1", f"Commitment v1: {resource} in Americas for 1 Year"),
            buyer,
            start,
            fee,
            usage_end_time=start + timedelta(days=1),
            usage=month.usage(size * 24 * HOUR, unit, Decimal(size * 24), "hour"),
            subscription=subscription,
        )
        yield _fee(values, fee, fee, unused)


def _legacy_spend_based(month: Month) -> Iterator[Line]:
    """Yield a commitment to spend 100 a day for 54, all of it used: its fee is spread over the credits."""
    buyer, other = month.bill.projects[:2]
    subscription = {"instance_id": LEGACY_SUBSCRIPTION}
    for day in range(month.days):
        start = month.start + timedelta(days=day)
        for project, covered in ((buyer, Decimal(30)), (other, Decimal(70))):
            cost = covered + Decimal("1.25")
            values = month.line(
                CLOUD_RUN,
                ("7AB4-0000-0001", "CPU Allocation Time in us-central1"),
                project,
                start,
                cost,
                usage=month.usage(cost * 1000, "seconds", cost * 1000, "second"),
                credits=[
                    credit(
                        "COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE",
                        "12-b34-c56-d78",
                        covered,
                        "Spend-based committed use discount",
                    )
                ],
                subscription=subscription,
            )
            charge = Charge("Usage", cost - covered, cost - covered + covered * Decimal("0.54"), cost)
            yield Line(values, CLOUD_RUN.name, project.id, (charge,))
        values = month.line(
            CLOUD_RUN,
            ("7AB4-0000-0002", "Commitment - dollar based v1: Cloud Run in us-central1 for 1 year"),
            buyer,
            start,
            Decimal(54),
            usage=month.usage(Decimal(3600), "seconds", Decimal(1), "hour"),
            subscription=subscription,
        )
        yield _fee(values, Decimal(54), Decimal(54), ZERO)


def _new_spend_based(month: Month) -> Iterator[Line]:
    """Yield a commitment to pay 20 a day: use is billed at its discounted price, and taken off the fee."""
    buyer, other = month.bill.projects[:2]
    for day in range(month.days):
        start = month.start + timedelta(days=day)
        used = Decimal("17.5") if day % 4 else Decimal("12.125")
        values = month.line(
            CLOUD_SQL,
            ("9C1B-0000-0001", "Cloud SQL for PostgreSQL: Regional - vCPU in Americas"),
            other,
            start,
            used,
            usage=month.usage(used * 100, "seconds", used, "hour"),
            subscription={"instance_id": NEW_SUBSCRIPTION},
            consumption_model={"id": "5515-81A8-03A2", "description": "Cloud SQL CUD - 1 Year"},
            cost_at_list=used * 2,
        )
        yield Line(values, CLOUD_SQL.name, other.id, (Charge("Usage", used, used, used * 2),))
        values = month.line(
            CLOUD_SQL,
            ("9C1B-0000-0002", "Commitment: Cloud SQL Database for 1 Year"),
            buyer,
            start,
            Decimal(20),
            credits=[credit("FEE_UTILIZATION_OFFSET", "Cloud SQL CUD fee offset", used)],
            subscription={"instance_id": NEW_SUBSCRIPTION},
        )
        yield _fee(values, Decimal(20), Decimal(20) - used, Decimal(20) - used)


def _untied(month: Month) -> Iterator[Line]:
    """Yield a fee without the use that it covers. Its cost stays with the project that it is billed to."""
    buyer = month.bill.projects[0]
    fee = Decimal("3.75")
    values = month.line(
        COMPUTE,
        ("0000-0000-GPU1", "Commitment v1: Nvidia Tesla T4 GPU in Americas for 1 Year"),
        buyer,
        month.start,
        fee,
        usage=month.usage(HOUR, "seconds", Decimal(1), "hour"),
    )
    yield Line(values, COMPUTE.name, buyer.id, (Charge("Purchase", fee, fee, fee),))


def _fee(values: Values, listed: Decimal, billed: Decimal, unused: Decimal) -> Line:
    """Return a fee: the purchase, whose effective cost is 0, and what nobody used of it."""
    charges = [Charge("Purchase", billed, ZERO, listed)]
    if unused:
        charges.append(Charge("Usage", ZERO, unused, ZERO, 0))
    return Line(values, values["service"]["description"], values["project"]["id"], tuple(charges))
