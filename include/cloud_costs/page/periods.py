"""Ranges of days and billing months, their periods, and the range before."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from cloud_costs.months import next_month
from cloud_costs.page.problems import WRONG, Refusal

DAY = timedelta(days=1)
# Ten years of days. A chart cannot show more, and a browser would have to draw them.
MAX_PERIODS = 3_660


@dataclass(frozen=True)
class Range:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def is_whole_months(self) -> bool:
        """Whether the range begins with the first day of a month and ends with the last of one."""
        return self.first.day == 1 and (self.last + DAY).day == 1

    @property
    def months(self) -> int:
        """How many calendar months the range touches."""
        return (self.last.year - self.first.year) * 12 + self.last.month - self.first.month + 1

    @property
    def before(self) -> "Range":
        """The range of the same length that ends before this one: as many months, or as many days.

        >>> Range(date(2025, 3, 1), date(2025, 3, 31)).before
        Range(first=datetime.date(2025, 2, 1), last=datetime.date(2025, 2, 28))
        >>> Range(date(2025, 3, 3), date(2025, 3, 9)).before
        Range(first=datetime.date(2025, 2, 24), last=datetime.date(2025, 3, 2))
        """
        if self.is_whole_months:
            return Range(month_before(self.first, self.months), self.first - DAY)
        days = self.last - self.first
        return Range(self.first - DAY - days, self.first - DAY)

    def periods(self, per: str) -> list[date]:
        """Return the first day of each day, week or month that the range touches. A week begins on Monday."""
        starts = list(self._starts(per))
        if len(starts) > MAX_PERIODS:
            hint = "Use a shorter range, or per=month."
            raise Refusal(WRONG, f"per: the range has {len(starts)} periods, more than {MAX_PERIODS}.", hint)
        return starts

    def _starts(self, per: str) -> Iterator[date]:
        start = self.first
        if per == "week":
            start -= timedelta(days=start.weekday())
        elif per == "month":
            start = start.replace(day=1)
        while start <= self.last:
            yield start
            start = next_month(start) if per == "month" else start + (DAY if per == "day" else 7 * DAY)


def month_before(day: date, months: int = 1) -> date:
    """Return the first day of the month that is so many months before the month of a day.

    >>> month_before(date(2025, 1, 31))
    datetime.date(2024, 12, 1)
    """
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def month_end(day: date) -> date:
    """Return the last day of the month of a day."""
    return next_month(day.replace(day=1)) - DAY


def same_day(day: date, month: date) -> date:
    """Return the same day of another month, or its last day where it is shorter, and the last day for a last day.

    >>> same_day(date(2025, 2, 28), date(2025, 1, 1)), same_day(date(2025, 3, 30), date(2025, 2, 1))
    (datetime.date(2025, 1, 31), datetime.date(2025, 2, 28))
    """
    end = month_end(month)
    return end if day == month_end(day) else min(end, month.replace(day=min(day.day, end.day)))
