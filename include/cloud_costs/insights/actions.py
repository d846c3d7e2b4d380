"""What people decide about an event: seen, mute its kind, or expected. Every decision is kept with who made it."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

from psycopg import sql
from psycopg.rows import namedtuple_row

from cloud_costs.database.postgres import Database
from cloud_costs.errors import ConfigError
from cloud_costs.insights.turn import writing

Action = Literal["acknowledge", "mute", "expect"]
STATUS: dict[str, str] = {"acknowledge": "acknowledged", "mute": "muted", "expect": "expected"}


class NoSuchEvent(ConfigError):
    """There is no event of this number, or none that can be decided about any more."""


def act(
    database: Database,
    anomaly_id: int,
    action: Action,
    person: str,
    note: str | None = None,
    muted_until: date | None = None,
    wait: float | None = None,
) -> None:
    """Record a decision about an event.

    `muted_until` is for `mute`: no event of the same scope that begins until this day is told. `wait` has the seconds
    to wait for other writers of insights; without it, it waits as long as they take. Raises `NoSuchEvent` where there
    is no such event, or where a restatement took it away.
    """
    if not person.strip():
        raise ConfigError("who decides? name the person")
    if (action == "mute") != (muted_until is not None):
        raise ConfigError("mute needs a day until which, and the other actions have none")
    with writing(database, wait) as connection:
        changed = connection.execute(
            sql.SQL(
                "update {} set status = %s, muted_until = coalesce(%s, muted_until) "
                "where anomaly_id = %s and status not in ('explained', 'merged')"
            ).format(database.table("anomalies")),
            [STATUS[action], muted_until, anomaly_id],
        )
        if not changed.rowcount:
            raise NoSuchEvent(f"anomaly {anomaly_id}: there is no such event, or a restatement took it away")
        connection.execute(
            sql.SQL(
                "insert into {} (anomaly_id, action, person, note, muted_until) values (%s, %s, %s, %s, %s)"
            ).format(database.table("anomaly_actions")),
            [anomaly_id, action, person.strip(), note, muted_until],
        )


def list_events(database: Database, *, everything: bool = False) -> Sequence[Any]:
    """Return the events that are open news or acknowledged, or all of them; the newest first, as named tuples."""
    with database.session() as connection, connection.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(
            sql.SQL(
                "select * from {} "
                "where status <> 'merged' and (%s or status = 'acknowledged' or status = 'open' and news) "
                "order by last_date desc, abs(impact) desc, anomaly_id"
            ).format(database.table("anomalies")),
            [everything],
        ).fetchall()
