"""Where a month ends, in series of which a reader can reckon it."""

from datetime import date, timedelta

import numpy as np
import pytest

from cloud_costs.insights.forecasting import Daily, forecast

START = date(2024, 1, 1)
MAY, JUNE = date(2025, 5, 1), date(2025, 6, 1)
DAYS = (JUNE - START).days
DATES = [START + timedelta(days=day) for day in range(DAYS)]
KNOWN = (MAY - START).days + 10


def daily(usage: np.ndarray, known: int = KNOWN, **others: np.ndarray) -> Daily:
    zero = np.zeros((1, DAYS))
    return Daily(START, known, usage.reshape(-1, DAYS), others.get("fees", zero), others.get("taxes", zero))


def by_weekday() -> np.ndarray:
    return np.array([40.0 if day.weekday() >= 5 else 100.0 for day in DATES])


@pytest.mark.parametrize("known", [0, 1, 10, 30])
def test_weekdays_make_the_rest_of_the_month(known: int) -> None:
    usage = by_weekday()
    made = forecast(daily(usage, (MAY - START).days + known), MAY, JUNE)
    assert made.expected[0] == pytest.approx(usage[-31:].sum())
    assert made.low[0] <= made.expected[0] <= made.high[0]


def test_month_that_is_over_is_what_it_was() -> None:
    usage = by_weekday()
    made = forecast(daily(usage, DAYS), MAY, JUNE)
    assert made.low[0] == made.expected[0] == made.high[0] == pytest.approx(usage[-31:].sum())


def test_fee_of_the_last_two_months_is_expected_and_that_of_one_is_not() -> None:
    fees = np.zeros((1, DAYS))
    fees[0, [at for at, day in enumerate(DATES) if day.day == 20 and day < MAY]] = 30
    fees[0, [at for at, day in enumerate(DATES) if day == date(2025, 4, 25)]] = 5000
    # March and April credited on their last day, which May has too.
    fees[0, [at for at, day in enumerate(DATES) if day in (date(2025, 3, 31), date(2025, 4, 30))]] -= 7
    made = forecast(daily(np.zeros(DAYS) + 1, fees=fees), MAY, JUNE)
    assert made.expected[0] == pytest.approx(31 + 30)
    # A longer time has the fee in each of its months.
    year = Daily(START, KNOWN, np.ones((1, DAYS)), fees, np.zeros((1, DAYS)))
    made = forecast(year, MAY, date(2025, 8, 1))
    assert made.expected[0] == pytest.approx(31 + 30 + 31 + 3 * 30)


def test_taxes_follow_what_they_are_on_and_not_what_is_booked_so_far() -> None:
    usage = np.full(DAYS, 10.0)
    taxes = np.zeros((1, DAYS))
    for at, day in enumerate(DATES):
        if day.day == 1:
            taxes[0, at] = 0.19 * 10 * ((day + timedelta(days=31)).replace(day=1) - day).days
    taxes[0, (MAY - START).days] = 0.19 * 100
    made = forecast(daily(usage, taxes=taxes), MAY, JUNE)
    assert made.expected[0] == pytest.approx(310 * 1.19)


def test_restless_series_has_a_wider_interval() -> None:
    random = np.random.default_rng(5)
    calm, restless = (100 * random.lognormal(0, spread, (20, DAYS)) for spread in (0.02, 0.3))
    usage = np.concatenate([calm, restless])
    zero = np.zeros_like(usage)
    made = forecast(Daily(START, KNOWN, usage, zero, zero), MAY, JUNE)
    width = (made.high - made.low) / made.expected
    assert width[:20].max() < width[20:].min()
    inside = (made.low <= usage[:, -31:].sum(axis=1)) & (usage[:, -31:].sum(axis=1) <= made.high)
    assert 24 <= inside.sum() <= 40


@pytest.mark.parametrize("days", [0, 1, 5, 20])
def test_short_history_has_a_forecast(days: int) -> None:
    short = Daily(MAY, days, np.full((1, 31), 10.0), np.zeros((1, 31)), np.zeros((1, 31)))
    made = forecast(short, MAY, JUNE)
    assert made.expected[0] == pytest.approx(310 if days else 0)
    assert made.low[0] <= made.expected[0] <= made.high[0]


@pytest.mark.parametrize("age", [1, 10, 45, 90])
def test_days_before_the_first_cost_are_not_days_without(age: int) -> None:
    """A source that began lately is expected to go on. Its interval is as if nothing had been asked of before."""
    usage = np.full(DAYS, 100.0)
    usage[: KNOWN - age] = 0
    late = daily(usage)
    first = KNOWN - age
    alone = Daily(DATES[first], age, *(values[:, first:] for values in (late.usage, late.fees, late.taxes)))
    for end in (JUNE, date(2025, 7, 1)):
        made, expected = (forecast(one, MAY, end) for one in (late, alone))
        assert (made.expected, made.low, made.high) == (expected.expected, expected.low, expected.high)
    made = forecast(late, MAY, JUNE)
    assert made.expected[0] == pytest.approx(usage[-31:].sum())
    assert made.high[0] < 1.3 * made.expected[0]


def test_new_account_of_an_old_source_is_not_restless() -> None:
    usage = np.stack([by_weekday(), by_weekday()])
    usage[1, : KNOWN - 70] = 0
    zero = np.zeros_like(usage)
    made = forecast(Daily(START, KNOWN, usage, zero, zero), MAY, JUNE)
    assert (made.high - made.low)[1] == pytest.approx((made.high - made.low)[0])


def test_a_time_never_costs_less_than_what_is_known() -> None:
    """Two weeks of history say little of a year, but no usage is negative."""
    usage = np.full((1, 365), 10.0)
    zero = np.zeros_like(usage)
    made = forecast(Daily(date(2025, 1, 1), 14, usage, zero, zero), date(2025, 1, 1), date(2026, 1, 1))
    assert made.low[0] == pytest.approx(3650 - 3510 * 0.1 * 2.5 * (351 / 31) ** 0.5)
    restless = np.where(np.arange(365) % 14 < 7, 1.0, 100.0).reshape(1, -1)
    made = forecast(Daily(date(2025, 1, 1), 84, restless, zero, zero), date(2025, 1, 1), date(2026, 1, 1))
    assert made.low[0] == pytest.approx(restless[0, :84].sum())
