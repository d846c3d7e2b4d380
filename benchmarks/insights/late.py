"""Judge days that are not complete, as a run in the morning sees them, with and without what is known of them."""

from collections.abc import Sequence

import numpy as np

from benchmarks.insights.scoring import day_of, limits
from benchmarks.insights.year import DAYS, SECOND, Source
from cloud_costs.insights.anomalies import JUDGED
from cloud_costs.insights.detection import LEAD
from cloud_costs.insights.findings import Grid, covers, find

# What share of a day's costs is there, by the age of the day, as of a run at 02:00: an age of 1 is yesterday.
SHARES = {
    "source1": (0.02, 0.45, 0.97, 1.0),
    "source2": (0.02, 0.3, 0.8, 0.97, 1.0),
    "source3": (0.0, 0.2, 0.6, 0.85, 0.95, 0.98, 1.0),
}
# No multiple of a week, so that all weekdays come.
EVERY = 23


def false_events(sources: Sequence[Source], *, masked: bool) -> tuple[int, int]:
    """Return how many events of the last week are told that were not planted, and how many runs told them.

    With `masked`, days that still grow are known as such, as `load_history` teaches it.
    """
    wrong = runs = 0
    for source in sources:
        shares = np.array(SHARES[source.name])
        for today in range(SECOND + JUDGED, DAYS, EVERY):
            begin = today - JUDGED - LEAD
            seen = source.usage[:, begin : today + 1].copy()
            seen[:, -len(shares) :] *= shares[::-1]
            complete = seen.shape[1] - (len(shares) - 1 if masked else 0)
            grid = Grid(source.name, "USD", day_of(begin), source.keys, seen, complete)
            for finding in find(grid, limits, begin=LEAD):
                first = begin + (finding.first_date - day_of(begin)).days
                planted = any(
                    one.first - 1 <= first <= one.last
                    and one.sign == finding.sign
                    and any(covers(finding.scope, source.keys[row]) for row in one.rows)
                    for one in source.planted
                )
                wrong += first > today - 7 and not planted
            runs += 1
    return wrong, runs
