"""What this package takes from Airflow and what not every Airflow 3 has in the same place (docs/compatibility.md).

Airflow moved names into `airflow.sdk` one version after the other. Here, each is taken from where it is. What only a
newer version has is left out on older ones.
"""

from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from typing import Any


def _first(*places: str) -> Any:
    """Return the first that this Airflow has of places written `module:name`; raises `ImportError` for none."""
    for place in places:
        module, _, name = place.partition(":")
        with suppress(ImportError, AttributeError):
            return getattr(import_module(module), name)
    raise ImportError(f"this Airflow has none of {', '.join(places)}")


BaseHook = _first("airflow.sdk:BaseHook", "airflow.hooks.base:BaseHook")
TriggerRule = _first("airflow.sdk:TriggerRule", "airflow.utils.trigger_rule:TriggerRule")
MultipleCronTriggerTimetable = _first(
    "airflow.sdk:MultipleCronTriggerTimetable", "airflow.timetables.trigger:MultipleCronTriggerTimetable"
)
conf = _first("airflow.sdk:conf", "airflow.configuration:conf")
AirflowException, AirflowNotFoundException, AirflowSkipException = (
    _first(f"airflow.sdk.exceptions:{name}", f"airflow.exceptions:{name}")
    for name in ("AirflowException", "AirflowNotFoundException", "AirflowSkipException")
)


# Since 3.2, this is the factor by which each wait is longer; before, it is whether each is twice the one before.
BACKOFF: Any = 2.0 if tuple(map(int, version("apache-airflow-core").split(".")[:2])) >= (3, 2) else True


def log_url(ti: Any) -> str:
    """Return the address of a task's log; before 3.1, where a task does not know it, Airflow's own."""
    return str(getattr(ti, "log_url", None) or conf.get("api", "base_url", fallback=""))


def _retry_policy() -> Mapping[str, Any]:
    """Return the setting by which tasks fail at once where trying again changes nothing.

    Airflow before 3.3 has none. There, such a task is tried as often as any other before it fails.
    """
    try:
        from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
    except ImportError:
        return {}
    never_passes = RetryRule(
        "cloud_costs.errors.PermanentError", RetryAction.FAIL, reason="trying again changes nothing"
    )
    return {"retry_policy": ExceptionRetryPolicy([never_passes])}


RETRY_POLICY = _retry_policy()
