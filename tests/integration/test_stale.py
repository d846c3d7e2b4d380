"""Which sources are stale: their newest month was not delivered again for longer than it should be."""

import logging
import os
from datetime import UTC, date, datetime, timedelta

import pytest
from pipeline import JANUARY

from cloud_costs.config.sources import Source
from cloud_costs.months import MonthRange
from cloud_costs.publishing.plan import list_manifests
from cloud_costs.storage.local import LocalStorage

FEBRUARY = date(2025, 2, 1)
ALL = MonthRange()


@pytest.fixture
def delivered(cup):
    """Deliver a month of `cup` so many hours ago; return when that was."""

    def deliver(month: date, hours: float) -> datetime:
        cup.deliver(month)
        then = datetime.now(UTC) - timedelta(hours=hours)
        [manifest] = cup.bucket.rglob(f"{month:%Y%m%d}-*/*-Manifest.json")
        os.utime(manifest, (then.timestamp(), then.timestamp()))
        return then

    return deliver


@pytest.fixture
def stale(database, cup):
    """Return the stale lines of a plan for `cup`, with settings and months as given."""

    def plan(months: MonthRange = ALL, **settings: object) -> tuple[str, ...]:
        source = Source(**{**cup.source.model_dump(), **settings})
        return list_manifests(database, [source], lambda source: LocalStorage(), months).stale

    return plan


def test_source_without_a_delivery_for_two_days_is_stale(stale, delivered, caplog):
    caplog.set_level(logging.WARNING)
    delivered(JANUARY, hours=500)
    then = delivered(FEBRUARY, hours=49)
    [line] = stale()
    assert line.startswith(
        f"cup is stale: its newest delivery, of 2025-02, is of {then:%Y-%m-%d %H:%M} UTC, 49 hours ago, and "
        "stale_after_hours is 48; "
    )
    assert line in caplog.messages


def test_delivery_of_yesterday_is_fresh(stale, delivered):
    delivered(JANUARY, hours=500)
    delivered(FEBRUARY, hours=47)
    assert stale() == ()


def test_old_month_that_is_restated_does_not_make_a_source_fresh(stale, delivered):
    delivered(FEBRUARY, hours=100)
    delivered(JANUARY, hours=1)
    assert len(stale()) == 1


def test_source_says_how_long_it_may_be_silent(stale, delivered):
    delivered(JANUARY, hours=200)
    assert stale(stale_after_hours=201) == ()
    assert len(stale(stale_after_hours=199)) == 1


def test_closed_source_is_never_stale(stale, delivered):
    delivered(JANUARY, hours=20_000)
    assert stale(stale_after_hours=0) == ()


def test_delivery_in_the_future_is_not_stale(stale, delivered):
    delivered(JANUARY, hours=-100)
    assert stale() == ()


def test_run_that_does_not_look_at_the_newest_month_says_nothing(stale, delivered):
    delivered(JANUARY, hours=500)
    delivered(FEBRUARY, hours=1)
    assert stale(MonthRange(None, JANUARY)) == ()
    assert stale(MonthRange(FEBRUARY, None)) == ()
    assert stale(first_month="2025-03") == ()


def test_bucket_without_manifests_is_as_old_as_its_newest_file(stale, cup):
    cup.deliver(JANUARY)
    for path in cup.bucket.rglob("*-Manifest.json"):
        path.unlink()
    files = sorted(cup.bucket.rglob("*.parquet"))
    for path, hours in zip(files, (300, 60), strict=True):
        then = datetime.now(UTC).timestamp() - hours * 3600
        os.utime(path, (then, then))
    [line] = stale(manifest="none")
    assert "60 hours ago" in line


@pytest.mark.parametrize("value", [-1, "soon", 1.5, 10**9])
def test_wrong_number_of_hours_is_refused(cup, value):
    with pytest.raises(ValueError, match="stale_after_hours"):
        Source(**{**cup.source.model_dump(), "stale_after_hours": value})
