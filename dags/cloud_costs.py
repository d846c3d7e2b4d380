"""
### Cloud costs

Loads cloud billing exports from object storage into the table `costs` in PostgreSQL. It looks for new deliveries
every day and loads only the months that changed.

| task | what it does |
| --- | --- |
| `list_manifests` | compares every export's manifests with what is published; its log shows the whole plan |
| `billing_month` | one group for each source and month to load |
| `load_raw` | streams the newest delivery of the month into a staging table |
| `normalize` | derives the daily totals from it, through the FOCUS mapping |
| `audit` | runs every check; a failed one keeps what was published before |
| `publish` | makes the month visible in one transaction |
| `refresh_views` | brings `costs` and the FOCUS views up to date, drops old raw lines, and raises the asset event |
| `export` | for each source with `export`: writes the months that its folder lacks; there only if a source has one |
| `report` | lists what was published, sends alerts, and fails the run when a source or a month failed |

**To load a month again**, clear its `load_raw` with its downstream tasks. It loads the newest delivery.
**To load what is unchanged, or a range of months**, trigger the DAG and fill in the form.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, AssetAlias, Param, dag, task, task_group

from cloud_costs.airflow import tasks as airflow_tasks
from cloud_costs.airflow.versions import BACKOFF, RETRY_POLICY, AirflowSkipException, TriggerRule, conf, log_url
from cloud_costs.months import MONTH_PATTERN

COSTS = Asset("cloud_costs")
PUBLISHED = AssetAlias("cloud_costs_published")
# Airflow 3.0 does not know the month yet when it makes the label.
LABEL = (
    "{% set month = task.op_kwargs['month'] %}"
    "{{ month['source'] ~ ' ' ~ month['billing_month'] if month is mapping else ti.map_index }}"
)
SOURCE = "{{ task.op_kwargs['source'] if task.op_kwargs['source'] is string else ti.map_index }}"
SOURCES, EXPORTED = airflow_tasks.configured_names(), airflow_tasks.exported_names()
ITEMS = {"type": "string", "enum": SOURCES} if SOURCES else {"type": "string"}
ANY_OF: dict[str, Any] = {"type": ["null", "array"], "examples": SOURCES, "items": ITEMS}
MONTH: dict[str, Any] = {"type": ["null", "string"], "pattern": MONTH_PATTERN}

PARAMS = {
    "sources": Param(None, **ANY_OF, title="Sources", description="Which billing exports; none selected means all."),
    "from_month": Param(None, **MONTH, title="From month", description="First billing month, YYYY-MM."),
    "to_month": Param(None, **MONTH, title="To month", description="Last billing month, YYYY-MM."),
    "force": Param(False, type="boolean", title="Force", description="Load unchanged deliveries too."),
    "dry_run": Param(False, type="boolean", title="Dry run", description="Log the plan and load nothing."),
    "raw_only": Param(False, type="boolean", title="Raw only", description="Publish raw lines; leave costs as it was."),
}

# The Airflow pool limits how many steps use PostgreSQL at the same time. Without such a pool, they never start. The
# weight rule starts the next step of a month before another month's first step, so that few months are staged at once.
MONTHS_SHARE = {"pool": os.environ.get("LOAD_POOL") or "default_pool", "weight_rule": "upstream"}
RETRIES = {
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": BACKOFF,
    "max_retry_delay": timedelta(minutes=15),
    **RETRY_POLICY,
}


@task
def list_manifests(params: dict[str, Any] | None = None, ti: Any = None) -> list[dict[str, str]]:
    """Compare every export's manifests with what is published, and return the months to load."""
    return airflow_tasks.list_manifests(params or {}, conf.getint("core", "max_map_length"), ti.xcom_push)


@task(map_index_template=LABEL, multiple_outputs=False)
def load_raw(month: dict[str, str], params: Any = None, dag_run: Any = None, ti: Any = None) -> dict[str, Any]:
    """Stream the newest delivery of the month into a staging table, and return the load."""
    return airflow_tasks.load_raw(month, params["raw_only"], dag_run.run_id, ti.map_index)


@task(map_index_template=LABEL, multiple_outputs=False)
def normalize(month: dict[str, str], load: Any) -> dict[str, Any]:
    """Derive the daily totals from the staged lines, through the FOCUS mapping."""
    return airflow_tasks.normalize(month, load)


@task(map_index_template=LABEL, multiple_outputs=False)
def audit(month: dict[str, str], load: Any) -> dict[str, Any]:
    """Run every check; a failed one keeps what was published before."""
    return airflow_tasks.audit(month, load)


@task(map_index_template=LABEL, multiple_outputs=False)
def publish(month: dict[str, str], load: Any) -> dict[str, Any]:
    """Make the month visible in one transaction, and return what an asset event says of it."""
    return airflow_tasks.publish(month, load)


@task_group(default_args=MONTHS_SHARE)
def billing_month(month: dict[str, str]) -> Any:
    """Load, derive, check and publish one month of one source."""
    derived = normalize(month=month, load=load_raw(month=month))
    return publish(month=month, load=audit(month=month, load=derived))


@task(trigger_rule=TriggerRule.ALL_DONE, outlets=[PUBLISHED])
def refresh_views(months: Any, params: Any = None, ti: Any = None, outlet_events: Any = None) -> None:
    """Bring the views up to date, drop old raw lines, and raise the asset event for the published months."""
    if params["dry_run"] or ti.xcom_pull(task_ids="list_manifests") is None:
        raise AirflowSkipException("a dry run, or there is no plan: the views stay as they are")
    # Airflow hands over several months as a list, and a single one as itself.
    published = months if isinstance(months, list) else [months] if months else []
    airflow_tasks.refresh_views()
    if published:
        outlet_events[PUBLISHED].add(COSTS, extra={"months": published})


@task(map_index_template=SOURCE, pool=MONTHS_SHARE["pool"])
def export(source: str) -> None:
    """Write the months of a source that its folder of exports lacks, then drop its old raw lines."""
    airflow_tasks.export(source)


@task(trigger_rule=TriggerRule.ALL_DONE, retries=0)
def report(dag_run: Any = None, ti: Any = None) -> None:
    """List what was published, send alerts, and fail the run when a source or a month failed."""
    states = ti.get_task_states(dag_id=dag_run.dag_id, run_ids=[dag_run.run_id])[dag_run.run_id]
    planned, found = (ti.xcom_pull(task_ids="list_manifests", key=key) for key in ("return_value", "found"))
    airflow_tasks.report(dag_run.run_id, planned or [], found or {}, states, log_url(ti))


@dag(
    dag_id="cloud_costs",
    dag_display_name="Cloud costs",
    schedule=os.environ.get("SYNC_SCHEDULE") or "0 2 * * *",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
    params=PARAMS,
    tags=["cloud-costs"],
    doc_md=__doc__,
)
def cloud_costs() -> None:
    """Plan the run, load each month in a mapped task group, refresh the views, export, and report."""
    refreshed = refresh_views(billing_month.expand(month=list_manifests()))
    reported = report()
    refreshed >> reported
    if EXPORTED:
        refreshed >> export.expand(source=EXPORTED) >> reported


DAG = cloud_costs()
