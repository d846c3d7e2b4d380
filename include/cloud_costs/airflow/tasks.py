"""The functions that the tasks of the DAGs call: the library's steps and checks, with arguments that XCom can carry.

Every task is a process that imports the DAG file first. To keep that fast, Airflow's hooks, and Arrow with
`publishing.load`, are imported only in the functions that need them.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from psycopg import sql

from cloud_costs.airflow import alerts
from cloud_costs.charges import views
from cloud_costs.config.anomalies import load_limits
from cloud_costs.config.budgets import load_budgets
from cloud_costs.config.sources import Source, load_accounts, load_sources, pick_sources
from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.errors import CloudCostsError, ConfigError, PermanentError
from cloud_costs.messages import safe
from cloud_costs.months import MonthRange, parse_month
from cloud_costs.publishing import audit as audits
from cloud_costs.publishing import normalize as normalizing
from cloud_costs.publishing import plan as planning
from cloud_costs.publishing import publish as publishing
from cloud_costs.publishing import retention
from cloud_costs.publishing.history import Load, Run
from cloud_costs.storage.files import Storage

log = logging.getLogger(__name__)
# The plan has a logger of its own, so that its lines can be found among all others.
plan_log = logging.getLogger(f"{__name__}.plan")

Json = dict[str, Any]
FAILED = ("failed", "upstream_failed")


def configured_names() -> list[str]:
    """Return the names of the configured sources for the trigger form.

    Returns none for a broken configuration. The DAG is then still shown, and its task `list_manifests` says what is
    wrong.
    """
    try:
        return [source.name for source in load_sources()]
    except ConfigError:
        return []


def exported_names() -> list[str]:
    """Return the names of the configured sources that are exported; none for a broken configuration."""
    try:
        return [source.name for source in load_sources() if source.export]
    except ConfigError:
        return []


def list_manifests(params: Mapping[str, Any], limit: int, push: Callable[..., None]) -> list[dict[str, str]]:
    """Return the months to load, at most `limit`, as JSON types.

    `push(key=…, value=…)` is called with the key `found`, whose value has the lines that `report` needs: `failures` and
    `stale`. Raises `ConfigError` for a param that is not valid. The DAG passes Airflow's `max_map_length` as `limit`,
    because Airflow fails a task that returns more items for a mapped group.
    """
    # Pushed before anything is raised: a failed task returns nothing, and `report` tells the failures.
    try:
        plan = _plan(params, limit)
    except CloudCostsError as error:
        push(key="found", value={"failures": [f"list_manifests failed: {error}"]})
        raise
    failures = [str(error) for _, error in sorted(plan.failures.items())]
    push(key="found", value={"failures": failures, "stale": list(plan.stale)})
    if params.get("dry_run"):
        log.info("dry run: %s month(s) would be loaded", len(plan.to_load))
        return []
    return [month.to_dict() for month in plan.to_load]


def _plan(params: Mapping[str, Any], limit: int) -> planning.Plan:
    sources = pick_sources(load_sources(), params.get("sources"))
    months = MonthRange.parse(params.get("from_month"), params.get("to_month"))
    database = _database()
    apply_schema(database)
    plan = planning.list_manifests(
        database,
        sources,
        _storage,
        months,
        force=bool(params.get("force")),
        raw_only=bool(params.get("raw_only")),
        limit=limit,
    )
    for line in plan.lines():
        plan_log.info("%s", line)
    if plan.left:
        log.warning(
            "%s month(s) are left for the next run, this one takes %s: %s",
            *(len(plan.left), limit, ", ".join(month.label for month in plan.left)),
        )
    return plan


def load_raw(month: Mapping[str, str], raw_only: bool, dag_run_id: str, map_index: int) -> Json:
    """Stage the newest delivery of the month and return the load."""
    from cloud_costs.publishing import load as loads

    source = _source(month)
    first_day = parse_month(month["billing_month"])
    run = Run(dag_run_id, map_index)
    return loads.load_raw(_database(), _storage(source), source, first_day, raw_only=raw_only, run=run).to_dict()


def normalize(month: Mapping[str, str], load: Mapping[str, Any]) -> Json:
    """Derive the normalized rows, and return the load that they belong to, as JSON types."""
    return normalizing.normalize(_database(), _source(month), Load.from_dict(load)).to_dict()


def audit(month: Mapping[str, str], load: Mapping[str, Any]) -> Json:
    """Run the checks, and return the load as it came."""
    audits.audit(_database(), _source(month), Load.from_dict(load))
    return dict(load)


def publish(month: Mapping[str, str], load: Mapping[str, Any]) -> Json:
    """Publish the load, and return its source, month, version, rows, bytes and billed cost per currency."""
    database = _database()
    publishing.publish(database, _source(month), Load.from_dict(load))
    return _describe(database, Load.from_dict(load))


def refresh_views() -> None:
    """Bring the views up to date with the published months, and drop raw lines older than `raw_months`.

    The raw lines of sources that are exported wait for their export.
    """
    database = _database()
    views.refresh_views(database, listed=load_accounts())
    retention.drop_old_raw(database, [source for source in load_sources() if not source.export])


def export(name: str) -> None:
    """Bring the export of a source up to date, log what became of each month, and drop its old raw lines.

    A source that is no longer exported is left out.
    """
    from cloud_costs.airflow import connections as airflow_connections
    from cloud_costs.exporting.months import export_source

    [source] = pick_sources(load_sources(), [name])
    if source.export:
        storage = airflow_connections.storage_at(source.export.to, source.export.conn_id, writes=True)
        for outcome in export_source(_database(), storage, source):
            log.info("%s", outcome)


def report(
    dag_run_id: str,
    planned: Sequence[Mapping[str, str]],
    found: Mapping[str, Sequence[str]],
    states: Mapping[str, str | None],
    link: str,
) -> None:
    """Log the outcome of every month, and send alerts for problems.

    `found` is the value that `list_manifests` pushed. `states` are the states of the run's tasks by task id, with
    `_<map index>` appended for mapped ones. `link` is the address of the log. Raises `PermanentError`, which names each
    source and month that failed.
    """
    problems = list(found.get("failures", ()))
    if states.get("list_manifests") in FAILED and not problems:
        problems.append("list_manifests failed: its log says why")
    errors = _errors_of_run(dag_run_id) if any(_failed_step(states, at) for at in range(len(planned))) else {}
    for index, month in enumerate(planned):
        label = f"{month['source']} {month['billing_month']}"
        step = _failed_step(states, index)
        if step:
            # Recorded errors begin with the source and month, which stand before the step already.
            reason = errors.get(index, "its log says why").removeprefix(f"{label}: ")
            problems.append(f"{label}: {step} failed: {reason}")
        else:
            log.info("%s: published", label)
    problems += _failed_at_the_end(states)
    # Each on a line of its own: the UI cuts the message of an exception.
    for problem in problems:
        log.error("%s", problem)
    stale = list(found.get("stale", ()))
    for line in stale:
        log.warning("%s", line)
    if problems or stale:
        told = [f"{len(problems)} problem(s)"] * bool(problems) + [f"{len(stale)} stale source(s)"] * bool(stale)
        alerts.send(alerts.compose(f"Cloud costs: {', '.join(told)}", [*problems, *stale], link))
    if problems:
        raise PermanentError(f"{len(problems)} problem(s): " + " || ".join(problems))
    log.info("%s month(s) published, nothing failed", len(planned))


def detect_anomalies() -> Json:
    """Bring the table `anomalies` up to date, and return the counts that it logs."""
    from cloud_costs.insights import anomalies

    return anomalies.detect_anomalies(_insights_database(), load_limits())


def forecast() -> int:
    """Write the forecasts of the months that are not over, and return how many rows there are."""
    from cloud_costs.insights import forecasts

    return forecasts.forecast(_insights_database())


def check_budgets() -> list[str]:
    """Bring the status of each budget up to date, and return a warning for each that no costs match."""
    from cloud_costs.insights import budgets

    return budgets.check_budgets(_insights_database(), load_budgets())


def tell(link: str) -> list[str]:
    """Send what is news to the channels of alerts and of budgets, log it, and return its lines."""
    from cloud_costs.airflow import notices
    from cloud_costs.insights import telling

    database = _insights_database()
    lines = telling.write_notices(database, load_budgets(), notices.everyone())
    for line in lines:
        log.warning("%s", line)
    notices.send(database, link)
    return lines


def _insights_database() -> Database:
    database = _database()
    apply_schema(database)
    return database


def check_database() -> None:
    """Log the facts about the database; raise `PermanentError` with its problems."""
    from cloud_costs.publishing.diagnosis import diagnose_database

    found = diagnose_database(_database())
    _tell(found.facts, found.problems)


def check_source(name: str) -> None:
    """Log the facts about a source; raise `PermanentError` with its problems."""
    from cloud_costs.publishing.diagnosis import diagnose_source

    found = diagnose_source(pick_sources(load_sources(), [name])[0], _storage)
    _tell(found.facts, found.problems)


def list_sources() -> list[str]:
    """Return the names of the configured sources; raises `ConfigError` for a configuration that is not valid."""
    return [source.name for source in load_sources()]


def check_alerts(send: bool, link: str) -> None:
    """Log the channels of alerts, and with `send` send a test message; raise `PermanentError` for a broken channel."""
    message = alerts.compose("Cloud costs: test", ["Alerts of the DAG cloud_costs arrive here."], link)
    found = alerts.channels()
    if found:
        problems = alerts.send(message) if send else alerts.check(message)
    else:
        problems = ["no test alert was sent: ALERT_SLACK_CONN_ID and ALERT_EMAIL_TO are not set"] if send else []
    _tell([f"alerts go to {channel.name}" for channel in found] or ["no alerts are set up"], problems)


def _tell(facts: Sequence[str], problems: Sequence[str]) -> None:
    """Log each fact and each problem on a line of its own, and raise `PermanentError` if there are problems."""
    for fact in facts:
        log.info("%s", safe(fact))
    for problem in problems:
        log.error("%s", safe(problem))
    if problems:
        raise PermanentError(" || ".join(problems))


def _failed_step(states: Mapping[str, str | None], index: int) -> str | None:
    """Return the first step of a month that failed. Those after it are `upstream_failed`."""
    for step in ("load_raw", "normalize", "audit", "publish"):
        if states.get(f"billing_month.{step}_{index}") in FAILED:
            return step
    return None


def _failed_at_the_end(states: Mapping[str, str | None]) -> list[str]:
    """Return the problems of the tasks that come after all months."""
    if states.get("refresh_views") in FAILED:
        return ["refresh_views failed: its log says why"]
    return [
        f"{name}: export failed: its log says why; what is published stays published"
        for index, name in enumerate(exported_names())
        if states.get(f"export_{index}") in FAILED
    ]


def _errors_of_run(dag_run_id: str) -> dict[int, str]:
    """Return the newest recorded error of each mapped month of a run, or none where PostgreSQL does not answer."""
    database = _database()
    try:
        with database.session() as connection:
            rows = connection.execute(
                sql.SQL(
                    "select map_index, error from {} where dag_run_id = %s and error is not null order by load_id"
                ).format(database.table("load_history")),
                [dag_run_id],
            ).fetchall()
    except CloudCostsError as error:
        log.warning("%s", error)
        return {}
    return dict(rows)


def _describe(database: Database, load: Load) -> Json:
    """Return the load for the extra of an asset event. Costs are texts, so that JSON does not make them floats."""
    with database.session() as connection:
        row = connection.execute(
            sql.SQL(
                """
                select
                    version,
                    rows,
                    bytes,
                    (select jsonb_object_agg(cost.key, cost.value) from jsonb_each_text(billed_cost) as cost)
                from {} where load_id = %s
                """
            ).format(database.table("load_history")),
            [load.load_id],
        ).fetchone()
    version, rows, size, billed_cost = row or (None, None, None, None)
    return {**load.to_dict(), "version": version, "rows": rows, "bytes": size, "billed_cost": billed_cost}


def _source(month: Mapping[str, str]) -> Source:
    return pick_sources(load_sources(), [month["source"]])[0]


def _database() -> Database:
    from cloud_costs.airflow import connections as airflow_connections

    return airflow_connections.database()


def _storage(source: Source) -> Storage:
    from cloud_costs.airflow import connections as airflow_connections

    return airflow_connections.storage(source)
