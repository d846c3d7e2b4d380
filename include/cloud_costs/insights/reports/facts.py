"""What all reports ask: which deliveries are known, up to which day costs are complete, and sums of spans of days.

A report is made in one transaction on one picture of the costs (`turn.writing`), so all its numbers belong together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any

from psycopg import sql
from psycopg.rows import namedtuple_row

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.insights import days as source_days
from cloud_costs.insights.days import LONGEST, why_open
from cloud_costs.insights.reports.periods import DAY, WEEK, Period
from cloud_costs.messages import safe
from cloud_costs.months import month_label, months_before, next_month

Key = tuple[str, ...]
# What each currency costs in each span, by key.
Sums = dict[str, dict[Key, list[Decimal]]]
Span = tuple[date, date]
# Accounts are called as in the last five weeks.
NAMED = 5 * WEEK
# The columns of a key, and the smallest relation that has them.
BY: Mapping[str, tuple[tuple[str, ...], str]] = {
    "cloud": (("cloud_provider",), "costs_by_day_service"),
    "service": (("service",), "costs_by_day_service"),
    "category": (("service", "charge_category"), "costs_by_day_service"),
    "account": (("service", "account_id"), "costs_by_day"),
    "region": (("service", "region"), "costs"),
    "team": (("team",), "costs"),
    "service team": (("service", "team"), "costs"),
}


@dataclass(frozen=True)
class Delivery:
    """The newest delivery of a source, and its last complete day; None where it never had usage."""

    source: str
    billing_period: date
    version: str | None
    loaded_at: datetime
    complete: date | None
    stopped: bool
    """True where nothing came for so long that the others go on without it."""

    def as_json(self) -> dict[str, str | None]:
        """Return it as the table `reports` keeps it."""
        return {
            "source": self.source,
            "billing_period": month_label(self.billing_period),
            "version": self.version,
            "loaded_at": f"{self.loaded_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "complete": str(self.complete) if self.complete else None,
        }


@dataclass(frozen=True)
class Facts:
    """The costs as one transaction sees them, for one period. `team` is the tag that names teams, if there is one."""

    connection: Connection
    database: Database
    period: Period
    team: str | None
    deliveries: Sequence[Delivery]
    day: date
    """The last day of the period that is complete in every source that is still delivered."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The names of accounts."""

    def sums(self, by: str, spans: Sequence[Span]) -> Sums:
        """Return the effective cost of each span, by currency and key; the largest currency first."""
        columns, relation = BY[by]
        query = sql_files.compose(
            sql_files.read("reports/sums.sql"),
            keys=sql.SQL("array[{}]").format(sql.SQL(", ").join(map(self._column, columns))),
            costs=self.database.table(relation),
        )
        wanted = {"firsts": [first for first, _ in spans], "lasts": [last for _, last in spans], "team": self.team}
        found: Sums = {}
        for nth, currency, key, amount in self.connection.execute(query, wanted):
            rows = found.setdefault(currency or "", {})
            rows.setdefault(tuple(key), [Decimal(0)] * len(spans))[nth - 1] = amount
        return dict(sorted(found.items(), key=lambda one: -abs(sum(chain.from_iterable(one[1].values()), Decimal(0)))))

    def by_day(self, span: Span) -> dict[str, dict[date, Decimal]]:
        """Return the effective cost of each day, by currency."""
        found: dict[str, dict[date, Decimal]] = {}
        wanted = {"first": span[0], "last": span[1]}
        for row in self.rows("by_day", wanted, "costs_by_day_service"):
            found.setdefault(row.currency or "", {})[row.date] = row.effective_cost
        return found

    def rows(self, name: str, wanted: Mapping[str, Any], *relations: str) -> list[Any]:
        """Return what a file of `sql/reports` selects, as named tuples."""
        places = {relation: self.database.table(relation) for relation in relations}
        query = sql_files.compose(sql_files.read(f"reports/{name}.sql"), **places)
        with self.connection.cursor(row_factory=namedtuple_row) as cursor:
            return cursor.execute(query, wanted).fetchall()

    def account(self, account_id: str) -> str:
        """Return an account as people know it."""
        name = safe(self.names.get(account_id, ""))
        known = safe(account_id) or "no account"
        return f"{name} ({known})" if name and name != known else known

    def budgets(self) -> list[Any]:
        """Return the budgets of the day, the worst first."""
        return self.rows("budgets", {"day": self.day}, "budgets", "budget_status")

    def _column(self, name: str) -> sql.Composable:
        if name != "team":
            return sql.SQL("coalesce(costs.{}, '')").format(sql.Identifier(name))
        return sql.SQL("coalesce(costs.tags ->> %(team)s, '')")

    def as_of(self) -> list[str]:
        """Return a sentence for each source: which delivery is known, and what of it is still an estimate."""
        return [self._sentence(one) for one in self.deliveries]

    def _sentence(self, one: Delivery) -> str:
        month, loaded = month_label(one.billing_period), f"{one.loaded_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        words = f"{one.source}: delivery {one.version or 'without a version'} of {month}, loaded {loaded}"
        if one.complete is None:
            return f"{words}; it has no usage."
        words += f", complete to {one.complete}"
        return f"{words}. Nothing newer came, so other sources go on without it." if one.stopped else f"{words}."

    def estimated(self, span: Span) -> str:
        """Return which months of a span are still an estimate, as a sentence."""
        today = self.today()
        months = [span[0].replace(day=1)]
        while next_month(months[-1]) <= span[1]:
            months.append(next_month(months[-1]))
        reasons = {month: why_open(next_month(month) - DAY, today) for month in months}
        still_open = [f"{month_label(month)} {reason}" for month, reason in reasons.items() if reason]
        if not still_open:
            return "All of these costs are final: their months ended more than 60 days ago."
        return f"Still an estimate: {'; '.join(still_open)}."

    def today(self) -> date:
        """Return the day (UTC) on which the report is made."""
        return datetime.now(UTC).date()


