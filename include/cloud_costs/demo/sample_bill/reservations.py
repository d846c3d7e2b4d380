"""Reservations. For every reservation and month, on the gross and the net basis, this holds exactly:

recurring fee + amortized upfront fee = effective cost of usage + unused fees
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from uuid import UUID

from cloud_costs.demo.sample_bill.catalog import Meter, Values, box, database
from cloud_costs.demo.sample_bill.discounts import discounts_on
from cloud_costs.demo.sample_bill.lines import ZERO, Charge, Line, Month, Product, costs
from cloud_costs.demo.sample_bill.resources import product_columns, resource_of

_RESOURCES = 24


@dataclass(frozen=True)
class ReservationOffer:
    """A reservation on the bill, with its hourly fee and the hour's share of the upfront fee."""

    meter: Meter
    payment: str
    usage_type: str
    hourly: Decimal
    upfront_hourly: Decimal


RESERVATIONS = (
    ReservationOffer(
        box("c4.2xlarge", "0.3980000000", 16, 8, "15 GiB"), "Partial Upfront", "HeavyUsage:c4.2xlarge",
        Decimal("0.12"), Decimal("0.1200912"),
    ),
    ReservationOffer(
        database("db.r5.2xlarge", "1.0000000000", 16, 8, "64 GiB"), "No Upfront", "HeavyUsage:db.r5.2xlarge",
        Decimal("0.655"), ZERO,
    ),
    ReservationOffer(
        box("m4.xlarge", "0.2000000000", 8, 4, "16 GiB"), "All Upfront", "HeavyUsage:m4.xlarge", ZERO,
        Decimal("0.1170091"),
    ),
)  # fmt: skip


