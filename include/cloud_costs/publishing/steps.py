"""The line that every step of a load logs when it is done, for people and for programs that collect logs.

It is logfmt, `key=value` pairs with spaces between: `step`, `source`, `month`, `load`, `rows`, `bytes`, `seconds`, and
then values of that step alone. `rows` and `bytes` are the lines of the delivery and the size of its files. They are the
same in every step, so each line alone gives the step's throughput.
"""

import json
import logging
import re

from cloud_costs.months import month_label
from cloud_costs.publishing.history import Load

# What needs no quotes: printable ASCII without space, quote, equals sign and backslash.
PLAIN = re.compile(r"[!#-<>-\[\]-~]+")


def log_step(log: logging.Logger, step: str, load: Load, seconds: float, **more: object) -> None:
    """Log that a step is done, and in how many `seconds`. A value that is None is left out."""
    known = {"rows": load.rows, "bytes": load.bytes, "seconds": f"{seconds:.3f}"}
    named = {"step": step, "source": load.source, "month": month_label(load.billing_month), "load": load.load_id}
    log.info(
        "%s", " ".join(f"{key}={_value(value)}" for key, value in (named | known | more).items() if value is not None)
    )


def _value(value: object) -> str:
    """Return the value as logfmt has it: one that is not plain is a JSON string, on one line and in ASCII."""
    text = str(value)
    return text if PLAIN.fullmatch(text) else json.dumps(text)
