"""The number of examples that fuzz tests try: few and always the same ones, or with `FUZZ` many random ones."""

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings

TIMES = int(os.environ.get("FUZZ", "0"))


def bounded(examples: int) -> Any:
    """Return the settings of a fuzz test; `FUZZ=100` tries a hundred times as many, at random."""
    return settings(
        max_examples=examples * max(1, TIMES),
        derandomize=not TIMES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
