"""Billing months: what is a month, and what is in a range."""

from datetime import date

import pytest

from cloud_costs.errors import ConfigError
from cloud_costs.months import MonthRange, month_label, next_month, parse_month


def test_month_is_its_first_day_and_is_written_as_year_and_month():
    assert parse_month("2025-01") == date(2025, 1, 1)
    assert month_label(parse_month("1999-12")) == "1999-12"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025",
        "2025-1",
        "2025-00",
        "2025-13",
        "2025-01-01",
        " 2025-01",
        "2025-01\n",
        "25-01",
        "0000-01",
        "\uff12025-01",
    ],
)
def test_anything_else_is_refused_with_what_to_write(text):
    with pytest.raises(ConfigError, match=r"^from_month: .* is not a month; write YYYY-MM, for example 2025-01$"):
        parse_month(text, "from_month")


def test_value_that_is_no_text_is_refused_as_it_was_written():
    with pytest.raises(ConfigError, match="first_month: '2025-01-01' is not a month"):
        parse_month(date(2025, 1, 1), "first_month")


def test_december_is_followed_by_january():
    assert next_month(date(2025, 12, 1)) == date(2026, 1, 1)
    assert next_month(date(2025, 1, 1)) == date(2025, 2, 1)


def test_range_holds_both_its_ends():
    months = MonthRange.parse("2025-02", "2025-04")
    assert [month for month in range(1, 6) if date(2025, month, 1) in months] == [2, 3, 4]


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_end_that_is_not_given_is_open(nothing):
    assert date(1900, 1, 1) in MonthRange.parse(nothing, "2025-01")
    assert date(2999, 1, 1) in MonthRange.parse("2025-01", nothing)
    assert date(2025, 1, 1) not in MonthRange.parse("2025-02", nothing)


def test_range_that_ends_before_it_begins_is_refused():
    with pytest.raises(ConfigError, match="from_month 2025-02 is after to_month 2025-01"):
        MonthRange.parse("2025-02", "2025-01")
