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
