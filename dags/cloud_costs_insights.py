"""
### Cloud costs: insights

Says what nobody asked: what is out of line in the costs that were published, where each month will end, and which
budgets that breaks. It runs after each run of `cloud_costs` that published a month.

| task | what it does |
| --- | --- |
| `detect_anomalies` | brings the table `anomalies` up to date |
| `forecast` | writes where each month that is not over will end, in `forecasts` |
| `check_budgets` | compares costs and forecasts with `budgets.yaml`, in `budget_status` |
| `tell` | sends what is news, once, to the channels of alerts and of budgets |

**To run it again**, clear any task: nothing is told twice.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, dag, task

from cloud_costs.airflow import tasks as airflow_tasks
from cloud_costs.airflow.versions import BACKOFF, RETRY_POLICY, log_url

RETRIES = {
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": BACKOFF,
    "max_retry_delay": timedelta(minutes=15),
    **RETRY_POLICY,
}


@task(multiple_outputs=False)
def detect_anomalies() -> dict[str, int]:
    """Find what is out of line in the published costs, and bring the table `anomalies` up to date."""
    return airflow_tasks.detect_anomalies()


@task
def forecast() -> int:
    """Write where each month that is not over will end."""
    return airflow_tasks.forecast()


@task
def check_budgets() -> list[str]:
    """Compare costs and forecasts with the budgets."""
    return airflow_tasks.check_budgets()


@task
def tell(ti: Any = None) -> list[str]:
    """Send what is news to the channels of alerts and of budgets."""
    return airflow_tasks.tell(log_url(ti))


@dag(
    dag_id="cloud_costs_insights",
    dag_display_name="Cloud costs: insights",
    schedule=[Asset("cloud_costs")],
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args=RETRIES,
    tags=["cloud-costs"],
    doc_md=__doc__,
)
def cloud_costs_insights() -> None:
    """Detect, forecast and check side by side, then tell."""
    [detect_anomalies(), forecast(), check_budgets()] >> tell()


DAG = cloud_costs_insights()
