"""
### Cloud costs: reports

Makes the reports for people who read mail, and sends them to the channels of alerts.

| report | when (UTC) | says |
| --- | --- | --- |
| `daily` | 06:00 | the newest complete day: what moved, anomalies, budgets at risk |
| `weekly` | Monday 08:00 | four weeks by cloud, service and team, where the month ends, and what to do next |
| `monthly` | 07:00 on the 1st | data quality: deliveries, restatements, checks, costs without an owner, estimates |

| task | what it does |
| --- | --- |
| `list_reports` | finds the reports whose time has come and that were not made yet, or takes the one of the form |
| `report` | one group for each report |
| `make_report` | makes it: into the archive, which the Costs page shows, with a message for each channel |
| `send_report` | sends the messages |

**For the report of any period**, trigger the DAG and fill in the form. Each report is sent once, also when tasks are
cleared. *Send again* sends it again.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param, dag, task, task_group

from cloud_costs.airflow import reports
from cloud_costs.airflow.versions import BACKOFF, RETRY_POLICY, MultipleCronTriggerTimetable, log_url

# One DAG with three times, and not three DAGs: one form, one address for programs, and a run makes up for one that did
# not take place. A run makes the reports whose time has come.
SCHEDULES = reports.schedules().values()
# Airflow 3.0 does not know the report yet when it makes the label.
LABEL = (
    "{% set report = task.op_kwargs['report'] %}"
    "{{ report['kind'] ~ ' ' ~ report['period'] if report is mapping else ti.map_index }}"
)

PARAMS = {
    "kind": Param(
        None,
        type=["null", "string"],
        enum=[None, "daily", "weekly", "monthly"],
        title="Report",
        description="None selected: all whose time has come and that were not made yet.",
    ),
    "period": Param(
        None,
        type=["null", "string"],
        pattern=r"^\d{4}-(\d{2}|\d{2}-\d{2}|W\d{2})$",
        title="Period",
        description="2025-03-31 (daily), 2025-W13 (weekly), 2025-03 (monthly). Empty: the newest one.",
    ),
    "resend": Param(False, type="boolean", title="Send again", description="Make and send it, though it was sent."),
    "archive_only": Param(
        False, type="boolean", title="Into the archive alone", description="Make it now, and send it to nobody."
    ),
}

RETRIES = {
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": BACKOFF,
    "max_retry_delay": timedelta(minutes=15),
    **RETRY_POLICY,
}


@task
def list_reports(params: dict[str, Any] | None = None, dag_run: Any = None) -> list[dict[str, str]]:
    """Find the reports that this run makes."""
    return reports.list_reports(params or {}, dag_run.run_after)


@task(map_index_template=LABEL)
def make_report(report: dict[str, str], params: Any = None, dag_run: Any = None) -> list[str]:
    """Make one report, into the archive, with a message for each channel."""
    return reports.make_report(report, params, dag_run.run_id)


@task(map_index_template=LABEL)
def send_report(report: dict[str, str], ti: Any = None) -> int:
    """Send the messages that are not sent yet, those of this report and others."""
    return reports.send_reports(report, log_url(ti))


@task_group(group_id="report")
def make_and_send(report: dict[str, str]) -> None:
    """Make one report, then send it."""
    make_report(report=report) >> send_report(report=report)


@dag(
    dag_id="cloud_costs_reports",
    dag_display_name="Cloud costs: reports",
    schedule=MultipleCronTriggerTimetable(*SCHEDULES, timezone="UTC") if SCHEDULES else None,
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args=RETRIES,
    params=PARAMS,
    tags=["cloud-costs"],
    doc_md=__doc__,
)
def cloud_costs_reports() -> None:
    """List the reports, then make and send each in a mapped task group."""
    make_and_send.expand(report=list_reports())


DAG = cloud_costs_reports()
