"""What is out of line and what is not, in series of which a reader sees why."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pytest

from cloud_costs.insights.detection import Floats, Limits, detect
from cloud_costs.insights.findings import Finding, Grid, Scope, find

START = date(2025, 1, 1)
DAYS = 120


def limits(scopes: Sequence[Scope]) -> Limits:
    return Limits(np.full(len(scopes), 5.0), np.full(len(scopes), 0.25))


def calm(level: float = 100, weekend: float = 0.5) -> Floats:
    """Return a series of weekdays with a noise of 2 %, the same in every test."""
    noise = np.random.default_rng(7).normal(1, 0.02, DAYS)
    weekdays = [weekend if (START + timedelta(days=day)).weekday() >= 5 else 1 for day in range(DAYS)]
    return level * noise * weekdays


def events(values: Floats, complete: int = DAYS) -> list[tuple[int, int, int, bool]]:
    """Return first and last day, sign, and whether it runs."""
    found = detect(values[None, :], START, limits([(None, None)]), complete=complete).events
    return [(event.first, event.last, event.sign, event.running) for event in found]


def test_weekends_noise_and_growth_are_no_events() -> None:
    assert events(calm()) == []
    assert events(calm(weekend=0)) == []
    assert events(calm() * 1.002 ** np.arange(DAYS)) == []


def test_shift_is_one_event_until_its_level_is_what_is_expected() -> None:
    values = calm()
    values[60:] *= 1.5
    assert events(values) == [(60, 73, 1, False)]
    assert events(values[:66]) == [(60, 65, 1, True)]


def test_spike_is_found_on_its_day_and_a_small_change_on_the_second() -> None:
    spike, small = calm(), calm()
    spike[80] *= 3
    assert events(spike) == [(80, 80, 1, False)]
    small[80:84] *= 1.28
    assert events(small) == [(80, 83, 1, False)]
    assert events(small[:81]) == []


@pytest.mark.parametrize("day_of_month", [1, 15])
def test_day_that_comes_each_month_is_told_the_first_time_alone(day_of_month: int) -> None:
    values = calm()
    on = [day for day in range(DAYS) if (START + timedelta(days=day)).day == day_of_month]
    values[on] += 300
    told = [first for first, _, _, _ in events(values)]
    assert told == [day for day in on if day >= 14][:1]


def test_cents_are_no_event_however_large_their_share() -> None:
    values = calm(level=0.5)
    values[80:] *= 9
    assert events(values) == []


def test_new_series_and_one_that_stops_are_events() -> None:
    new, stopped, holiday = calm(), calm(), calm()
    new[:60] = 0
    assert events(new) == [(60, 73, 1, False)]
    stopped[60:] = 0
    [(first, _, sign, _)] = events(stopped)
    assert (first, sign) == (60, -1)
    # Three low days are a holiday.
    holiday[60:63] *= 0.3
    assert events(holiday) == []


def test_days_that_still_grow_can_be_too_high_and_never_too_low() -> None:
    values = calm()
    values[-4:] *= 0.1
    assert events(values)[0][2] == -1
    assert events(values, complete=DAYS - 4) == []
    values[-1] = 400
    assert events(values, complete=DAYS - 4) == [(DAYS - 1, DAYS - 1, 1, True)]


def test_day_that_was_judged_is_judged_alike_later() -> None:
    values = calm()
    values[70:75] *= 2
    values[100:] *= 3
    early = detect(values[None, :90], START, limits([(None, None)])).events
    late = detect(values[None, :], START, limits([(None, None)])).events
    assert [(one.first, one.last) for one in early] == [(one.first, one.last) for one in late][:1]
    assert early[0].excess.tolist() == late[0].excess.tolist()


def told(values: dict[tuple[str, str], Floats]) -> list[Finding]:
    grid = Grid("cup", "USD", START, list(values), np.stack(list(values.values())), DAYS)
    return find(grid, limits)


def grid_of(accounts: int, services: int, level: float) -> dict[tuple[str, str], Floats]:
    return {(f"a{a}", f"s{s}"): calm(level) * (1 + (a + 3 * s) / 9) for a in range(accounts) for s in range(services)}


def test_event_is_told_once_at_the_level_that_explains_it() -> None:
    one = grid_of(4, 4, 100)
    one["a1", "s2"][80:90] *= 2
    assert [finding.scope for finding in told(one)] == [("a1", "s2")]
    account = grid_of(4, 4, 100)
    for key in account:
        if key[0] == "a1":
            account[key][80:90] *= 2
    [finding] = told(account)
    assert finding.scope == ("a1", None)
    assert len(finding.parts) == 4
    service = grid_of(4, 4, 100)
    for key in service:
        if key[1] == "s2":
            service[key][80:90] *= 2
    assert [finding.scope for finding in told(service)] == [(None, "s2")]
    everything = grid_of(4, 4, 100)
    for values in everything.values():
        values[80:90] *= 2
    assert [finding.scope for finding in told(everything)] == [(None, None)]


def test_changes_too_small_in_each_series_are_told_of_their_sum() -> None:
    values = grid_of(10, 3, 4)
    for key in values:
        if key[1] == "s1":
            values[key][80:] *= 1.5
    [finding] = told(values)
    assert finding.scope == (None, "s1")
    assert finding.first_date == START + timedelta(days=80)
    assert len(finding.parts) == 10


def test_two_events_of_one_day_that_share_nothing_are_two() -> None:
    values = grid_of(4, 4, 100)
    values["a0", "s0"][80:90] *= 2
    values["a3", "s3"][80:90] *= 2
    assert {finding.scope for finding in told(values)} == {("a0", "s0"), ("a3", "s3")}
