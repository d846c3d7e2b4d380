"""`detect_anomalies`: find what is out of line in the published costs, and bring the table `anomalies` up to date.

The last `JUDGED` days of each source are judged again in every run, because a delivery may have changed any of them. An
event that is in the table already is brought up to date: it is the same event where direction, days and scope agree,
and it is never told twice. An event whose costs a restatement took back is closed with that reason. Days that were
complete when they were first seen, and became out of line later, are told as a restatement.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cloud_costs.config.anomalies import ChangeLimits
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.insights import days as source_days
from cloud_costs.insights.days import SourceDays
from cloud_costs.insights.detection import GOES_ON, HISTORY, LEAD, QUIET, Limits
from cloud_costs.insights.explaining import explain
from cloud_costs.insights.findings import Finding, Grid, Scope, covers, find
from cloud_costs.insights.turn import writing

log = logging.getLogger(__name__)

# Days that every run judges. Those at their beginning are seen without what came before, so they bring nothing new.
JUDGED, UNSURE = 92, 20
# Days that an event may be over when it is found and still be worth a message.
RECENT = 14
# The daily impact and the whole impact, in minimums, from which an event is of medium and of high severity.
MEDIUM, HIGH = (5, 50), (20, 200)
# Events of a source whose lines are looked at in one run, the largest first.
EXPLAINED = 10
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Row:
    """One row of `anomalies`."""

    anomaly_id: int
    account_id: str | None
    service: str | None
    first_date: date
    last_date: date
    expected: Decimal
    actual: Decimal
    impact: Decimal
    status: str
    running: bool
    news: bool
    explanation: dict[str, Any]
    muted_until: date | None

    @property
    def scope(self) -> Scope:
        """The account and the service."""
        return self.account_id, self.service

    def is_of(self, finding: Finding) -> bool:
        """Return whether a finding is of this event."""
        return (
            finding.sign == (1 if self.impact >= 0 else -1)
            and finding.first_date <= self.last_date + timedelta(days=QUIET)
            and self.first_date <= finding.last_date + timedelta(days=QUIET)
            and (covers(self.scope, finding.scope) or covers(finding.scope, self.scope))
        )


@dataclass(frozen=True)
class Actual:
    """What an event cost, exact, in all and on each of its days with costs."""

    total: Decimal
    days: Mapping[date, Decimal]


@dataclass(frozen=True)
class _Place:
    """Where the rows of one source and currency are written."""

    connection: Connection
    database: Database
    days: SourceDays
    limits: ChangeLimits


def detect_anomalies(database: Database, limits: ChangeLimits) -> dict[str, int]:
    """Bring `anomalies` up to date with the published costs; return how many are new, explained and running."""
    with writing(database) as connection:
        for days in source_days.read(connection, database):
            _judge(_Place(connection, database, days, limits))
        row = connection.execute(_compose(database, "anomaly_counts")).fetchone()
    counts = dict(zip(("untold", "explained", "running"), row or (0, 0, 0), strict=True))
    log.info("detect_anomalies %s", " ".join(f"{name}={count}" for name, count in counts.items()))
    return counts


def _judge(place: _Place) -> None:
    grid, begin = read_grid(place.connection, place.database, place.days)
    if not grid.keys:
        return
    findings = find(grid, lambda scopes: _limits(place, scopes), begin=begin)
    whole = grid.start == place.days.first
    sure = grid.start + timedelta(days=begin if whole else begin + UNSURE)
    rows = _rows(place, grid.start + timedelta(days=begin))
    kept = _bring_up_to_date(place, rows, [one for one in findings if one.last_date >= sure], sure)
    _settle(place, [row for row in rows if row.anomaly_id not in kept and row.status != "explained"])


def read_grid(connection: Connection, database: Database, days: SourceDays) -> tuple[Grid, int]:
    """Return the daily costs of a source in one currency, and the number of the first day that is judged."""
    start = max(days.first, days.complete - timedelta(days=JUDGED + LEAD))
    length = (days.last - start).days + 1
    keys: list[tuple[str, str]] = []
    values: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    query = _compose(database, "usage_by_day")
    wanted = {"source": days.source, "currency": days.currency, "first": start, "last": days.last}
    # A cursor on the server: the arrays of ten thousand series are many objects for a moment.
    with connection.cursor("usage_by_day", binary=True) as cursor:
        cursor.itersize = 500
        for account_id, service, numbers, costs in cursor.execute(query, wanted):
            keys.append((account_id, service))
            row = np.zeros(length)
            # A day of a month may be on the bill of another month too.
            np.add.at(row, np.asarray(numbers), np.asarray(costs))
            values.append(row)
    grid = Grid(
        days.source,
        days.currency,
        start,
        keys,
        np.array(values).reshape(len(values), length),
        max(0, (days.complete - start).days + 1),
    )
    return grid, HISTORY if start == days.first else LEAD


def _limits(place: _Place, scopes: Sequence[Scope]) -> Limits:
    found = [place.limits.of(place.days.source, place.days.currency, *scope) for scope in scopes]
    return Limits(
        np.array([minimum for minimum, _ in found]),
        np.array([percent / 100 for _, percent in found]),
    )


def _rows(place: _Place, since: date) -> list[Row]:
    """Return the rows of the source and currency whose days are judged, the oldest first."""
    with place.connection.cursor(row_factory=class_row(Row)) as cursor:
        return cursor.execute(
            _compose(place.database, "anomaly_rows"),
            {"source": place.days.source, "currency": place.days.currency, "since": since},
        ).fetchall()


def _bring_up_to_date(place: _Place, rows: Sequence[Row], findings: Sequence[Finding], sure: date) -> set[int]:
    """Write the findings, and return the ids of the rows that are of one of them."""
    kept: set[int] = set()
    new: list[Finding] = []
    known: list[tuple[Row, Finding]] = []
    # The largest first: of the findings of one event, it says what the event is.
    for finding in sorted(findings, key=lambda one: -abs(one.impact)):
        same = [row for row in rows if row.is_of(finding)]
        free = [row for row in same if row.anomaly_id not in kept]
        if free:
            known.append((free[0], _of_scope(finding, free[0], sure)))
            _merge(place, free[0], [row for row in free[1:] if covers(finding.scope, row.scope)])
            kept.update(row.anomaly_id for row in free)
        elif not same and finding.first_date >= sure:
            new.append(finding)
    for number, actual in enumerate(_actual(place, [finding for _, finding in known])):
        _update(place, *known[number], actual, number < EXPLAINED)
    for number, actual in enumerate(_actual(place, new)):
        _insert(place, new[number], actual, rows, number < EXPLAINED)
    return kept


def _of_scope(finding: Finding, row: Row, sure: date) -> Finding:
    """Return the finding with the wider scope of the two, and the first day that was seen with more of the past."""
    scope = finding.scope if covers(finding.scope, row.scope) else row.scope
    first = finding.first_date if finding.first_date >= sure else row.first_date
    return replace(finding, account_id=scope[0], service=scope[1], first_date=min(first, finding.last_date))


def _actual(place: _Place, findings: Sequence[Finding | Row]) -> list[Actual]:
    """Return what the days of events cost, exact."""
    if not findings:
        return []
    rows = place.connection.execute(
        _compose(place.database, "actual"),
        {
            "source": place.days.source,
            "currency": place.days.currency,
            "accounts": [one.account_id for one in findings],
            "services": [one.service for one in findings],
            "firsts": [one.first_date for one in findings],
            "lasts": [one.last_date for one in findings],
        },
    ).fetchall()
    return [Actual(total, dict(zip(dates or (), amounts or (), strict=True))) for _, total, dates, amounts in rows]


def _insert(place: _Place, finding: Finding, actual: Actual, rows: Sequence[Row], in_detail: bool) -> None:
    muted = any(
        row.muted_until and row.muted_until >= finding.first_date and covers(row.scope, finding.scope) for row in rows
    )
    restated = _is_restated(place, finding)
    recent = finding.last_date >= place.days.complete - timedelta(days=RECENT)
    values = {
        **_values(place, finding, actual),
        "source": place.days.source,
        "currency": place.days.currency,
        "kind": "restatement" if restated else "anomaly",
        "status": "muted" if muted else "open",
        "news": recent or restated,
        "explanation": Jsonb(_explanation(place, finding, actual, in_detail and (recent or restated))),
    }
    place.connection.execute(_compose(place.database, "insert_anomaly"), values)


def _update(place: _Place, row: Row, finding: Finding, actual: Actual, in_detail: bool) -> None:
    """Bring a row up to date. One that a restatement had taken back, and another brings again, is open again."""
    explanation = row.explanation
    was = (row.scope, row.first_date, row.last_date, row.actual)
    if was != (finding.scope, finding.first_date, finding.last_date, actual.total):
        explanation = _explanation(place, finding, actual, in_detail and row.news)
    values = {**_values(place, finding, actual), "id": row.anomaly_id, "explanation": Jsonb(explanation)}
    place.connection.execute(_compose(place.database, "update_anomaly"), values)


def _explanation(place: _Place, finding: Finding, actual: Actual, in_detail: bool) -> dict[str, Any]:
    days = [{"date": f"{day}", "expected": f"{amount:f}"} for day, amount in _expected(finding, actual).items()]
    return {**explain(place.connection, place.database, finding, in_detail), "days": days}


def _expected(finding: Finding, actual: Actual) -> dict[date, Decimal]:
    """Return what each day of an event should have cost, to the cent; a day in line should cost what it does."""
    days = [finding.first_date + timedelta(days=at) for at in range((finding.last_date - finding.first_date).days + 1)]
    return {
        day: (actual.days.get(day, Decimal(0)) - Decimal(finding.excess.get(day, 0.0))).quantize(CENT) for day in days
    }


def _values(place: _Place, finding: Finding, actual: Actual) -> dict[str, Any]:
    expected = sum(_expected(finding, actual).values(), Decimal(0))
    return {
        "account_id": finding.account_id,
        "service": finding.service,
        "first_date": finding.first_date,
        "last_date": finding.last_date,
        "expected": expected,
        "actual": actual.total,
        "severity": _severity(place, finding),
        "running": finding.running,
        "version": place.days.version,
    }


def _severity(place: _Place, finding: Finding) -> str:
    minimum, _ = place.limits.of(place.days.source, place.days.currency, *finding.scope)
    days = (finding.last_date - finding.first_date).days + 1
    size = abs(finding.impact)
    for name, (daily, whole) in (("high", HIGH), ("medium", MEDIUM)):
        if size / days >= daily * minimum or size >= whole * minimum:
            # Costs that fall need no haste.
            return name if finding.sign > 0 else "medium"
    return "low"


def _is_restated(place: _Place, finding: Finding) -> bool:
    """Return whether a later delivery brought at least a part of the event to days that were complete before."""
    row = place.connection.execute(
        _compose(place.database, "restated"),
        {
            "source": place.days.source,
            "currency": place.days.currency,
            "first": finding.first_date,
            "last": finding.last_date,
            "age": place.days.age,
        },
    ).fetchone()
    change = float(row[0]) if row and row[0] is not None else 0.0
    return change * finding.sign >= GOES_ON * abs(finding.impact)


def _merge(place: _Place, row: Row, parts: Sequence[Row]) -> None:
    for part in parts:
        place.connection.execute(
            _compose(place.database, "merge_anomaly"), {"id": part.anomaly_id, "into": row.anomaly_id}
        )


def _settle(place: _Place, rows: Sequence[Row]) -> None:
    """End the events that nothing finds any more: a restatement took their cause away, or they are over."""
    for row, actual in zip(rows, [one.total for one in _actual(place, rows)], strict=True):
        sign = 1 if row.impact >= 0 else -1
        over = row.last_date < place.days.complete - timedelta(days=QUIET)
        if actual == row.actual:
            if row.running and over:
                _end(place, row, actual, "over")
        elif (actual - row.expected) * sign < Decimal(GOES_ON) * abs(row.impact):
            _end(place, row, actual, "explained")
        else:
            _end(place, row, actual, "over" if over else "running")


def _end(place: _Place, row: Row, actual: Decimal, how: str) -> None:
    reason = None
    if how == "explained":
        reason = (
            f"restated by the delivery {place.days.version}: these days cost {actual:f} now, and {row.actual:f} before"
        )
    place.connection.execute(
        _compose(place.database, "settle_anomaly"),
        {"id": row.anomaly_id, "actual": actual, "how": how, "reason": reason, "version": place.days.version},
    )


def _compose(database: Database, name: str) -> Any:
    return sql_files.compose(
        sql_files.read(f"insights/{name}.sql"),
        **{
            table: database.table(table)
            for table in ("anomalies", "costs_by_day", "day_totals", "load_history", "published_months")
        },
    )
