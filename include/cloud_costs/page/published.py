"""What is published: read once, and again when a load has changed it.

Most of what a view needs beside its sums changes only with a publication: the months, the currencies, the days that
have costs, the names of accounts. One short query tells whether something was published since.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from psycopg import sql

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.insights.days import OPEN_DAYS, why_open
from cloud_costs.months import month_label, next_month
from cloud_costs.page import amounts
from cloud_costs.page.answers import Answers
from cloud_costs.page.problems import WRONG, Refusal, nothing_published

# Days of use that a delivery may lack at its end. A source with no use so near to it has no daily costs.
LATE_DAYS = 3
# Every write to a row gives it another xmin: a publication, a load that fails, and a month that is derived again.
# The overview has the newest forecast, which is made after the publication.
STATE = """
    select
        count(*), max(load_id), sum(xmin::text::bigint),
        (select made_at from {forecasts} order by month desc, as_of desc limit 1)
    from {load_history}
"""
# Seconds. The list of accounts may change without a load, and with it names; and a source becomes stale.
KEPT = 600


@dataclass(frozen=True)
class Month:
    """A published billing month of a source, in one currency, with the first and last day that have costs."""

    source: str
    cloud_provider: str
    billing_period: date
    currency: str
    first: date
    last: date
    billed_cost: Decimal
    effective_cost: Decimal
    published_at: datetime
    load_id: int
    version: str | None

    @property
    def end(self) -> date:
        """The last day of the month."""
        return next_month(self.billing_period) - timedelta(days=1)

    @property
    def through(self) -> date:
        """The last day whose costs are complete.

        While the month runs, the last day of use is incomplete, because a delivery is made in the middle of one.
        """
        delivered = self.published_at.date()
        if delivered > self.end:
            return self.end
        last = min(self.last, delivered)
        daily = delivered - last <= timedelta(days=LATE_DAYS)
        return (last if daily else delivered) - timedelta(days=1)


@dataclass(frozen=True)
class Published:
    """All published months; and names of accounts and answers, as far as somebody has asked for them."""

    state: tuple[object, ...]
    months: tuple[Month, ...]
    formats: dict[str, str]
    names: dict[str, str] = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers)

    @property
    def currencies(self) -> list[str]:
        """The currencies, the one with the most costs first."""
        billed: dict[str, Decimal] = {}
        for one in self.months:
            billed[one.currency] = amounts.total((billed.get(one.currency, amounts.ZERO), abs(one.billed_cost)))
        return sorted(billed, key=lambda currency: (-billed[currency], currency))

    @property
    def billing_periods(self) -> list[date]:
        """The billing months, newest first."""
        return sorted({one.billing_period for one in self.months}, reverse=True)

    def currency(self, wanted: str | None) -> str:
        """Return the currency that is asked for, or the one with the most costs.

        Raises `Refusal` where no cost is in it.
        """
        known = self.currencies
        if not known:
            raise nothing_published()
        if wanted and wanted not in known:
            raise Refusal(WRONG, f"currency: no costs are in {wanted!r}.", f"Use one of {', '.join(known)}.")
        return wanted or known[0]

    def in_currency(self, currency: str) -> list[Month]:
        """Return the months of a currency."""
        return [one for one in self.months if one.currency == currency]

    def with_days(self, first: date, last: date) -> list[date]:
        """Return the billing months that have costs of these days: a bill may hold charges of days in another month."""
        found = {one.billing_period for one in self.months if one.first <= last and one.last >= first}
        return sorted(found)

    def estimated(self, billing_periods: Iterable[date], now: datetime) -> tuple[bool, str]:
        """Tell whether the costs of billing months are an estimate, and why."""
        wanted = set(billing_periods)
        reasons = {
            one.billing_period: why_open(one.end, now.date()) for one in self.months if one.billing_period in wanted
        }
        still_open = sorted(month for month, reason in reasons.items() if reason)
        if not still_open:
            return False, f"Final: the months ended more than {OPEN_DAYS} days ago."
        named = ", ".join(map(month_label, still_open))
        return True, f"Estimated: {named} {reasons[still_open[-1]]}."


class Catalogue:
    """The newest `Published` of a database, shared by all requests of this process."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._known: Published | None = None

    def read(self, connection: Connection) -> Published:
        """Return what is published as the transaction of the connection sees it."""
        tables = {name: self.database.table(name) for name in ("load_history", "forecasts")}
        statement = sql_files.compose(STATE, **tables)
        row = connection.execute(statement).fetchone() or ()
        state = (*row, now().date(), int(time.monotonic() / KEPT))
        known = self._known
        if known and known.state == state:
            return known
        # Requests that come meanwhile wait for the same answer instead of asking the same.
        with self._lock:
            if self._known is None or self._known.state != state:
                self._known = self._read(connection, state)
            return self._known

    def _read(self, connection: Connection, state: tuple[object, ...]) -> Published:
        places = {name: self.database.table(name) for name in ("costs_by_day_service", "load_history")}
        rows = connection.execute(sql_files.compose(sql_files.read("page/published.sql"), **places)).fetchall()
        months = tuple(Month(*row[:-1]) for row in rows)
        return Published(state, months, {row[0]: row[-1] for row in rows})

    def names_of(self, connection: Connection, published: Published, accounts: Iterable[str]) -> dict[str, str]:
        """Return the latest name of each of these accounts, as far as they have one."""
        missing = sorted({one for one in accounts if one and one not in published.names})
        if missing:
            published.names.update(self._read_names(connection, missing))
        return published.names

    def _read_names(self, connection: Connection, accounts: list[str]) -> dict[str, str]:
        newest = connection.execute(
            sql.SQL(
                "select account_id, max(billing_period) from {} where account_id = any(%s) group by account_id"
            ).format(self.database.table("costs_by_month")),
            [accounts],
        ).fetchall()
        # An account without a name is known to have none.
        found = dict.fromkeys(accounts, "")
        if newest:
            rows = connection.execute(
                sql.SQL(
                    """
                    select account_id, max(account_name) from {}
                    where account_id = any(%s) and billing_period = any(%s) and account_name is not null
                    group by account_id
                    """
                ).format(self.database.table("costs")),
                [accounts, sorted({month for _, month in newest})],
            ).fetchall()
            found.update(rows)
        return found


def now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)
