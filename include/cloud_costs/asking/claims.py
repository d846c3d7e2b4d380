"""The numbers that a model says, compared with those that tools answered: one that was made up is seen.

An amount is found if a tool answered one that rounds to it, in the same currency where both name one. That does not
prove that it is the right one: the results are beside the words for that. Days, years and whole numbers below a hundred
that stand without a currency are no amounts, and are not looked for.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

from cloud_costs.asking.box_models import Piece
from cloud_costs.page.amounts import EXACT

SPACES = " \u00a0\u202f"
SIGNS: Mapping[str, str | None] = {"\u20ac": "EUR", "\u00a3": "GBP", "$": None, "\u00a5": None}
# Those that a model may name although no costs are in them; the currencies of the costs come on top.
CODES = frozenset(
    ("AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "INR", "JPY", "NOK", "PLN", "SEK", "USD", "ZAR")
)
SCALES = {
    **dict.fromkeys(("k", "thousand", "tsd", "tausend"), 3),
    **dict.fromkeys(("m", "mn", "mio", "million", "millions", "millionen"), 6),
    **dict.fromkeys(("bn", "mrd", "billion", "billions", "milliarden"), 9),
}
DAY = re.compile(
    r"\d{4}-\d{2}(?:-\d{2})?(?:[T ]\d{2}:\d{2}\S*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{1,2}:\d{2}(?::\d{2})?"
)
NUMBER = re.compile(
    rf"""
    (?P<digits> \d{{1,3}} (?: [{SPACES}'\u2019] \d{{3}} )+ (?! \d ) (?: [.,] \d+ )? | \d+ (?: [.,] \d+ )* )
    (?: [{SPACES}]? (?P<scale> (?i: {"|".join(sorted(SCALES, key=len, reverse=True))} ) ) \b )?
    """,
    re.VERBOSE,
)
BEFORE = re.compile(rf"(?:^|[^A-Za-z])([A-Z]{{3}}|[€£$¥])[{SPACES}]?[-\u2212]?$")
AFTER = re.compile(rf"[{SPACES}]?(%|[€£$¥]|[A-Z]{{3}}\b)")
# A name that ends in digits, such as EC2, db.m5 or us-east-1, and a unit right behind them.
NAME, UNIT = re.compile(r"[^\W\d]\w*[-._/]?$"), re.compile(r"[^\W\d]|_")
DECIMAL = re.compile(r"-?\d+(?:\.\d+)?")
SMALL, YEARS = 100, range(1990, 2101)
# Digits; no sum of costs has as many.
LONGEST = 100


@dataclass
class Known:
    """What tools answered: amounts by currency (None where nothing names one), counts, shares in percent, and words."""

    amounts: dict[str | None, set[Decimal]] = field(default_factory=dict)
    counts: set[Decimal] = field(default_factory=set)
    shares: set[Decimal] = field(default_factory=set)
    words: set[str] = field(default_factory=set)

    def add(self, result: Any, currency: str | None = None) -> None:
        """Add everything that a tool answered, without the deliveries behind it."""
        if isinstance(result, Mapping):
            own = result.get("currency")
            for name, value in result.items():
                if name != "basis":
                    self.add(value, own if isinstance(own, str) else currency)
        elif isinstance(result, list):
            for one in result:
                self.add(one, currency)
        elif isinstance(result, str):
            self._add_text(result, currency)
        elif isinstance(result, float):
            self.shares.add(abs(Decimal(repr(result)) * 100))
        elif isinstance(result, int) and not isinstance(result, bool):
            self.counts.add(abs(Decimal(result)))

    def _add_text(self, text: str, currency: str | None) -> None:
        is_number = DECIMAL.fullmatch(text)
        if is_number:
            self.amounts.setdefault(currency, set()).add(abs(Decimal(text)))
        # An id of an account is digits alone.
        if not is_number or "." not in text:
            self.words.update(re.findall(r"\w+", text))

    def sorted(self, currency: str | None, bare: bool, percent: bool) -> list[Decimal]:
        """Return what a number may be, in order: amounts in its currency, counts if it is bare, shares in percent."""
        found = [one for name, values in self.amounts.items() if currency in (None, name) or not name for one in values]
        shares = [*self.shares, *(one * 100 for one in found)] if percent else []
        return sorted([*found, *shares, *(self.counts if bare else ())])


@dataclass(frozen=True)
class Number:
    """A number of a text: each way to read it, with the step of its last digit, and what stands beside it."""

    text: str
    start: int
    readings: Sequence[tuple[Decimal, Decimal]]
    marks: Sequence[str]
    plain: bool

    @property
    def currency(self) -> str | None:
        """The currency that stands beside it, as far as it is told: a dollar is that of many countries."""
        return next((code for one in self.marks if (code := SIGNS.get(one, one)) not in (None, "%")), None)


def checked(text: str, known: Known) -> list[Piece]:
    """Return a text in pieces: each number that was looked for is one of its own."""
    pieces: list[Piece] = []
    # A model may write thousands of numbers, and tools answer as many.
    sorted_of = cache(known.sorted)
    end = 0
    for number in _numbers(text, known):
        found = _found(number, known, sorted_of)
        if found is not None:
            pieces += _words(text[end : number.start])
            pieces.append(Piece(text=number.text, found=found))
            end = number.start + len(number.text)
    return pieces + _words(text[end:])


def _words(text: str) -> list[Piece]:
    return [Piece(text=text, found=None)] if text else []


def _numbers(text: str, known: Known) -> Iterator[Number]:
    text = DAY.sub(lambda day: "\n" * len(day[0]), text)
    codes = {*CODES, *SIGNS, "%", *(one for one in known.amounts if one)}
    for match in NUMBER.finditer(text):
        start, end = match.span()
        beside = (BEFORE.search(text, max(start - 6, 0), start), AFTER.match(text, end))
        marks = [one[1] for one in beside if one and one[1] in codes]
        if not marks and (NAME.search(text, max(start - 50, 0), start) or UNIT.match(text, end)):
            continue
        scale = SCALES[match["scale"].lower()] if match["scale"] else 0
        readings = [
            (value.scaleb(scale), Decimal(1).scaleb(scale - places)) for value, places in _readings(match["digits"])
        ]
        yield Number(match[0], start, readings, marks, not (marks or scale) and match["digits"].isdigit())


def _readings(digits: str) -> list[tuple[Decimal, int]]:
    """Return a number as English and as other languages read it, each with its number of decimal places.

    >>> _readings("1,234.50"), _readings("1.234"), _readings("1.2.3")
    ([(Decimal('1234.50'), 2)], [(Decimal('1.234'), 3), (Decimal('1234'), 0)], [])
    """
    bare = re.sub(rf"[{SPACES}'\u2019]", "", digits)
    found: dict[Decimal, int] = {}
    if len(bare) > LONGEST:
        return []
    for point, group in ((".", ","), (",", ".")):
        if re.fullmatch(rf"(\d+|\d{{1,3}}(\{group}\d{{3}})+)(\{point}\d+)?", bare):
            whole, _, places = bare.partition(point)
            found.setdefault(Decimal(whole.replace(group, "") + (f".{places}" if places else "")), len(places))
    return [(value, places) for value, places in found.items()]


def _found(number: Number, known: Known, sorted_of: Callable[..., list[Decimal]]) -> bool | None:
    """Tell whether a tool answered the number; None if it is none to look for."""
    if not number.readings:
        return None
    if number.plain:
        value = number.readings[0][0]
        if value < SMALL or value in YEARS or number.text in known.words:
            return None
    amounts = sorted_of(number.currency, not number.marks, "%" in number.marks)
    return any(_rounds(amounts, value, step / 2) for value, step in number.readings)


def _rounds(amounts: Sequence[Decimal], value: Decimal, half: Decimal) -> bool:
    """Tell whether one of the amounts is at most half a step away from the value."""
    place = bisect_left(amounts, EXACT.subtract(value, half))
    return place < len(amounts) and amounts[place] <= EXACT.add(value, half)
