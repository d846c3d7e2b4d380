"""What makes an event: accounts, services, regions, tags, usage types and resources, with the money of each.

The days of the event are compared with as many days of the week before it. Usage types and resources come from the
charges themselves, where their lines are kept. That is the slow part, so it is done for few events, and given up where
it takes too long.
"""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.insights.findings import Finding

log = logging.getLogger(__name__)

BEFORE, MOST = 7, 5
TIMEOUT = "20s"


def explain(connection: Connection, database: Database, finding: Finding, in_detail: bool) -> dict[str, Any]:
    """Return the parts of an event as JSON types; with `in_detail`, those of its costs and its lines too."""
    services = [
        {"account_id": part.account_id, "service": part.service, "impact": f"{part.impact:.2f}"}
        for part in finding.parts
    ]
    found: dict[str, Any] = {"services": services, "accepted": finding.accepted}
    if in_detail:
        days = (finding.last_date - finding.first_date).days + 1
        wanted = {
            "source": finding.source,
            "currency": finding.currency,
            "account_id": finding.account_id,
            "service": finding.service,
            "before": finding.first_date - timedelta(days=BEFORE),
            "first": finding.first_date,
            "last": finding.last_date,
            "scale": f"{days / BEFORE:.6f}",
            "sign": finding.sign,
            "most": MOST,
        }
        for name, relation in (("explain_costs", "costs"), ("explain_lines", "focus_costs")):
            for dimension, value, impact in _parts(connection, database, name, relation, wanted):
                found.setdefault(dimension, []).append({"value": value, "impact": f"{impact:f}"})
    return found


def _parts(
    connection: Connection, database: Database, name: str, relation: str, wanted: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    query = sql_files.compose(sql_files.read(f"insights/{name}.sql"), **{relation: database.table(relation)})
    try:
        with connection.transaction():
            connection.execute(sql.SQL("set local statement_timeout to {}").format(sql.Literal(TIMEOUT)))
            rows = connection.execute(query, wanted).fetchall()
            connection.execute(sql.SQL("set local statement_timeout to 0"))
            return rows
    except psycopg.errors.QueryCanceled:
        log.warning("%s took more than %s: the event of %s has no such parts", name, TIMEOUT, wanted["first"])
        return []
