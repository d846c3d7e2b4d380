"""Sums and differences of exact decimals.

Python's own arithmetic rounds to 28 digits. Sums of costs have more: an effective cost of Google has 25 decimal places.
Here an operation that would round raises `decimal.Inexact` instead.
"""

import decimal
from collections.abc import Iterable
from decimal import Decimal

EXACT = decimal.Context(prec=2000, traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow])
ZERO = Decimal(0)


def total(values: Iterable[Decimal]) -> Decimal:
    """Return the sum of all values.

    >>> total([Decimal("1E+20"), Decimal("1E-20")])
    Decimal('100000000000000000000.00000000000000000001')
    """
    result = ZERO
    for value in values:
        result = EXACT.add(result, value)
    return result


def change(amount: Decimal, previous: Decimal | None) -> Decimal | None:
    """Return by how much an amount grew; None where there is none before."""
    return None if previous is None else EXACT.subtract(amount, previous)


def share(part: Decimal | None, whole: Decimal | None) -> float | None:
    """Return a ratio for people to look at; None of nothing.

    >>> share(Decimal("-1"), Decimal("4"))
    -0.25
    """
    return None if part is None or not whole else round(float(part / whole), 6)
