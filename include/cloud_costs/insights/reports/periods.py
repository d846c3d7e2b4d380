"""What a report is about: a day, a week, or a month."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

from cloud_costs.errors import ConfigError
from cloud_costs.months import month_label, months_before, next_month, parse_month

Kind = Literal["daily", "weekly", "monthly"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DAY, WEEK = timedelta(days=1), timedelta(days=7)
WRITTEN = {"daily": "YYYY-MM-DD", "weekly": "YYYY-Www, for example 2025-W13", "monthly": "YYYY-MM"}


@dataclass(frozen=True)
class Period:
    """The days that a report is about, the last included. `label` names them as the table `reports` does."""

    kind: Kind
    label: str
    first: date
    last: date


def newest(kind: Kind, day: date) -> Period:
    """Return the newest period that is over on a day.

    >>> newest("weekly", date(2025, 3, 31)).label
    '2025-W13'
    """
    if kind == "daily":
        return daily(day - DAY)
    if kind == "weekly":
        return weekly(day - timedelta(days=day.weekday()) - WEEK)
    return monthly(months_before(day, 1))


def parse(kind: str, text: str | None, today: date) -> Period:
    """Return the period that people name, or the newest one.

    Raises `ConfigError` for a period that is not written right, or not over.
    """
    if kind not in KINDS:
        raise ConfigError(f"kind: {kind!r} is no report; write {', '.join(KINDS)}")
    if not text:
        return newest(kind, today)
    try:
        found = _parse(kind, text)
    except (ValueError, OverflowError):
        raise ConfigError(f"period: {text!r} is no {kind} period; write {WRITTEN[kind]}") from None
    if found.last >= today:
        raise ConfigError(f"period: {text} is not over; the newest one is {newest(kind, today).label}")
    return found


def daily(day: date) -> Period:
    """Return a day as a period."""
    return Period("daily", f"{day}", day, day)


def weekly(monday: date) -> Period:
    """Return the week that begins on a Monday."""
    year, week, _ = monday.isocalendar()
    return Period("weekly", f"{year}-W{week:02}", monday, monday + WEEK - DAY)


def monthly(month: date) -> Period:
    """Return a month, by its first day."""
    return Period("monthly", month_label(month), month, next_month(month) - DAY)


def _parse(kind: Kind, text: str) -> Period:
    if kind == "monthly":
        try:
            return monthly(parse_month(text))
        except ConfigError as error:
            raise ValueError(str(error)) from None
    pattern = r"\d{4}-\d{2}-\d{2}" if kind == "daily" else r"\d{4}-W\d{2}"
    if not re.fullmatch(pattern, text, re.ASCII):
        raise ValueError(text)
    return daily(date.fromisoformat(text)) if kind == "daily" else weekly(date.fromisoformat(f"{text}-1"))
