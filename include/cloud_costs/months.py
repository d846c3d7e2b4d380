"""Billing months: a `date`, the first day of the month; written `2025-01` for people."""

import re
from datetime import date

from cloud_costs.errors import ConfigError

MONTH_PATTERN = r"^[12][0-9]{3}-(0[1-9]|1[0-2])$"


def parse_month(text: str, what: str = "month") -> date:
    """Return the billing month that `text` names.

    >>> parse_month("2025-01")
    datetime.date(2025, 1, 1)

    Raises `ConfigError` when the text is not `YYYY-MM`; its message begins with `what`, the name of the setting.
    """
    if not isinstance(text, str) or not re.fullmatch(MONTH_PATTERN, text):
        raise ConfigError(f"{what}: {str(text)!r} is not a month; write YYYY-MM, for example 2025-01")
    return date(int(text[:4]), int(text[5:7]), 1)


def month_label(month: date) -> str:
    """Return the month as people write it.

    >>> month_label(date(2025, 1, 1))
    '2025-01'
    """
    return f"{month:%Y-%m}"


def next_month(month: date) -> date:
    """Return the month after `month`.

    >>> next_month(date(2025, 12, 1))
    datetime.date(2026, 1, 1)
    """
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def months_before(month: date, count: int) -> date:
    """Return the month that is `count` months before another one.

    >>> months_before(date(2025, 1, 1), 2)
    datetime.date(2024, 11, 1)
    """
    number = month.year * 12 + month.month - 1 - count
    return date(number // 12, number % 12 + 1, 1)


class MonthRange:
    """The months from `first` to `last`, both included; `None` leaves an end open.

    Raises `ConfigError` when `first` is after `last`.
    """

    def __init__(self, first: date | None = None, last: date | None = None) -> None:
        if first and last and first > last:
            raise ConfigError(f"from_month {month_label(first)} is after to_month {month_label(last)}")
        self.first, self.last = first, last

    @classmethod
    def parse(cls, first: str | None, last: str | None) -> "MonthRange":
        """Return the range of the params `from_month` and `to_month`; empty and `None` leave an end open."""
        return cls(
            parse_month(first, "from_month") if first else None,
            parse_month(last, "to_month") if last else None,
        )

    def __contains__(self, month: date) -> bool:
        return (self.first is None or month >= self.first) and (self.last is None or month <= self.last)