def read(connection: Connection, database: Database, period: Period, team: str | None) -> Facts | None:
    """Return the facts about a period; None where nothing was ever published."""
    places = {name: database.table(name) for name in ("published_months", "load_history")}
    query = sql_files.compose(sql_files.read("reports/deliveries.sql"), **places)
    rows = connection.execute(query).fetchall()
    if not rows:
        return None
    complete: dict[str, date] = {}
    for one in source_days.read(connection, database):
        complete[one.source] = max(one.complete, complete.get(one.source, one.complete))
    newest = max(complete.values(), default=period.last)
    limit = min(newest, period.last) - LONGEST * DAY
    deliveries = [
        Delivery(source, month, version, loaded, complete.get(source), complete.get(source, newest) < limit)
        for source, month, version, loaded in rows
    ]
    going_on = [one.complete for one in deliveries if one.complete and not one.stopped]
    found = Facts(connection, database, period, team, deliveries, min([*going_on, period.last]))
    span = {"first": found.day - NAMED, "last": found.day}
    return replace(found, names=dict(found.rows("accounts", span, "costs")))


def weeks(day: date, count: int) -> list[Span]:
    """Return the weeks of seven days that end on a day, the oldest first.

    >>> weeks(date(2025, 3, 14), 2)
    [(datetime.date(2025, 3, 1), datetime.date(2025, 3, 7)), (datetime.date(2025, 3, 8), datetime.date(2025, 3, 14))]
    """
    return [(day - DAY * (7 * nth - 1), day - DAY * 7 * (nth - 1)) for nth in range(count, 0, -1)]


def total(rows: Mapping[Key, Sequence[Decimal]], nth: int) -> Decimal:
    """Return the sum of all keys in one span."""
    return sum((amounts[nth] for amounts in rows.values()), Decimal(0))


def month_before(day: date) -> Span:
    """Return the first and last day of the month before the month of a day."""
    first = months_before(day, 1)
    return first, next_month(first) - DAY
