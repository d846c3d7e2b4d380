"""Anomalies: the list of events, and one event with its days, its parts, its load and what people decided about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from psycopg import sql
from psycopg.rows import class_row, dict_row

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection
from cloud_costs.page import amounts
from cloud_costs.page.costs import Costs
from cloud_costs.page.dimensions import BY_NAME, Bound, find, of_tag, written
from cloud_costs.page.explore import label_of
from cloud_costs.page.insight_models import (
    Anomalies,
    Anomaly,
    AnomalyAction,
    AnomalyDay,
    AnomalyDetails,
    AnomalyPart,
    AnomalyParts,
)
from cloud_costs.page.load_models import LoadName
from cloud_costs.page.periods import Range
from cloud_costs.page.problems import NO_SUCH, Refusal
from cloud_costs.page.published import Published

SIZE = 50
# Days that the chart shows before and after the event.
BEFORE, AFTER = timedelta(days=28), timedelta(days=14)
TAG = "tag "
# What `explanation` calls its dimensions, as people read them. Tags follow.
PARTS = {
    "services": "Services of accounts",
    "usage types": "Usage types",
    "resources": "Resources",
    "regions": "Regions",
}


@dataclass(frozen=True)
class Wanted:
    """Which events are asked for; no values let all pass, and so does None."""

    sources: Sequence[str] = ()
    statuses: Sequence[str] = ()
    severities: Sequence[str] = ()
    news: bool | None = None
    page: int = 1


def anomalies(costs: Costs, wanted: Wanted, connection: Connection, published: Published) -> Anomalies:
    """Return a page of the events that are asked for."""
    table = costs.database.table("anomalies")
    bound = Bound()
    condition = _condition(wanted, bound)
    counted = connection.execute(
        sql_files.compose(
            """
            select
                count(*),
                count(*) filter (where status = 'open'),
                count(*) filter (where status = 'open' and not news)
            from {anomalies} where {condition}
            """,
            anomalies=table,
            condition=condition,
        ),
        bound,
    ).fetchone()
    total, still_open, past = counted or (0, 0, 0)
    sources = connection.execute(
        sql_files.compose(
            "select distinct source from {anomalies} where status <> 'merged' order by 1", anomalies=table
        )
    ).fetchall()
    skipped = (wanted.page - 1) * SIZE
    statement = sql_files.compose(
        sql_files.read("page/anomalies.sql"),
        anomalies=table,
        condition=condition,
        at_most=bound(SIZE),
        skipped=bound(skipped),
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement, bound).fetchall()
    names = costs.catalogue.names_of(connection, published, (row["account_id"] or "" for row in rows))
    return Anomalies(
        page=wanted.page,
        next=wanted.page + 1 if skipped + len(rows) < total else None,
        total=total,
        open=still_open,
        past=past,
        sources=[name for (name,) in sources],
        anomalies=[Anomaly(**_common(row, names)) for row in rows],
    )


def _condition(wanted: Wanted, bound: Bound) -> sql.Composable:
    chosen = {"source": wanted.sources, "status": wanted.statuses, "severity": wanted.severities}
    conditions = [
        sql.SQL("{} = any({}::text[])").format(sql.Identifier(column), bound(list(values)))
        for column, values in chosen.items()
        if values
    ]
    if wanted.news is not None:
        conditions.append(sql.SQL("news = {}").format(bound(wanted.news)))
    return sql.SQL(" and ").join([sql.SQL("status <> 'merged'"), *conditions])


def anomaly(costs: Costs, anomaly_id: int, connection: Connection, published: Published) -> AnomalyDetails:
    """Return one event. Raises `Refusal` where there is none of this number."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            sql.SQL("select * from {} where anomaly_id = %s").format(costs.database.table("anomalies")), [anomaly_id]
        ).fetchone()
    if row is None:
        raise Refusal(NO_SUCH, f"There is no anomaly {anomaly_id}.", "Anomalies lists those that there are.")
    explanation = row["explanation"]
    accounts = [part["account_id"] for part in explanation.get("services", ())]
    names = costs.catalogue.names_of(connection, published, [row["account_id"] or "", *accounts])
    return AnomalyDetails(
        **_common(row, names),
        reason=explanation.get("reason"),
        merged_into=explanation.get("merged_into"),
        load=_load(costs, row, connection),
        days=_days(costs, row, connection, published),
        parts=_parts(row, names),
        actions=_actions(costs, anomaly_id, connection),
    )


