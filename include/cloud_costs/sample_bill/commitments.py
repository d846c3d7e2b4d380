"""Savings Plans and reservations, consistent in themselves.

A commitment is paid once (fee rows) and used up or not (covered usage). Each one is sized so that it is
never used up in full: every month has unused commitment to account for. What holds, exactly, for every
commitment and month:

Savings Plan: total commitment = recurring fee + amortized upfront commitment = effective cost of usage +
unused reservation:  recurring fee + amortized upfront fee = effective cost of usage + unused fees
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from random import Random
from typing import Protocol
from uuid import UUID

from cloud_costs.sample_bill.catalog import Meter, Values, box, database, product_columns, resource_of
from cloud_costs.sample_bill.lines import ZERO, Charge, Line, Month, money

_RESOURCES = 24
_THREE_PLACES = Decimal("0.001")


class Commitment(Protocol):
    lines_per_use: int

    def day_lines(self, day: int, count: int, hours: list[Values]) -> Iterator[Line]: ...

    def month_lines(self) -> Iterator[Line]: ...


@dataclass(frozen=True)
class SavingsPlanOffer:
    """A Savings Plan on the bill: `rates` are its prices by meter, `upfront` the share paid in advance."""

    offering: str
    payment: str
    term: str
    upfront: Decimal
    rates: tuple[tuple[Meter, Decimal], ...]


@dataclass(frozen=True)
class ReservationOffer:
    """A reservation on the bill, with its hourly fee and the hour's share of the upfront fee."""

    meter: Meter
    payment: str
    usage_type: str
    hourly: Decimal
    upfront_hourly: Decimal


_M5 = box("m5.xlarge", "0.1920000000", 8, 4, "16 GiB")
_C5 = box("c5.xlarge", "0.1700000000", 8, 4, "8 GiB")
_R5 = box("r5.2xlarge", "0.5040000000", 16, 8, "64 GiB")

SAVINGS_PLANS = (
    SavingsPlanOffer(
        "ComputeSavingsPlans",
        "No Upfront",
        "1yr",
        ZERO,
        ((_M5, Decimal("0.14016")), (_C5, Decimal("0.1241"))),
    ),
    SavingsPlanOffer(
        "EC2InstanceSavingsPlans", "Partial Upfront", "3yr", Decimal("0.5"), ((_R5, Decimal("0.21773184")),)
    ),
    SavingsPlanOffer("ComputeSavingsPlans", "All Upfront", "3yr", Decimal(1), ((_C5, Decimal("0.07735")),)),
)

RESERVATIONS = (
    ReservationOffer(
        box("c4.large", "0.1000000000", 4, 2, "3.75 GiB"), "Partial Upfront", "HeavyUsage:c4.large",
        Decimal("0.03"), Decimal("0.0300228"),
    ),
    ReservationOffer(
        database("db.r5.xlarge", "0.5000000000", 8, 4, "32 GiB"), "No Upfront", "HeavyUsage:db.r5.xlarge",
        Decimal("0.3275"), ZERO,
    ),
    ReservationOffer(
        box("m4.xlarge", "0.2000000000", 8, 4, "16 GiB"), "All Upfront", "HeavyUsage:m4.xlarge", ZERO,
        Decimal("0.1170091"),
    ),
)  # fmt: skip


def plan_commitments(plan: Month, percent: int) -> list[Commitment]:
    """Return the month's commitments; `percent` of the usage lines at most will use each of them."""
    rng = Random(f"{plan.bill.seed}/commitments")  # noqa: S311 - reproducible, not secret
    busiest = plan.busiest_share(percent)
    return [
        *(SavingsPlan(plan, offer, busiest, rng) for offer in SAVINGS_PLANS),
        *(Reservation(plan, offer, busiest, rng) for offer in RESERVATIONS),
    ]


