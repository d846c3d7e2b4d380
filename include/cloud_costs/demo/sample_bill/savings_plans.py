"""Savings Plans. For every plan and month, this holds exactly:

total commitment = recurring fee + amortized upfront commitment = effective cost of usage + unused

On the net basis, the enterprise discount is on the fees that are paid month by month, and an upfront fee has none. The
used and the unused part of a plan cost the same share of the commitment: net recurring fee + net amortized upfront
commitment, divided by the total.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from random import Random
from uuid import UUID

from cloud_costs.demo.sample_bill.catalog import Meter, Values, box
from cloud_costs.demo.sample_bill.discounts import DISCOUNTS
from cloud_costs.demo.sample_bill.lines import ZERO, Charge, Line, Month, Product, costs, money
from cloud_costs.demo.sample_bill.resources import Resource, product_columns, resource_of

_RESOURCES = 24
_THREE_PLACES = Decimal("0.001")
_EDP = DISCOUNTS[0]


@dataclass(frozen=True)
class SavingsPlanOffer:
    """A Savings Plan on the bill: `rates` are its prices by meter, `upfront` the share paid in advance."""

    offering: str
    payment: str
    term: str
    upfront: Decimal
    rates: tuple[tuple[Meter, Decimal], ...]


_M5 = box("m5.24xlarge", "4.6080000000", 192, 96, "384 GiB")
_C5 = box("c5.18xlarge", "3.0600000000", 144, 72, "144 GiB")
_C5_HALF = box("c5.9xlarge", "1.5300000000", 72, 36, "72 GiB")
_R5 = box("r5.16xlarge", "4.0320000000", 128, 64, "512 GiB")

SAVINGS_PLANS = (
    SavingsPlanOffer(
        "ComputeSavingsPlans",
        "No Upfront",
        "1yr",
        ZERO,
        ((_M5, Decimal("3.36384")), (_C5, Decimal("2.2338"))),
    ),
    SavingsPlanOffer(
        "EC2InstanceSavingsPlans", "Partial Upfront", "3yr", Decimal("0.5"), ((_R5, Decimal("1.74185472")),)
    ),
    SavingsPlanOffer("ComputeSavingsPlans", "All Upfront", "3yr", Decimal(1), ((_C5_HALF, Decimal("0.69615")),)),
)


class SavingsPlan:
    """A Savings Plan's month: covered usage with its negation by the hour, the recurring fee by the day."""

    percent = 3
    lines_per_use = 2

    def __init__(self, plan: Month, offer: SavingsPlanOffer, rng: Random) -> None:
        self._plan, self._offer = plan, offer
        self._rng = plan.rng(f"sp/{offer.payment}")
        self._key = UUID(int=rng.getrandbits(128))
        dearest = max(rate for _, rate in offer.rates)
        self._hourly = (plan.busiest_share(self.percent) * dearest / 24).quantize(_THREE_PLACES, rounding=ROUND_UP)
        self._upfront_hourly = self._hourly * offer.upfront
        self._net_share = 1 - _EDP.rate * (1 - offer.upfront)
        self._product = Product("ComputeSavingsPlans", "Savings Plans for AWS Compute usage", plan.bill.payer)
        self._columns = self._plan_columns(self._key)
        self._used_by = [
            (resource_of(plan.bill, meter, rng), rate) for meter, rate in offer.rates for _ in range(_RESOURCES)
        ]

    def day_lines(self, day: int, count: int, hours: list[Values]) -> Iterator[Line]:
        """Yield covered usage and its negation for each of `count` uses of a day, and then the day's fee."""
        used = ZERO
        for number in range(count):
            resource, rate = self._used_by[int(self._rng.random() * len(self._used_by))]
            amount = (1 + int(self._rng.random() ** 0.25 * 4)) * Decimal("0.25")
            effective = money(amount * rate)
            used += effective
            hour = hours[number * 24 // count]
            yield from self._pair(number, hour, resource, amount, rate, effective)
        yield self._recurring_fee(used, hours)

    def month_lines(self) -> Iterator[Line]:
        """Yield this month's purchase of another plan of the offer, and a plan that was returned.

        A refund of an upfront fee has no effective cost, as the fee has none. AWS gives that of an All Upfront plan
        without its ARN. A refund of a recurring fee has one (AWS Cloud Intelligence Dashboards, summary_view.sql).
        """
        bought, returned = (UUID(int=self._rng.getrandbits(128)) for _ in range(2))
        if not self._offer.upfront:
            fee = self._hourly * 24
            yield self._one_time("Refund", returned, -fee, -fee, self._plan_columns(returned))
            return
        price = (self._hourly * 8760 * self._offer.upfront).quantize(Decimal("0.01")) + Decimal("0.37")
        yield self._one_time("SavingsPlanUpfrontFee", bought, price, ZERO, self._plan_columns(bought))
        refund = self._plan_columns(returned)
        if self._offer.upfront == 1:
            refund = {"line_item_line_item_description": f"Refund for one-time fee for Savings Plan ID: {returned}"}
        yield self._one_time("Refund", returned, -price / 2, ZERO, refund)

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

    def _pair(
        self, number: int, hour: Values, resource: Resource, amount: Decimal, rate: Decimal, effective: Decimal
    ) -> tuple[Line, Line]:  # fmt: skip
        """Return covered usage at its on-demand cost, and the line that takes this cost back."""
        cost = money(amount * resource.meter.rate)
        net, net_effective = cost - _EDP.share(cost), effective * self._net_share
        values = {
            **hour,
            **resource.values,
            **self._columns,
            "identity_line_item_id": self._plan.line_id(f"{self._key}/{number}"),
            "line_item_line_item_type": "SavingsPlanCoveredUsage",
            "line_item_usage_amount": amount,
            "line_item_normalized_usage_amount": amount * resource.meter.factor,
            **costs(cost, net),
            "pricing_public_on_demand_cost": cost,
            "savings_plan_savings_plan_rate": rate,
            "savings_plan_savings_plan_effective_cost": effective,
            "savings_plan_net_savings_plan_effective_cost": net_effective,
        }
        negation = {
            **values,
            "identity_line_item_id": self._plan.line_id(f"{self._key}/{number}/negation"),
            "line_item_line_item_type": "SavingsPlanNegation",
            "line_item_line_item_description": f"SavingsPlanNegation used by AccountId : {resource.account}",
            **costs(-cost, -net),
            "pricing_public_on_demand_cost": -cost,
            "savings_plan_savings_plan_effective_cost": ZERO,
            "savings_plan_net_savings_plan_effective_cost": ZERO,
        }
        charge = Charge("Usage", ZERO, self._plan.basis(effective, net_effective), cost)
        return (
            Line(values, resource.service, resource.account, (charge,)),
            Line(negation, resource.service, resource.account, ()),
        )

    def _recurring_fee(self, used: Decimal, hours: list[Values]) -> Line:
        total, upfront = self._hourly * 24, self._upfront_hourly * 24
        fee = total - upfront
        net_fee = fee - self._plan.discount(self._product, fee)
        first, last = hours[0]["line_item_usage_start_date"], hours[-1]["line_item_usage_end_date"]
        values = {
            **self._plan.span(first, last),  # type: ignore[arg-type]
            **product_columns(self._product.code, self._product.name, self._product.code),
            **self._columns,
            "identity_line_item_id": self._plan.line_id(f"{self._key}/fee"),
            "line_item_line_item_type": "SavingsPlanRecurringFee",
            "line_item_usage_type": f"ComputeSP:{self._offer.term}{self._offer.payment.replace(' ', '')}",
            "line_item_line_item_description": f"{self._offer.term} {self._offer.payment} Savings Plan",
            "line_item_usage_amount": Decimal(24),
            **costs(fee, net_fee),
            "savings_plan_total_commitment_to_date": total,
            "savings_plan_used_commitment": used,
            "savings_plan_amortized_upfront_commitment_for_billing_period": upfront,
            "savings_plan_net_amortized_upfront_commitment_for_billing_period": upfront,
            "savings_plan_recurring_commitment_for_billing_period": fee,
            "savings_plan_net_recurring_commitment_for_billing_period": net_fee,
        }
        unused = (total - used) * self._plan.basis(Decimal(1), self._net_share)
        charges = (Charge("Purchase", self._plan.basis(fee, net_fee), ZERO), Charge("Usage", ZERO, unused, lines=0))
        return Line(values, self._product.name, self._plan.bill.payer, charges)

    def _one_time(self, line_type: str, key: UUID, cost: Decimal, effective: Decimal, columns: Values) -> Line:
        values = {
            **self._plan.month_span(),
            **product_columns(self._product.code, self._product.name, self._product.code),
            "identity_line_item_id": self._plan.line_id(f"{key}/{line_type}"),
            "bill_bill_type": "Refund" if line_type == "Refund" else "Purchase",
            "line_item_line_item_type": line_type,
            "line_item_usage_type": f"ComputeSP:{self._offer.term}{self._offer.payment.replace(' ', '')}",
            "line_item_line_item_description": f"{line_type} of {self._offer.term} {self._offer.payment}",
            "line_item_usage_amount": Decimal(1),
            **columns,
            **costs(cost),
        }
        charge = Charge("Purchase", cost, effective)
        return Line(values, self._product.name, self._plan.bill.payer, (charge,))
