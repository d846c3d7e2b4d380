"""Make a report once, keep it, and write the messages that carry it.

A report and its messages are written in one transaction, and a message is marked as sent right after its channel took
it (`telling`). So a task that is killed, retried or cleared makes no second report, sends nothing twice, and loses
nothing. A second report of a period has to be asked for: it belongs to the DAG run that asked.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from cloud_costs.database.postgres import Connection, Database
from cloud_costs.insights.reports import daily, facts, monthly, pdf, weekly, writing
from cloud_costs.insights.reports.facts import Facts
from cloud_costs.insights.reports.model import Content
from cloud_costs.insights.reports.periods import Period
from cloud_costs.insights.telling import Channel
from cloud_costs.insights.turn import writing as one_picture

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What reports take from the configuration.

    `team` is the tag that names teams. `patience` has the hours after which a source is stale. `page` is the address of
    the Costs page, or None.
    """

    team: str | None = None
    patience: Mapping[str, int | None] | None = None
    page: str | None = None


@dataclass(frozen=True)
class Sent:
    """A report as a mail carries it."""

    text: str
    html: str
    pictures: Sequence[bytes]
    pdf: bytes
    name: str
    link: str | None


def link_of(page: str | None, kind: str, period: str) -> str | None:
    """Return the address of a report in the archive."""
    return f"{page}/reports?kind={kind}&period={period}" if page else None


def make_report(
    database: Database,
    period: Period,
    settings: Settings,
    channels: Sequence[Channel],
    request: str = "",
) -> list[str]:
    """Make the report of a period, with a message for each channel, and return what it says in short.

    Returns nothing where the report is there already, or where nothing was ever published. `request` is empty for the
    report that is made once, and names who asks for another one.
    """
    with one_picture(database) as connection:
        if _is_there(connection, database, period, request):
            log.info("%s %s: the report is there already, and nothing is sent again", period.kind, period.label)
            return []
        found = facts.read(connection, database, period, settings.team)
        if found is None:
            log.warning("%s %s: nothing is published yet, so there is no report", period.kind, period.label)
            return []
        now = datetime.now(UTC)
        report = _content(found, settings, now)
        report_id = _insert(connection, database, found, report, settings.page, now, channels, request)
        for channel in channels:
            connection.execute(
                sql.SQL("insert into {} (slack, email, subject, lines, report_id) values (%s, %s, %s, %s, %s)").format(
                    database.table("notices")
                ),
                [channel.slack, channel.email, report.subject, report.short, report_id],
            )
    log.info("%s %s: report %s, %s message(s)", period.kind, period.label, report_id, len(channels))
    return [report.subject, *report.short]


def missing(database: Database, periods: Sequence[Period]) -> list[Period]:
    """Return the periods whose report was not made yet."""
    with database.session() as connection:
        return [period for period in periods if not _is_there(connection, database, period, "")]


def not_sent(database: Database, kind: str, period: str) -> list[str]:
    """Return why messages with the reports of a period were not sent, a line for each."""
    query = sql.SQL(
        "select coalesce(notices.error, 'it was tried too often') from {} as notices "
        "inner join {} as reports on notices.report_id = reports.report_id "
        "where reports.kind = %s and reports.period = %s and notices.sent_at is null order by notices.notice_id"
    ).format(database.table("notices"), database.table("reports"))
    with database.session() as connection:
        return [line for (line,) in connection.execute(query, [kind, period])]


def read(database: Database, report_id: int, page: str | None) -> Sent:
    """Return a report as a mail carries it."""
    with database.session() as connection:
        row = connection.execute(
            sql.SQL("select kind, period, text, html, pdf from {} where report_id = %s").format(
                database.table("reports")
            ),
            [report_id],
        ).fetchone()
    kind, period, text, html, content = row or ("", "", "", "", b"")
    link = link_of(page, kind, period)
    html, pictures = writing.as_mail(html, page, link)
    return Sent(text, html, pictures, content, f"cloud-costs-{kind}-{period}.pdf", link)


def _content(found: Facts, settings: Settings, now: datetime) -> Content:
    if found.period.kind == "monthly":
        return monthly.content(found, monthly.Patience(settings.patience or {}, now))
    return daily.content(found) if found.period.kind == "daily" else weekly.content(found)


def _is_there(connection: Connection, database: Database, period: Period, request: str) -> bool:
    row = connection.execute(
        sql.SQL("select 1 from {} where kind = %s and period = %s and request = %s").format(database.table("reports")),
        [period.kind, period.label, request],
    ).fetchone()
    return row is not None


def _insert(
    connection: Connection,
    database: Database,
    found: Facts,
    report: Content,
    page: str | None,
    now: datetime,
    channels: Sequence[Channel],
    request: str,
) -> int:
    link = link_of(page, found.period.kind, found.period.label)
    values: dict[str, Any] = {
        "kind": found.period.kind,
        "period": found.period.label,
        "request": request,
        "as_of": Jsonb([one.as_json() for one in found.deliveries]),
        "subject": report.subject,
        "lines": report.short,
        "text": writing.as_text(report, page, link),
        "html": writing.as_html(report),
        "pdf": pdf.as_pdf(report, now, link),
        "recipients": [channel.email or channel.slack for channel in channels],
        "made_at": now,
    }
    row = connection.execute(
        sql.SQL("insert into {} ({}) values ({}) returning report_id").format(
            database.table("reports"),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
        ),
        values,
    ).fetchone()
    return int(row[0]) if row else 0
