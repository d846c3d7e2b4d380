"""Charges for the month as a whole: fees, refunds, credits, discounts and taxes, and a few lines with extreme amounts.

Support, discounts and taxes depend on the month's usage, so a restatement changes them too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from cloud_costs.demo.sample_bill.catalog import MARKETPLACE, Values
from cloud_costs.demo.sample_bill.discounts import Discount
from cloud_costs.demo.sample_bill.lines import ZERO, Charge, Line, Month, Product, costs
from cloud_costs.demo.sample_bill.resources import product_columns

_CENT = Decimal("0.01")
_SUPPORT_RATE, _LEAST_SUPPORT = Decimal("0.1"), Decimal(100)
_TAX_RATE = Decimal("0.0825")

_EC2 = ("AmazonEC2", "Amazon Elastic Compute Cloud")
_S3 = ("AmazonS3", "Amazon Simple Storage Service")
_CDN = ("AmazonCloudFront", "Amazon CloudFront")
_LAMBDA = ("AWSLambda", "AWS Lambda")
_SUPPORT = ("AWSSupportBusiness", "AWS Support (Business)")


@dataclass(frozen=True)
class Item:
    """A line that is on the bill every month; `account` is a position among the bill's accounts."""

    line_type: str
    category: str
    product: tuple[str, str]
    cost: str
    description: str
    account: int = 0
    servicecode: bool = True
    marketplace: bool = False
    usage_type: str = ""


_ITEMS = (
    Item("Fee", "Purchase", _SUPPORT, "0", "AWS Support (Business) for the month"),
    Item("Fee", "Purchase", ("AWSProfessionalServices", "AWS Professional Services"), "640.123456789",
         "Migration, second stage", 1),
    Item("Fee", "Purchase", ("AmazonRegistrar", "Amazon Registrar"), "13", "Registration of example.com"),
    Item("Fee", "Purchase", ("7kq2contosoannual", "Contoso Firewall “Pro”, annual"), "499",
         "Marketplace fee", 1, servicecode=False, marketplace=True),
    Item("FlatRateSubscription", "Purchase", _CDN, "15", "CloudFront flat-rate plan", 1),
    Item("Refund", "Usage", _EC2, "-18.4271", "Refund for an interrupted instance", 1),
    Item("Refund", "Usage", _S3, "-0.0000123", "Refund of requests", 2, servicecode=False),
    Item("Credit", "Credit", _EC2, "-250", "AWS Activate credit", 1),
    Item("Credit", "Credit", _LAMBDA, "-3.2109876543", "Migration credit", 2),
    Item("Usage", "Usage", _EC2, "482.123456789012", "u-24tb1 host", 2, usage_type="HostUsage:u-24tb1"),
    Item("Usage", "Usage", ("AmazonRedshift", "Amazon Redshift"), "99.9999999999", "ra3.16xlarge", 3),
    Item("Usage", "Usage", _S3, "0.0000000001", "One byte, one hour", 2, usage_type="TimedStorage-ByteHrs"),
    Item("Usage", "Usage", _S3, "61.32", "Batch operations", 1, usage_type="BatchOperations-Jobs"),
    Item("Usage", "Usage", _CDN, "0.0000000007", "A few bytes out", 4, servicecode=False),
    Item("Usage", "Usage", _CDN, "148.5", "Origin Shield", 1, usage_type="Requests-OriginShield"),
    Item("Usage", "Usage", _LAMBDA, "0.0000000166", "One short call", 2),
    Item("Usage", "Usage", _LAMBDA, "18.25", "Provisioned concurrency", 2,
         usage_type="Lambda-Provisioned-Concurrency"),
    Item("Usage", "Usage", ("awswaf", "AWS WAF"), "35", "Web ACLs", 2, usage_type="WebACL"),
)  # fmt: skip

_GOODWILL = Item("Refund", "Usage", _EC2, "-64.25", "Refund granted after the month was closed", 1)


def monthly_lines(plan: Month) -> Iterator[Line]:
    """Yield the charges for the month as a whole. All usage has to be planned before."""
    items = (*_ITEMS, _GOODWILL) if plan.version > 1 else _ITEMS
    for number, item in enumerate(items):
        yield _item_line(plan, item, number)
    yield from _discount_lines(plan)
    yield from _tax_lines(plan)


def _item_line(plan: Month, item: Item, number: int) -> Line:
    code, product_name = item.product
    account = plan.bill.accounts[item.account % len(plan.bill.accounts)]
    columns: Values = {"line_item_usage_type": item.usage_type, "line_item_usage_amount": Decimal(1)}
    if item.marketplace:
        columns |= {
            "bill_billing_entity": MARKETPLACE,
            "bill_invoice_id": plan.marketplace_invoice,
            "line_item_legal_entity": "Contoso Security GmbH",
        }
    cost, public = Decimal(item.cost), None
    if item.product == _SUPPORT:
        cost = max(_LEAST_SUPPORT, sum(plan.taxable.values()) * _SUPPORT_RATE).quantize(_CENT)
    net = cost
    if item.line_type == "Usage":
        public = cost
        discounts = plan.discount_columns(Product(code, product_name, account), cost)
        net += sum(discounts.values(), ZERO)
        columns |= plan.hours(number * 7 % plan.days)[9] | {"pricing_public_on_demand_cost": public, **discounts}
    values = _values(plan, item.line_type, item.product, cost, f"m{number}", item.description)
    values |= (
        columns
        | costs(cost, net)
        | {
            "line_item_usage_account_id": account,
            "product_servicecode": code if item.servicecode else "",
        }
    )
    billed = plan.basis(cost, net)
    return Line(values, product_name, account, (Charge(item.category, billed, billed, public),))


def _discount_lines(plan: Month) -> Iterator[Line]:
    """Yield a line for each discount, service and account with the amount given back; on the net basis it is 0."""
    for (product, discount), given in sorted(plan.discounts.items(), key=_discount_key):
        name = f"{discount.line_type}/{product.code}/{product.account}"
        values = _values(plan, discount.line_type, product[:2], -given, name, discount.description)
        values |= {"line_item_usage_account_id": product.account, **costs(-given, ZERO)}
        cost = plan.basis(-given, ZERO)
        yield Line(values, product.name, product.account, (Charge("Usage", cost, cost),))


def _discount_key(given: tuple[tuple[Product, Discount], Decimal]) -> tuple[str, Product]:
    (product, discount), _ = given
    return discount.line_type, product


def _tax_lines(plan: Month) -> Iterator[Line]:
    """Yield the tax by service and account: in whole cents, zero included, and without a service code."""
    for (code, name, account), used in sorted(plan.taxable.items()):
        cost = (used * _TAX_RATE).quantize(_CENT)
        values = _values(plan, "Tax", (code, name), cost, f"tax/{code}/{account}", "Tax for product code " + code)
        values |= {
            "line_item_usage_account_id": account,
            "line_item_tax_type": "USSalesTax",
            "product_servicecode": "",
            "product_servicename": "",
        }
        yield Line(values, name, account, (Charge("Tax", cost, cost),))


def _values(
    plan: Month, line_type: str, product: tuple[str, str], cost: Decimal, name: str, description: str
) -> Values:
    return {
        **plan.month_span(),
        **product_columns(*product, product[0]),
        "identity_line_item_id": plan.line_id(name),
        "line_item_line_item_type": line_type,
        "line_item_line_item_description": description,
        **costs(cost),
    }
