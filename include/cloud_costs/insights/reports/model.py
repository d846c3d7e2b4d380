"""A report before it is written: what HTML, text, PDF and Slack say alike. Every amount in it is text already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

Row = tuple[str, ...]
# Money, by currency.
Money = Mapping[str, Decimal]
MINUS = "\u2212"


@dataclass(frozen=True)
class Chart:
    """A picture: a PNG, 1104 pixels wide, and what it shows, for those who do not see it."""

    png: bytes
    alt: str


@dataclass(frozen=True)
class Table:
    """A table. The first column names the row, and the columns in `texts` are text too; all others are numbers."""

    heads: Row
    rows: Sequence[Row]
    total: Row | None = None
    texts: frozenset[int] = frozenset({0})


@dataclass(frozen=True)
class Section:
    """A part of a report: a title, sentences, and a table or a chart where it has one."""

    title: str
    lines: Sequence[str] = ()
    table: Table | None = None
    chart: Chart | None = None


@dataclass(frozen=True)
class Todo:
    """Something to do, and the path of the Costs page that helps with it, if there is one."""

    text: str
    path: str = ""


@dataclass(frozen=True)
class Content:
    """A report. `lead` says what matters, and `todo` what to do next; `as_of` says which deliveries it knows."""

    title: str
    subject: str
    lead: Sequence[str]
    todo: Sequence[Todo]
    sections: Sequence[Section]
    as_of: Sequence[str]
    notes: Sequence[str] = field(default=())

    @property
    def short(self) -> list[str]:
        """What Slack gets."""
        return [*self.lead, *(f"To do: {one.text}" for one in self.todo)]


def money(amount: Decimal) -> str:
    """Return an amount at two decimal places.

    >>> money(Decimal("-1234.565"))
    '\u22121,234.56'
    """
    return f"{amount:,.2f}".replace("-", MINUS) if round(amount, 2) else "0.00"


def change(amount: Decimal) -> str:
    """Return an amount with its sign.

    >>> change(Decimal("12.3"))
    '+12.30'
    """
    return ("+" if round(amount, 2) > 0 else "") + money(amount)


def percent(part: Decimal, whole: Decimal) -> str:
    """Return a part of a whole in percent, with its sign; a dash where there is no whole.

    >>> percent(Decimal(1), Decimal(8))
    '+12.5 %'
    """
    if not whole:
        return "\u2013"
    value = round(100 * part / abs(whole), 1)
    return f"{value:+,.1f} %".replace("-", MINUS) if value else "0.0 %"


def share(part: Decimal, whole: Decimal) -> str:
    """Return a part of a whole in percent; a dash where there is no whole.

    >>> share(Decimal(1), Decimal(8))
    '12.5 %'
    """
    return percent(part, whole).removeprefix("+")
