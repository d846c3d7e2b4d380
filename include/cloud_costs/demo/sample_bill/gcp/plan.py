"""The lines of one month of a Google billing account with their true meaning, independent of any file format.

A later version has the lines that Google adds later: use that was reported late, and a correction.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from cloud_costs.demo.sample_bill.gcp.bill import GoogleBill, Project
from cloud_costs.demo.sample_bill.gcp.commitments import plan_commitments
from cloud_costs.demo.sample_bill.gcp.lines import (
    BIGQUERY,
    COMPUTE,
    INVOICE,
    MARKETPLACE,
    STORAGE,
    SUPPORT,
    Line,
    Month,
    credit,
    simple,
)

TAX = Decimal("0.0825")
TEN_PLACES = Decimal("1E-10")
# Service, SKU, its description, unit, price of a unit, list price of a unit.
PRODUCTS = (
    (COMPUTE, "CF4E-A0C7-E3BF", "E2 Instance Core running in Americas", "seconds", "0.000006061", "0.00000638"),
    (COMPUTE, "D0CC-0000-0001", "Spot Preemptible E2 Instance Ram in Americas", "seconds", "0.0000002", "0.0000008"),
    (STORAGE, "E5F0-6A5D-7BAD", "Standard Storage US Regional", "byte-seconds", "0.000000008", "0.000000008"),
    (BIGQUERY, "3362-E469-6BEF", "Analysis (us-central1)", "bytes", "0.00000625", "0.00000625"),
)  # fmt: skip
# The unit that Google sets the price of, and how many units of use it is: those of the pricing catalogue.
PRICED = {
    "seconds": ("hour", 3600),
    "byte-seconds": ("gibibyte month", 2**30 * 30 * 86_400),
    "bytes": ("tebibyte", 2**40),
}


def plan_lines(bill: GoogleBill, month: date, version: int = 1) -> Iterator[Line]:
    """Yield the lines of a month in the order of the export."""
    context = Month(bill, month, version)
    random = Random(f"{bill.seed}/{month}/{bill.lines}")  # noqa: S311  # made-up bills
    for number in range(bill.lines):
        yield _levied(context, _usage(context, random, number))
    yield from (_levied(context, line) for line in plan_commitments(context))
    yield from _specials(context)
    if version > 1:
        yield from (_levied(context, _usage(context, random, number)) for number in range(3 * (version - 1)))
    yield from _taxes(context)
    yield _rounding(context)


def _usage(month: Month, random: Random, number: int) -> Line:
    service, sku, description, unit, price, listed = random.choice(PRODUCTS)
    project = random.choice(month.bill.projects)
    # The first hours of use of a month came too late for the invoice before.
    start = month.start + timedelta(hours=random.randrange(-6, 24 * month.days))
    amount = Decimal(random.randrange(1, 9_000_000)) / 100
    cost = (amount * Decimal(price)).quantize(TEN_PLACES)
    pricing_unit, size = PRICED[unit]
    credits = []
    if service is STORAGE and number % 5 == 0:
        credits.append(credit("FREE_TIER", "Free Tier", cost))
    elif service is COMPUTE and number % 3 == 0:
        credits.append(credit("SUSTAINED_USAGE_DISCOUNT", "Sustained Usage Discount", (cost / 5).quantize(TEN_PLACES)))
        credits.append(credit("PROMOTION", "Startup credit", (cost / 8).quantize(TEN_PLACES), "Startup credit 2025"))
    values = month.line(
        service,
        (sku, description),
        project,
        start,
        cost,
        usage=month.usage(amount, unit, amount / size, pricing_unit),
        credits=credits,
        cost_at_list=(amount * Decimal(listed)).quantize(TEN_PLACES),
        labels=[{"key": "team", "value": f"team-{number % 4}"}] if number % 2 else [],
        tags=[{"key": "env", "value": "prod", "inherited": True, "namespace": "acme"}] if number % 7 == 0 else [],
        system_labels=[{"key": "compute.googleapis.com/cores", "value": "2"}] if service is COMPUTE else [],
        resource=_resource(project, number) if service is COMPUTE else None,
        price={
            "effective_price": Decimal(price) * size,
            "list_price": Decimal(listed) * size,
            "tier_start_amount": Decimal(0),
            "unit": pricing_unit,
            "pricing_unit_quantity": Decimal(1),
        },
    )
    return simple(values, "Usage", project)


def _resource(project: Project, number: int) -> dict[str, str]:
    name = f"vm-{number % 40}"
    path = f"//compute.googleapis.com/projects/{project.number}/zones/us-central1-a/instances/{name}"
    return {"name": name, "global_name": path}


def _specials(month: Month) -> Iterator[Line]:
    """Yield the lines that come once a month: support, the Marketplace, a correction of the month before, goodwill."""
    buyer, other = month.bill.projects[:2]
    values = month.line(
        SUPPORT, ("0AB1-0000-0001", "Enhanced Support"), None, month.start, Decimal("500"), location=None
    )
    yield _levied(month, simple(values, "Usage", None))
    values = month.line(
        MARKETPLACE,
        ("0AB1-0000-0002", "Contoso Firewall “Pro”, monthly"),
        other,
        month.start,
        Decimal("99.99"),
        transaction_type="THIRD_PARTY_AGENCY",
        seller_name="Contoso, Ltd.",
    )
    yield simple(values, "Usage", other)
    before = month.start - timedelta(days=10)
    correction = {
        "id": "adj-1",
        "description": "Wrong usage of the month before",
        "mode": "PARTIAL_CORRECTION",
        "type": "USAGE_CORRECTION",
    }
    values = month.line(
        COMPUTE,
        ("CF4E-A0C7-E3BF", "E2 Instance Core running in Americas"),
        buyer,
        before,
        Decimal("-12.3456789012"),
        adjustment_info=correction,
    )
    yield _levied(month, simple(values, "Usage", buyer))
    goodwill = {"id": "adj-2", "description": "Goodwill", "mode": "MANUAL_ADJUSTMENT", "type": "GOODWILL"}
    values = month.line(
        INVOICE,
        ("0AB1-0000-0003", "Goodwill"),
        None,
        month.start + timedelta(days=5),
        Decimal("-25"),
        cost_type="adjustment",
        adjustment_info=goodwill,
        transaction_type=None,
        cost_at_list=None,
        location=None,
    )
    yield simple(values, "Adjustment", None)


def _levied(month: Month, line: Line) -> Line:
    """Add the line's cost to the base of the tax, and return the line."""
    key = line.project or ""
    month.taxable[key] = month.taxable.get(key, Decimal(0)) + line.charges[0].billed
    return line


def _taxes(month: Month) -> Iterator[Line]:
    """Yield the tax of each project, and that of what belongs to none."""
    by_id: dict[str, Project | None] = {project.id: project for project in month.bill.projects}
    for key, taxable in sorted(month.taxable.items()):
        project = by_id.get(key)
        values = month.line(
            INVOICE,
            ("0AB1-0000-0004", "Tax"),
            project,
            month.start,
            (taxable * TAX).quantize(Decimal("1E-6")),
            cost_type="tax",
            transaction_type=None,
            cost_at_list=None,
            location=None,
        )
        yield simple(values, "Tax", project)


def _rounding(month: Month) -> Line:
    values = month.line(
        INVOICE,
        ("0AB1-0000-0005", "Rounding error"),
        None,
        month.start,
        Decimal("0.000000001234"),
        cost_type="rounding_error",
        transaction_type=None,
        cost_at_list=None,
        location=None,
    )
    return simple(values, "Adjustment", None)
