"""The functions that the tasks of the DAG `cloud_costs_reports` call."""

import logging
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cloud_costs.config.sources import Source, load_sources
from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.errors import ConfigError, NotSent
from cloud_costs.messages import safe

log = logging.getLogger(__name__)

# The cron expression (UTC) of each kind, unless REPORT_<KIND>_SCHEDULE says another one, or off.
SCHEDULES = {"daily": "0 6 * * *", "weekly": "0 8 * * 1", "monthly": "0 7 1 * *"}
OFF = "off"


def schedules(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the cron expression of each kind of report that is made by itself."""
    environ = os.environ if environ is None else environ
    found = {kind: environ.get(f"REPORT_{kind.upper()}_SCHEDULE") or cron for kind, cron in SCHEDULES.items()}
    return {kind: cron for kind, cron in found.items() if cron != OFF}


def fired(run_after: datetime, environ: Mapping[str, str] | None = None) -> dict[str, date]:
    """Return the day on which the schedule of each kind came last, at the time of a run or before it."""
    # It comes with Airflow, which takes the same expressions.
    from croniter import croniter

    at = run_after.astimezone(UTC) + timedelta(seconds=1)
    return {
        kind: croniter(cron, at).get_prev(datetime).astimezone(UTC).date() for kind, cron in schedules(environ).items()
    }


def list_reports(params: Mapping[str, Any], run_after: datetime) -> list[dict[str, str]]:
    """Return the reports that the run makes, as `kind` and `period`.

    Without a `kind`, these are the newest ones whose time has come and that were not made yet. So a run that did not
    take place, because Airflow was down, is made up for by the next one. Raises `ConfigError` for a period that is not
    over or not written right.
    """
    from cloud_costs.insights.reports import archive, periods

    if kind := params.get("kind"):
        # A report that is there already is told by the next task.
        found = [periods.parse(kind, params.get("period"), run_after.astimezone(UTC).date())]
    else:
        if params.get("period"):
            raise ConfigError("period: it needs a kind: daily, weekly or monthly")
        due = fired(run_after)
        newest = [periods.newest(kind, due[kind]) for kind in periods.KINDS if kind in due]
        found = archive.missing(_database(), newest)
    for period in found:
        log.info("%s %s: %s to %s", period.kind, period.label, period.first, period.last)
    return [{"kind": period.kind, "period": period.label} for period in found]


def make_report(report: Mapping[str, str], params: Mapping[str, Any], dag_run_id: str) -> list[str]:
    """Make a report and the messages that carry it, once, and return what it says in short.

    With the param `resend` or `archive_only`, the report belongs to the run: it is made though there is one of the
    period already, and made once by this run. With `archive_only` nobody is sent it.
    """
    from cloud_costs.airflow import notices
    from cloud_costs.insights.reports import archive, periods

    period = periods.parse(report["kind"], report["period"], date.max)
    own = bool(params.get("resend") or params.get("archive_only"))
    to = [] if params.get("archive_only") else notices.everyone(os.environ.get(f"REPORT_{period.kind.upper()}_TO"))
    sources = load_sources()
    settings = archive.Settings(
        team=_team(sources),
        patience={source.name: source.stale_after_hours for source in sources},
        page=notices.page_address(),
    )
    lines = archive.make_report(_database(), period, settings, to, dag_run_id if own else "")
    for line in lines:
        log.info("%s", safe(line))
    if lines and not to:
        log.info("it is in the archive, and goes to nobody: ALERT_EMAIL_TO and ALERT_SLACK_CONN_ID are not set")
    return lines


def send_reports(report: Mapping[str, str], link: str) -> int:
    """Send the messages that are not sent yet, and return how many were. `link` is the address of the log.

    Raises `NotSent` where one of this report's messages was not taken.
    """
    from cloud_costs.airflow import notices
    from cloud_costs.insights.reports import archive

    database = _database()
    sent = notices.send(database, link)
    log.info("%s message(s) sent", sent)
    if problems := archive.not_sent(database, report["kind"], report["period"]):
        raise NotSent(f"{report['kind']} {report['period']}: {'; '.join(problems)}")
    return sent


def _team(sources: tuple[Source, ...]) -> str | None:
    """Return the tag that names teams: the first one that a source names."""
    return next((key for source in sources for key in source.tags), None)


def _database() -> Database:
    from cloud_costs.airflow import connections

    database = connections.database()
    apply_schema(database)
    return database
