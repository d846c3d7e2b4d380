"""Usage by the hour, which most lines of a bill are, and split-cost rows, which look like usage and do not count.

A version other than 1 restates every 41st amount, leaves out every 211th line and adds a few late ones. The lines of
events are the same in every version.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from random import Random

from cloud_costs.demo.sample_bill.bill import Event
from cloud_costs.demo.sample_bill.catalog import MARKETPLACE, METERS, Meter, Values
from cloud_costs.demo.sample_bill.lines import ZERO, Charge, Line, Month, Product, costs, money
from cloud_costs.demo.sample_bill.resources import Resource, resource_of, resources

_RESOURCES_PER_METER = 24
_OPEN_LINES = 50  # on the last day one line in so many has no invoice yet

_PODS: tuple[Meter, ...] = tuple(
    Meter(
        product_code=code,
        product_name=name,
        family="Compute",
        usage_type=usage_type,
        operation=operation,
        unit="vCPU-Hours",
        rate=Decimal(rate),
        low=1,
        high=40_000,
        quantum=Decimal("0.0001"),
        servicecode=code,
        resource=resource,
    )
    for code, name, usage_type, operation, rate, resource in (
        (
            "AmazonEKS",
            "Amazon Elastic Container Service for Kubernetes",
            "EKS-EC2-vCPU-Hours",
            "EKSPod-EC2",
            "0.0331000000",
            "arn:aws:eks:{region}:{account}:pod/prod/shop/cart/{:016x}",
        ),
        (
            "AmazonECS",
            "Amazon Elastic Container Service",
            "ECS-EC2-vCPU-Hours",
            "ECSTask-EC2",
            "0.0295000000",
            "arn:aws:ecs:{region}:{account}:task/prod/{:032x}",
        ),
    )
)


class Usage:
    """The plain usage lines of a month."""

    def __init__(self, plan: Month) -> None:
        self._plan = plan
        self._rng = plan.rng("usage")
        self._deck = _deck(plan)
        self._slot = 0
        self._events = [(event, _resource_of(plan, event)) for event in plan.bill.events]

    def day_lines(self, day: int, count: int, hours: list[Values]) -> Iterator[Line]:
        """Yield `count` lines of a day, and on the last day of a later version the late ones too."""
        last = day == self._plan.days - 1
        late = 2 + self._plan.bill.lines // 400 if last and self._plan.version > 1 else 0
        for number in range(count):
            self._slot += 1
            line = self._line(number, hours[number * 24 // count], last and number % _OPEN_LINES == 0)
            if line is not None:
                yield line
        for number in range(count, count + late):
            self._slot += 1
            line = self._line(number, hours[23], is_open=True, late=True)
            if line is not None:
                yield line

    def event_lines(self, day: int, hours: list[Values]) -> Iterator[Line]:
        """Yield the lines of a day of the bill's events."""
        today = self._plan.month + timedelta(days=day)
        for number, (event, resource) in enumerate(self._events):
            if event.first <= today <= event.last:
                for hour in hours:
                    yield self._use(resource, event.amount, hour, f"e{number}")

    def _line(self, number: int, hour: Values, is_open: bool, late: bool = False) -> Line | None:
        """Return the next line, or nothing if this version leaves it out; both take the same draws."""
        plan, slot = self._plan, self._slot
        resource = self._deck[int(self._rng.random() * len(self._deck))]
        meter = resource.meter
        amount = (meter.low + int((meter.high - meter.low + 1) * self._rng.random() ** 3)) * meter.quantum
        if plan.version > 1 and not late:
            if (slot - plan.version) % 211 == 7:
                return None
            if (slot + plan.version) % 41 == 0:
                amount += amount * plan.version * Decimal("0.05")
        return self._use(resource, amount, hour, f"u{number}", is_open)

    def _use(self, resource: Resource, amount: Decimal, hour: Values, name: str, is_open: bool = False) -> Line:
        """Return the line of an amount that a resource used in an hour."""
        plan, meter = self._plan, resource.meter
        cost = money(amount * meter.rate)
        values = {
            **hour,
            **resource.values,
            "identity_line_item_id": plan.line_id(name),
            "line_item_usage_amount": amount,
            "pricing_public_on_demand_cost": cost if meter.is_listed else ZERO,
        }
        if meter.factor:
            values["line_item_normalized_usage_amount"] = amount * meter.factor
        if meter.billing_entity == MARKETPLACE:
            net = cost
            values["bill_invoice_id"] = plan.marketplace_invoice
        else:
            product = Product(meter.product_code, meter.product_name, resource.account)
            plan.taxable[product] += cost
            # Discounts come with the invoice.
            discounts = {} if is_open else plan.discount_columns(product, cost)
            net = cost + sum(discounts.values(), ZERO)
            values |= discounts
        values |= costs(cost, net)
        if is_open:
            values["bill_invoice_id"] = ""
        billed = plan.basis(cost, net)
        public = cost if meter.is_listed else None
        return Line(values, resource.service, resource.account, (Charge("Usage", billed, billed, public),))


class Split:
    """Split cost allocation: shares of instances that are on the bill already, so they count nowhere.

    They cost nothing by themselves; the shares are in columns of their own (AWS CUR user guide,
    `split-cost-allocation-data`).
    """

    def __init__(self, plan: Month) -> None:
        self._plan = plan
        self._rng = plan.rng("split")
        self._resources = resources(plan.bill, "split", _PODS, _RESOURCES_PER_METER)
        self._made = 0

    def day_lines(self, count: int, hours: list[Values]) -> Iterator[Line]:
        """Yield `count` split-cost rows of a day."""
        for number in range(count):
            self._made += 1
            drawn = int(self._rng.random() * _RESOURCES_PER_METER)
            pod = self._resources[drawn + self._made % len(_PODS) * _RESOURCES_PER_METER]
            meter = pod.meter
            amount = (meter.low + int(meter.high * self._rng.random() ** 2)) * meter.quantum
            cost = money(amount * meter.rate)
            values = {
                **hours[number * 24 // count],
                **pod.values,
                "identity_line_item_id": self._plan.line_id(f"s{number}"),
                "line_item_usage_amount": amount,
                **costs(ZERO),
                "split_line_item_parent_resource_id": "i-0f00ba4000000cafe",
                "split_line_item_actual_usage": amount / 2,
                "split_line_item_reserved_usage": amount,
                "split_line_item_split_usage": amount,
                "split_line_item_split_usage_ratio": Decimal("0.125"),
                "split_line_item_split_cost": cost,
                "split_line_item_net_split_cost": cost,
                "split_line_item_unused_cost": money(cost / 4),
                "split_line_item_net_unused_cost": money(cost / 4),
            }
            yield Line(values, pod.service, pod.account, (), split=True)


def meter_of(event: Event) -> Meter:
    """Return the meter that an event runs up."""
    names = (event.product_code, event.usage_type)
    return next(meter for meter in METERS if (meter.product_code, meter.usage_type) == names)


def event_cost(event: Event) -> Decimal:
    """Return what an event costs in all, without discounts."""
    return money(event.amount * meter_of(event).rate) * 24 * ((event.last - event.first).days + 1)


def _resource_of(plan: Month, event: Event) -> Resource:
    rng = Random(f"{plan.bill.seed}/{event}")  # noqa: S311 - reproducible, not secret
    return resource_of(plan.bill, meter_of(event), rng, event.account)


def _deck(plan: Month) -> list[Resource]:
    """Return the resources, each as often as its meter weighs."""
    made = resources(plan.bill, "resources", METERS, _RESOURCES_PER_METER)
    return [resource for resource in made for _ in range(resource.meter.weight)]
