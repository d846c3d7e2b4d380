"""Negotiated discounts: each is a share of the cost of single lines.

On the gross basis, a discount line for each service and account gives the shares back. On the net basis, the shares are
in the `net` columns of the lines themselves, and the discount lines are 0. Both sum to the same invoice, because a
discount line is the sum of the shares, and not a percentage of a sum.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

_SIX_PLACES = Decimal("0.000001")


@dataclass(frozen=True)
class Discount:
    """A discount on the usage of `products`, or of every product of AWS's own when there are none."""

    line_type: str
    column: str
    rate: Decimal
    description: str
    products: frozenset[str] = frozenset()

    def share(self, cost: Decimal) -> Decimal:
        """Return the discount on a line of this cost, rounded to six places."""
        return (cost * self.rate).quantize(_SIX_PLACES)


DISCOUNTS = (
    Discount("EdpDiscount", "discount_edp_discount", Decimal("0.06"), "Enterprise discount"),
    Discount(
        "PrivateRateDiscount",
        "discount_private_rate_discount",
        Decimal("0.12"),
        "Private rate card",
        frozenset({"AmazonCloudFront"}),
    ),
    Discount(
        "BundledDiscount",
        "discount_bundled_discount",
        Decimal("0.05"),
        "Security Savings Bundle",
        frozenset({"AmazonCloudFront", "awswaf"}),
    ),
    # It stands for the types that have no rule of their own: they must still reach the total.
    Discount(
        "SppDiscount",
        "discount_spp_discount",
        Decimal("0.015"),
        "Solution Provider Program discount",
        frozenset({"AmazonEC2"}),
    ),
)


@cache
def discounts_on(product_code: str) -> tuple[Discount, ...]:
    """Return the discounts on a product of AWS's own."""
    return tuple(
        discount for discount in DISCOUNTS if not discount.products or product_code in discount.products
    )  # fmt: skip


def net_rate(product_code: str, rate: Decimal) -> Decimal:
    """Return a price less its discounts."""
    return rate * (1 - sum((discount.rate for discount in discounts_on(product_code)), Decimal(0)))
