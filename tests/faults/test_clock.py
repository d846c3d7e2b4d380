"""A clock that jumps. What is decided by a time of day is whose staging tables may go, and nothing else.

PostgreSQL's clock is the machine's; here the times that it wrote down are moved instead, which compares alike.
"""

from typing import Any

import pytest
from fault_month import Month, go_on
from processes import STEPS, take_step

from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import LoadLost
from cloud_costs.months import MonthRange
from cloud_costs.publishing.plan import list_manifests


@pytest.fixture(scope="module")
def month(new_module_month: Any) -> Month:
    found: Month = new_module_month(Bill(lines=60, files=2))
    found.deliver()
    found.next_run()
    return found


@pytest.mark.parametrize("jump", ["400 days", "-400 days"])
@pytest.mark.parametrize("step", ["load_raw", "normalize", "audit"])
def test_clock_jumps_between_the_steps(month, step, jump):
    """Forward, a load of a moment ago looks abandoned to the next run, and is loaded anew; back, it goes on."""
    month.deliver()
    at = STEPS.index(step) + 1
    load = go_on(month, STEPS[:at])
    month.query(
        "update load_history set started = started - %s::interval, finished = finished - %s::interval returning 1",
        *(jump, jump),
    )
    list_manifests(month.database, [month.source], lambda _: month.storage, MonthRange())
    if jump.startswith("-"):
        go_on(month, STEPS[at:], load)
        month.assert_whole(month.delivered)
    elif step == "load_raw":
        # The lines are gone: normalize derives from those that are published.
        go_on(month, STEPS[at:], load)
        month.assert_whole(3 - month.delivered)
    else:
        with pytest.raises(LoadLost, match="clear load_raw of this month"):
            take_step(STEPS[at], month.database, month.source, load)
        month.assert_whole(3 - month.delivered)
    month.next_run()