class SavingsPlan:
    """A Savings Plan's month: covered usage with its negation by the hour, the recurring fee by the day."""

    lines_per_use = 2

    def __init__(self, plan: Month, offer: SavingsPlanOffer, busiest: int, rng: Random) -> None:
        self._plan, self._offer = plan, offer
        self._rng = plan.rng(f"sp/{offer.payment}")
        self._key = UUID(int=rng.getrandbits(128))
        dearest = max(rate for _, rate in offer.rates)
        self._hourly = (busiest * dearest / 24).quantize(_THREE_PLACES, rounding=ROUND_UP)
        self._upfront_hourly = (self._hourly * offer.upfront).quantize(_THREE_PLACES)
        self._product = product_columns(
            "ComputeSavingsPlans", "Savings Plans for AWS Compute usage", "ComputeSavingsPlans"
        )
        self._columns = self._plan_columns(self._key)
        self._used_by = [
            (resource_of(plan.bill, meter, rng), rate) for meter, rate in offer.rates for _ in range(_RESOURCES)
        ]

    def day_lines(self, day: int, count: int, hours: list[Values]) -> Iterator[Line]:
        used = ZERO
        for number in range(count):
            covered, negation = self._pair(number, hours[number * 24 // count])
            used += covered.charges[0].effective
            yield covered
            yield negation
        yield self._recurring_fee(used, hours)

    def month_lines(self) -> Iterator[Line]:
        """Yield this month's purchase of another plan of the offer, and a plan that was returned."""
        if not self._offer.upfront:
            return
        price = (self._hourly * 8760 * self._offer.upfront).quantize(Decimal("0.01")) + Decimal("0.37")
        bought, returned = (UUID(int=self._rng.getrandbits(128)) for _ in range(2))
        yield self._upfront("SavingsPlanUpfrontFee", bought, price)
        yield self._upfront("Refund", returned, -price / 2)

    def _plan_columns(self, key: UUID) -> Values:
        owner = self._plan.bill.payer
        return {
            "savings_plan_savings_plan_a_r_n": f"arn:aws:savingsplans::{owner}:savingsplan/{key}",
            "savings_plan_offering_type": self._offer.offering,
            "savings_plan_payment_option": self._offer.payment,
            "savings_plan_purchase_term": self._offer.term,
            "savings_plan_start_time": "2024-06-01T00:00:00.000Z",
            "savings_plan_end_time": f"{2024 + int(self._offer.term[0])}-05-31T23:59:59.000Z",
            "savings_plan_region": "us-east-1" if self._offer.offering.startswith("EC2") else "Any",
            "savings_plan_instance_type_family": "r5" if self._offer.offering.startswith("EC2") else "",
        }

    def _pair(self, number: int, hour: Values) -> tuple[Line, Line]:
        resource, rate = self._used_by[int(self._rng.random() * len(self._used_by))]
        amount = (1 + int(self._rng.random() ** 0.25 * 4)) * Decimal("0.25")
        cost, effective = money(amount * resource.meter.rate), money(amount * rate)
        values = {
            **hour,
            **resource.values,
            **self._columns,
            "identity_line_item_id": self._plan.line_id(f"{self._key}/{number}"),
            "line_item_line_item_type": "SavingsPlanCoveredUsage",
            "line_item_usage_amount": amount,
            "line_item_normalized_usage_amount": amount * resource.meter.factor,
            "line_item_unblended_cost": cost,
            "line_item_blended_cost": cost,
            "pricing_public_on_demand_cost": cost,
            "savings_plan_savings_plan_rate": rate,
            "savings_plan_savings_plan_effective_cost": effective,
        }
        negation = {
            **values,
            "identity_line_item_id": self._plan.line_id(f"{self._key}/{number}/negation"),
            "line_item_line_item_type": "SavingsPlanNegation",
            "line_item_line_item_description": f"SavingsPlanNegation used by AccountId : {resource.account}",
            "line_item_unblended_cost": -cost,
            "line_item_blended_cost": -cost,
            "pricing_public_on_demand_cost": -cost,
            "savings_plan_savings_plan_effective_cost": ZERO,
        }
        charge = Charge("Usage", ZERO, effective, cost)
        return (
            Line(values, resource.service, resource.account, (charge,)),
            Line(negation, resource.service, resource.account, ()),
        )

    def _recurring_fee(self, used: Decimal, hours: list[Values]) -> Line:
        total, upfront = self._hourly * 24, self._upfront_hourly * 24
        first, last = hours[0]["line_item_usage_start_date"], hours[-1]["line_item_usage_end_date"]
        values = {
            **self._plan.span(first, last),  # type: ignore[arg-type]
            **self._product,
            **self._columns,
            "identity_line_item_id": self._plan.line_id(f"{self._key}/fee"),
            "line_item_line_item_type": "SavingsPlanRecurringFee",
            "line_item_usage_type": f"ComputeSP:{self._offer.term}{self._offer.payment.replace(' ', '')}",
            "line_item_line_item_description": f"{self._offer.term} {self._offer.payment} Savings Plan",
            "line_item_usage_amount": Decimal(24),
            "line_item_unblended_cost": total - upfront,
            "line_item_blended_cost": total - upfront,
            "savings_plan_total_commitment_to_date": total,
            "savings_plan_used_commitment": used,
            "savings_plan_amortized_upfront_commitment_for_billing_period": upfront,
            "savings_plan_recurring_commitment_for_billing_period": total - upfront,
        }
        charges = (Charge("Purchase", total - upfront, ZERO), Charge("Usage", ZERO, total - used, lines=0))
        return Line(values, "ComputeSavingsPlans", self._plan.bill.payer, charges)

    def _upfront(self, line_type: str, key: UUID, cost: Decimal) -> Line:
        values = {
            **self._plan.month_span(),
            **self._product,
            **self._plan_columns(key),
            "identity_line_item_id": self._plan.line_id(f"{key}/{line_type}"),
            "bill_bill_type": "Refund" if line_type == "Refund" else "Purchase",
            "line_item_line_item_type": line_type,
            "line_item_usage_type": f"ComputeSP:{self._offer.term}{self._offer.payment.replace(' ', '')}",
            "line_item_line_item_description": f"{line_type} of {self._offer.term} {self._offer.payment}",
            "line_item_usage_amount": Decimal(1),
            "line_item_unblended_cost": cost,
            "line_item_blended_cost": cost,
        }
        charge = Charge("Purchase", cost, ZERO)
        return Line(values, "ComputeSavingsPlans", self._plan.bill.payer, (charge,))


class Reservation:
    """A reservation's month: discounted usage by the hour, one RIFee for the month, and an upfront fee
    where it has one.
    """

    lines_per_use = 1

    def __init__(self, plan: Month, offer: ReservationOffer, busiest: int, rng: Random) -> None:
        self._plan, self._offer = plan, offer
        self._rng = plan.rng(f"ri/{offer.payment}")
        self._key = UUID(int=rng.getrandbits(128))
        self._count = busiest // 24 + 1
        self._hours = Decimal(24 * plan.days * self._count)
        self._used = ZERO
        self._columns = self._reservation_columns(self._key)
        self._used_by = [resource_of(plan.bill, offer.meter, rng) for _ in range(_RESOURCES)]

    def day_lines(self, day: int, count: int, hours: list[Values]) -> Iterator[Line]:
        self._used += count
        recurring, upfront = self._offer.hourly, self._offer.upfront_hourly
        for number in range(count):
            resource = self._used_by[int(self._rng.random() * _RESOURCES)]
            values = {
                **hours[number * 24 // count],
                **resource.values,
                **self._columns,
                "identity_line_item_id": self._plan.line_id(f"{self._key}/{number}"),
                "line_item_line_item_type": "DiscountedUsage",
                "line_item_unblended_rate": "0.0000000000",
                "line_item_usage_amount": Decimal(1),
                "line_item_normalized_usage_amount": Decimal(resource.meter.factor),
                "pricing_public_on_demand_cost": resource.meter.rate,
                "pricing_term": "Reserved",
                "reservation_amortized_upfront_cost_for_usage": upfront,
                "reservation_recurring_fee_for_usage": recurring,
                "reservation_effective_cost": recurring + upfront,
            }
            charge = Charge("Usage", ZERO, recurring + upfront, resource.meter.rate)
            yield Line(values, resource.service, resource.account, (charge,))

    def month_lines(self) -> Iterator[Line]:
        yield self._fee()
        if self._offer.upfront_hourly:
            yield self._upfront_fee()

    def _reservation_columns(self, key: UUID) -> Values:
        service = "rds" if self._offer.meter.product_code == "AmazonRDS" else "ec2"
        units = self._hours * self._offer.meter.factor
        return {
            "pricing_lease_contract_length": "1yr",
            "pricing_offering_class": "standard",
            "pricing_purchase_option": self._offer.payment,
            "reservation_reservation_a_r_n": (
                f"arn:aws:{service}:us-east-1:{self._plan.bill.payer}:reserved-instances/{key}"
            ),
            "reservation_start_time": "2024-04-24T00:34:01.000Z",
            "reservation_end_time": "2025-04-24T00:34:00.000Z",
            "reservation_modification_status": "Original",
            "reservation_number_of_reservations": str(self._count),
            "reservation_subscription_id": str(key.int % 10**10),
            "reservation_units_per_reservation": f"{self._hours / self._count:.10f}",
            "reservation_total_reserved_units": f"{self._hours:.10f}",
            "reservation_total_reserved_normalized_units": f"{units:.11f}",
            "reservation_normalized_units_per_reservation": f"{units / self._count:.11f}",
        }

    def _fee_columns(self) -> Values:
        """Return what RIFee and upfront fees share; real ones have no service code."""
        meter = self._offer.meter
        return {
            **self._plan.month_span(),
            **product_columns(meter.product_code, meter.product_name, ""),
            "line_item_usage_type": self._offer.usage_type,
            "line_item_operation": meter.operation,
            "line_item_normalization_factor": Decimal(meter.factor),
            "product_region": "us-east-1",
        }

    def _fee(self) -> Line:
        offer, unused = self._offer, self._hours - self._used
        recurring = self._hours * offer.hourly
        unused_upfront, unused_recurring = unused * offer.upfront_hourly, unused * offer.hourly
        values = {
            **self._fee_columns(),
            **self._columns,
            "identity_line_item_id": self._plan.line_id(f"{self._key}/fee"),
            "line_item_line_item_type": "RIFee",
            "line_item_line_item_description": f"USD {offer.hourly} hourly fee per {offer.usage_type}",
            "line_item_usage_amount": self._hours,
            "line_item_normalized_usage_amount": self._hours * offer.meter.factor,
            "line_item_unblended_rate": f"{offer.hourly:.10f}",
            "line_item_unblended_cost": recurring,
            "line_item_blended_cost": recurring,
            "reservation_amortized_upfront_fee_for_billing_period": self._hours * offer.upfront_hourly,
            "reservation_unused_amortized_upfront_fee_for_billing_period": unused_upfront,
            "reservation_unused_recurring_fee": unused_recurring,
            "reservation_unused_quantity": unused,
            "reservation_unused_normalized_unit_quantity": unused * offer.meter.factor,
            "reservation_upfront_value": offer.upfront_hourly * 8760 * self._count,
        }
        charges = (
            Charge("Purchase", recurring, ZERO),
            Charge("Usage", ZERO, unused_upfront + unused_recurring, lines=0),
        )
        return Line(values, offer.meter.product_code, self._plan.bill.payer, charges)

    def _upfront_fee(self) -> Line:
        key = UUID(int=self._rng.getrandbits(128))
        cost = (self._offer.upfront_hourly * 8760).quantize(Decimal("0.01"))
        values = {
            **self._fee_columns(),
            **self._reservation_columns(key),
            "identity_line_item_id": self._plan.line_id(f"{key}/upfront"),
            "bill_bill_type": "Purchase",
            "line_item_line_item_type": "Fee",
            "line_item_line_item_description": f"Sign up charge for reservation {key}",
            "line_item_usage_amount": Decimal(1),
            "line_item_unblended_cost": cost,
            "line_item_blended_cost": cost,
            "reservation_number_of_reservations": "1",
            "reservation_upfront_value": cost,
        }
        charge = Charge("Purchase", cost, ZERO)
        return Line(values, self._offer.meter.product_code, self._plan.bill.payer, (charge,))