class Reservation:
    """A reservation's month: discounted usage by the hour, one RIFee for the month, and an upfront fee
    where it has one.
    """

    percent = 8
    lines_per_use = 1

    def __init__(self, plan: Month, offer: ReservationOffer, rng: Random) -> None:
        self._plan, self._offer = plan, offer
        self._rng = plan.rng(f"ri/{offer.payment}")
        self._key = UUID(int=rng.getrandbits(128))
        self._count = plan.busiest_share(self.percent) // 24 + 1
        self._hours = Decimal(24 * plan.days * self._count)
        self._used = ZERO
        self._product = Product(offer.meter.product_code, offer.meter.product_name, plan.bill.payer)
        self._net_hourly = offer.hourly - self._discount(offer.hourly)
        self._net_upfront_hourly = offer.upfront_hourly - self._discount(offer.upfront_hourly)
        self._columns = self._reservation_columns(self._key)
        self._used_by = [resource_of(plan.bill, offer.meter, rng) for _ in range(_RESOURCES)]

    def day_lines(self, day: int, count: int, hours: list[Values]) -> Iterator[Line]:
        """Yield `count` lines of discounted usage of a day: billed 0, their share of the fees in effect."""
        self._used += count
        recurring, upfront = self._offer.hourly, self._offer.upfront_hourly
        net_recurring, net_upfront = self._net_hourly, self._net_upfront_hourly
        effective = self._plan.basis(recurring + upfront, net_recurring + net_upfront)
        for number in range(count):
            resource = self._used_by[int(self._rng.random() * _RESOURCES)]
            values = {
                **hours[number * 24 // count],
                **resource.values,
                **self._columns,
                "identity_line_item_id": self._plan.line_id(f"{self._key}/{number}"),
                "line_item_line_item_type": "DiscountedUsage",
                "line_item_unblended_rate": "0.0000000000",
                "line_item_net_unblended_rate": "0.0000000000",
                "line_item_usage_amount": Decimal(1),
                "line_item_normalized_usage_amount": Decimal(resource.meter.factor),
                "pricing_public_on_demand_cost": resource.meter.rate,
                "pricing_term": "Reserved",
                "reservation_amortized_upfront_cost_for_usage": upfront,
                "reservation_recurring_fee_for_usage": recurring,
                "reservation_effective_cost": recurring + upfront,
                "reservation_net_amortized_upfront_cost_for_usage": net_upfront,
                "reservation_net_recurring_fee_for_usage": net_recurring,
                "reservation_net_effective_cost": net_recurring + net_upfront,
            }
            charge = Charge("Usage", ZERO, effective, resource.meter.rate)
            yield Line(values, resource.service, resource.account, (charge,))

    def month_lines(self) -> Iterator[Line]:
        """Yield the fee of the month, and where the reservation is paid upfront, an upfront fee and a refund of one."""
        yield self._fee()
        if self._offer.upfront_hourly:
            yield self._upfront_fee()
            yield self._upfront_refund()

    def _discount(self, hourly: Decimal) -> Decimal:
        return sum((discount.share(hourly) for discount in discounts_on(self._product.code)), ZERO)

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
        """Return the columns that RIFee and upfront fees share. Real ones have no service code."""
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
        offer, hours, unused = self._offer, self._hours, self._hours - self._used
        recurring, net_recurring = hours * offer.hourly, hours * self._net_hourly
        values = {
            **self._fee_columns(),
            **self._columns,
            **self._plan.discount_columns(self._product, offer.hourly, hours),
            **costs(recurring, net_recurring),
            "identity_line_item_id": self._plan.line_id(f"{self._key}/fee"),
            "line_item_line_item_type": "RIFee",
            "line_item_line_item_description": f"USD {offer.hourly} hourly fee per {offer.usage_type}",
            "line_item_usage_amount": hours,
            "line_item_normalized_usage_amount": hours * offer.meter.factor,
            "line_item_unblended_rate": f"{offer.hourly:.10f}",
            "line_item_net_unblended_rate": f"{self._net_hourly:.10f}",
            "reservation_amortized_upfront_fee_for_billing_period": hours * offer.upfront_hourly,
            "reservation_unused_amortized_upfront_fee_for_billing_period": unused * offer.upfront_hourly,
            "reservation_unused_recurring_fee": unused * offer.hourly,
            "reservation_unused_quantity": unused,
            "reservation_unused_normalized_unit_quantity": unused * offer.meter.factor,
            "reservation_upfront_value": offer.upfront_hourly * 8760 * self._count,
            "reservation_net_amortized_upfront_fee_for_billing_period": hours * self._net_upfront_hourly,
            "reservation_net_unused_amortized_upfront_fee_for_billing_period": unused * self._net_upfront_hourly,
            "reservation_net_unused_recurring_fee": unused * self._net_hourly,
            "reservation_net_upfront_value": self._net_upfront_hourly * 8760 * self._count,
        }
        basis = self._plan.basis
        idle = unused * basis(offer.upfront_hourly + offer.hourly, self._net_upfront_hourly + self._net_hourly)
        charges = (
            Charge("Purchase", basis(recurring, net_recurring), ZERO),
            Charge("Usage", ZERO, idle, lines=0),
        )
        return Line(values, offer.meter.product_name, self._plan.bill.payer, charges)

    def _upfront_fee(self) -> Line:
        key = UUID(int=self._rng.getrandbits(128))
        cost = (self._offer.upfront_hourly * 8760).quantize(Decimal("0.01"))
        discounts = self._plan.discount_columns(self._product, cost)
        net = cost + sum(discounts.values(), ZERO)
        values = {
            **self._fee_columns(),
            **self._reservation_columns(key),
            "identity_line_item_id": self._plan.line_id(f"{key}/upfront"),
            "bill_bill_type": "Purchase",
            "line_item_line_item_type": "Fee",
            "line_item_line_item_description": f"Sign up charge for reservation {key}",
            "line_item_usage_amount": Decimal(1),
            **discounts,
            **costs(cost, net),
            "reservation_number_of_reservations": "1",
            "reservation_upfront_value": cost,
            "reservation_net_upfront_value": net,
        }
        charge = Charge("Purchase", self._plan.basis(cost, net), ZERO)
        return Line(values, self._offer.meter.product_name, self._plan.bill.payer, (charge,))

    def _upfront_refund(self) -> Line:
        """Return a refund of another reservation's upfront fee. Like the fee, it has no effective cost."""
        key = UUID(int=self._rng.getrandbits(128))
        cost = -(self._offer.upfront_hourly * 2190).quantize(Decimal("0.01"))
        values = {
            **self._fee_columns(),
            **self._reservation_columns(key),
            "identity_line_item_id": self._plan.line_id(f"{key}/refund"),
            "bill_bill_type": "Refund",
            "line_item_line_item_type": "Refund",
            "line_item_line_item_description": f"Refund of the sign up charge for reservation {key}",
            "line_item_usage_amount": Decimal(1),
            **costs(cost),
            "reservation_number_of_reservations": "1",
        }
        return Line(values, self._offer.meter.product_name, self._plan.bill.payer, (Charge("Purchase", cost, ZERO),))
