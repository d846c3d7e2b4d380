"""Write what is news into messages, once, and keep them until their channel took them.

A message is a row of `notices`, for one channel. It is written in the transaction that marks what it says as told, so
whatever is killed, nothing is told twice and nothing is lost. A message that was sent is marked as sent right after. If
the task is killed between the two, the message is sent again: nothing can tell whether the server had taken it. An
e-mail then has the same Message-ID, by which mail systems know it.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg import sql
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from cloud_costs.config.budgets import Budget
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.insights.turn import turn, writing
from cloud_costs.messages import safe

log = logging.getLogger(__name__)

# Tries of a message that its channel does not take, one in each run; a report is tried for some days.
TRIES, REPORT_DAYS = 5, 3
PARTS = (("usage types", "usage type"), ("resources", "resource"), ("regions", "region"))


@dataclass(frozen=True)
class Channel:
    """Where a message goes: an Airflow connection of Slack, or addresses separated by commas."""

    slack: str | None = None
    email: str | None = None


@dataclass(frozen=True)
class Notice:
    """One message for one channel."""

    notice_id: int
    channel: Channel
    subject: str
    lines: Sequence[str]
    report_id: int | None = None
    """The report that it carries, if it does."""


@dataclass(frozen=True)
class _News:
    """One line that is news, and who is told of it beside those whom all alerts go to."""

    kind: str
    line: str
    channels: tuple[Channel, ...] = ()


def write_notices(database: Database, budgets: Sequence[Budget], channels: Sequence[Channel]) -> list[str]:
    """Write the messages of all that is news, and return its lines. `channels` are those that all alerts go to."""
    with writing(database) as connection:
        news = _anomalies(connection, database) + _budgets(connection, database, budgets)
        everyone = dict.fromkeys([*channels, *(channel for one in news for channel in one.channels)])
        for channel in everyone:
            told = [one for one in news if channel in channels or channel in one.channels]
            if told:
                connection.execute(
                    sql.SQL("insert into {} (slack, email, subject, lines) values (%s, %s, %s, %s)").format(
                        database.table("notices")
                    ),
                    [channel.slack, channel.email, _subject(told), [one.line for one in told]],
                )
    return [one.line for one in news]


def send_notices(database: Database, send: Callable[[Notice], str | None]) -> int:
    """Send the messages that are not sent, and return how many were. `send` returns what went wrong, or None."""
    sent = 0
    with database.session() as connection, turn(connection, database, "notices"):
        rows = connection.execute(
            sql.SQL(
                "select notice_id, slack, email, subject, lines, report_id from {} "
                "where sent_at is null and (tries < %s or (report_id is not null and made_at > now() - %s)) order by 1"
            ).format(database.table("notices")),
            [TRIES, timedelta(days=REPORT_DAYS)],
        ).fetchall()
        for notice_id, slack, email, subject, lines, report_id in rows:
            error = send(Notice(notice_id, Channel(slack, email), subject, lines, report_id))
            connection.execute(
                sql_files.compose(
                    sql_files.read("insights/mark_notice.sql"),
                    notices=database.table("notices"),
                    reports=database.table("reports"),
                ),
                {"id": notice_id, "error": error},
            )
            sent += error is None
    return sent


def _subject(news: Sequence[_News]) -> str:
    counts = {kind: sum(one.kind == kind for one in news) for kind in dict.fromkeys(one.kind for one in news)}
    return "Cloud costs: " + ", ".join(f"{count} {kind}" for kind, count in counts.items())


def _anomalies(connection: Connection, database: Database) -> list[_News]:
    anomalies = database.table("anomalies")
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        query = sql_files.compose(sql_files.read("insights/untold_anomalies.sql"), anomalies=anomalies)
        rows: list[Any] = list(cursor.execute(query))
    connection.execute(
        sql_files.compose(sql_files.read("insights/mark_anomalies.sql"), anomalies=anomalies),
        {"ids": [row.anomaly_id for row in rows]},
    )
    return [_anomaly(row) for row in rows]


def _anomaly(row: Any) -> _News:
    if row.status == "explained":
        reason = row.explanation.get("reason", "restated")
        return _News("taken back", f"#{row.anomaly_id} is taken back: {scope_of(row)}, {days_of(row)}: {safe(reason)}")
    kind = "restatement(s)" if row.kind == "restatement" else "anomaly(ies)"
    return _News(kind, describe(row))


def describe(row: Any) -> str:
    """Return an event of `anomalies` as a sentence, for a message or a terminal."""
    over = "above" if row.impact >= 0 else "below"
    words = [
        f"#{row.anomaly_id} {row.severity}: {scope_of(row)}: {money(abs(row.impact))} {row.currency} {over} expected",
        f"({money(row.actual)}, not {money(row.expected)}), {days_of(row)}",
    ]
    if row.kind == "restatement":
        words.insert(0, "restated:")
    found = [f"{name} {value} ({impact})" for name, value, impact in largest_parts(row)]
    services = row.explanation.get("services", [])
    if len(services) > 1:
        found.insert(0, f"{len(services)} services, most {safe(services[0]['service'])} in {services[0]['account_id']}")
    return " ".join(words) + (f"; most by {', '.join(found)}" if found else "")


def largest_parts(row: Any) -> list[tuple[str, str, str]]:
    """Return the largest part of an event in each dimension that has one: what it is, its name and its impact."""
    return [
        (name, safe(row.explanation[key][0]["value"]), row.explanation[key][0]["impact"])
        for key, name in PARTS
        if row.explanation.get(key) and row.explanation[key][0]["value"]
    ]


def scope_of(row: Any) -> str:
    """Return what an event is about, in words."""
    service = None if row.service is None else safe(row.service) or "no service"
    account = None if row.account_id is None else f"account {safe(row.account_id) or 'none'}"
    return f"{row.source}, {', '.join(filter(None, (account, service))) or 'all accounts'}"


def days_of(row: Any) -> str:
    """Return the days of an event, in words."""
    days = f"{row.first_date}" if row.first_date == row.last_date else f"{row.first_date} to {row.last_date}"
    return f"{days}, still running" if row.running else days


def money(amount: Decimal) -> str:
    """Return an amount at two decimal places.

    >>> money(Decimal("1234.565"))
    '1,234.56'
    """
    return f"{amount:,.2f}"


def _budgets(connection: Connection, database: Database, budgets: Sequence[Budget]) -> list[_News]:
    """Return the thresholds that were reached or taken back, and mark them as told."""
    known = {budget.name: budget for budget in budgets}
    table = database.table("budget_status")
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        query = sql.SQL("select * from {} order by budget, period_start for update").format(table)
        rows: list[Any] = list(cursor.execute(query))
    news = []
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    for row in rows:
        budget = known.get(row.budget)
        if budget is None:
            continue
        lines = []
        for name, entry in row.thresholds.items():
            if entry["back"] and entry["told"] and not entry["back_told"]:
                entry["back_told"] = now
                lines.append(("taken back", _taken_back(row, name)))
            elif not entry["told"] and not entry["back"]:
                entry["told"] = now
                lines.append(("budget threshold(s)", _reached(row, name)))
        if lines:
            connection.execute(
                sql.SQL("update {} set thresholds = %s where budget = %s and period_start = %s").format(table),
                [Jsonb(row.thresholds), row.budget, row.period_start],
            )
        news += [_News(kind, line, _channels(budget)) for kind, line in lines]
    return news


def _channels(budget: Budget) -> tuple[Channel, ...]:
    slack = [Channel(slack=budget.tell.slack)] if budget.tell.slack else []
    email = [Channel(email=", ".join(budget.tell.email))] if budget.tell.email else []
    return (*slack, *email)


def _reached(row: Any, name: str) -> str:
    of, percent = name.split()
    what = f"budget {row.budget}, {_period(row)}: {percent} % of {money(row.amount)} {row.currency}"
    if of == "actual":
        return f"{what} is reached: {money(row.actual)} spent, {money(row.forecast)} expected"
    return (
        f"{what} is expected to be reached: {money(row.forecast)} at its end "
        f"(from {money(row.low)} to {money(row.high)} in 4 of 5 cases), {money(row.actual)} spent"
    )


def _taken_back(row: Any, name: str) -> str:
    return (
        f"budget {row.budget}, {_period(row)}: {name.split()[1]} % of {money(row.amount)} {row.currency} is not "
        f"reached any more: the costs were restated, or the amount was changed; {money(row.actual)} spent"
    )


def _period(row: Any) -> str:
    start: date = row.period_start
    return f"{start:%Y-%m}" if (row.period_end - start).days < 31 else f"{start} to {row.period_end}"