def _common(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    account = row["account_id"]
    return {
        **{name: row[name] for name in Anomaly.model_fields if name in row},
        "account_name": None if account is None else label_of(BY_NAME["account_id"], account, names),
        "impact_share": amounts.share(row["impact"], row["expected"]),
        "filters": _filters(row, {}),
    }


def _filters(row: Mapping[str, Any], more: Mapping[str, str]) -> list[str]:
    """Return the filters of the event's costs in Explore, with those of a part."""
    values = {"source": row["source"], "account_id": row["account_id"], "service": row["service"], **more}
    values["charge_category"] = "Usage"
    return written({find(name, "filter"): (value,) for name, value in values.items() if value is not None})


def _days(costs: Costs, row: Mapping[str, Any], connection: Connection, published: Published) -> list[AnomalyDay]:
    """Return what the days around the event cost now, and what those of the event were expected to cost."""
    shown = _around(row, published)
    statement = sql_files.compose(
        sql_files.read("page/anomaly_days.sql"), costs_by_day=costs.database.table("costs_by_day")
    )
    asked = {name: row[name] for name in ("source", "currency", "account_id", "service")}
    asked |= {"billing_periods": published.with_days(shown.first, shown.last), "first": shown.first, "last": shown.last}
    actual: dict[date, Decimal] = dict(connection.execute(statement, asked).fetchall())
    expected = {date.fromisoformat(one["date"]): Decimal(one["expected"]) for one in row["explanation"].get("days", ())}
    return [
        AnomalyDay(date=day, actual=actual.get(day, amounts.ZERO), expected=expected.get(day))
        for day in shown.periods("day")
    ]


def _around(row: Mapping[str, Any], published: Published) -> Range:
    """Return the days of the event, and those around it that are published and complete."""
    first, last = row["first_date"] - BEFORE, row["last_date"] + AFTER
    months = [one for one in published.in_currency(row["currency"]) if one.source == row["source"]]
    if months:
        first = max(first, min(one.first for one in months))
        last = min(last, max(min(one.last, one.through) for one in months))
    return Range(min(first, row["first_date"]), max(last, row["last_date"]))


def _parts(row: Mapping[str, Any], names: Mapping[str, str]) -> list[AnomalyParts]:
    explanation = row["explanation"]
    tags = sorted(name for name in explanation if name.startswith(TAG))
    return [
        AnomalyParts(
            dimension=PARTS.get(name, f"Tag {name.removeprefix(TAG)}"),
            parts=[_part(row, name, part, names) for part in explanation[name]],
        )
        for name in (*PARTS, *tags)
        if explanation.get(name)
    ]


def _part(row: Mapping[str, Any], dimension: str, part: Mapping[str, Any], names: Mapping[str, str]) -> AnomalyPart:
    if dimension == "services":
        more = {"account_id": part["account_id"], "service": part["service"]}
        account = label_of(BY_NAME["account_id"], part["account_id"], names)
        label = f"{label_of(BY_NAME['service'], part['service'], {})}, {account}"
        return AnomalyPart(label=label, impact=Decimal(part["impact"]), filters=_filters(row, more))
    value = part["value"]
    filters = None
    if dimension == "regions":
        filters = _filters(row, {"region": value})
        value = label_of(BY_NAME["region"], value, {})
    elif dimension.startswith(TAG):
        filters = _filters(row, {of_tag(dimension.removeprefix(TAG)).name: value})
    return AnomalyPart(label=value, impact=Decimal(part["impact"]), filters=filters)


def _load(costs: Costs, row: Mapping[str, Any], connection: Connection) -> LoadName | None:
    statement = sql_files.compose(
        sql_files.read("page/anomaly_load.sql"), load_history=costs.database.table("load_history")
    )
    asked = {name: row[name] for name in ("source", "version", "last_date")}
    with connection.cursor(row_factory=class_row(LoadName)) as cursor:
        return cursor.execute(statement, asked).fetchone()


def _actions(costs: Costs, anomaly_id: int, connection: Connection) -> list[AnomalyAction]:
    statement = sql.SQL(
        "select action, person, note, muted_until, at from {} where anomaly_id = %s order by action_id desc"
    ).format(costs.database.table("anomaly_actions"))
    with connection.cursor(row_factory=class_row(AnomalyAction)) as cursor:
        return cursor.execute(statement, [anomaly_id]).fetchall()
