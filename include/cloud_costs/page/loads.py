"""Loads: what one brought in, what it changed, and why a number of a month is not what it was."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise

from psycopg import sql
from psycopg.rows import class_row

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection
from cloud_costs.months import month_label
from cloud_costs.page import amounts, links
from cloud_costs.page.costs import Costs
from cloud_costs.page.load_models import (
    Audit,
    ChangeLoad,
    Changes,
    ChangeTotal,
    Difference,
    Load,
    LoadFile,
    LoadTotal,
)
from cloud_costs.page.problems import NO_SUCH, Refusal
from cloud_costs.page.published import Published

# Differences of one load, and of each load of a month. A load's own page has them all.
ALL, SOME = 1_000, 20
# Loads of a month whose differences are shown at once.
SHOWN = 10
ROW = sql.SQL(
    """
    select
        source, billing_period, format, version, status, raw_only, manifest_uri, started, finished, rows, bytes, note,
        error, dag_run_id, map_index
    from {} where load_id = %s
    """
)
SEEN = sql.SQL("status in ('published', 'superseded') and not raw_only")


@dataclass(frozen=True)
class _Row:
    """A row of `load_history`."""

    source: str
    billing_period: date
    format: str
    version: str | None
    status: str
    raw_only: bool
    manifest_uri: str | None
    started: datetime
    finished: datetime | None
    rows: int | None
    bytes: int | None
    note: str | None
    error: str | None
    dag_run_id: str | None
    map_index: int | None

    @property
    def was_seen(self) -> bool:
        """Whether people saw the costs of this load, now or before another one was published."""
        return self.status in ("published", "superseded")


def load(costs: Costs, load_id: int, connection: Connection, published: Published) -> Load:
    """Return everything about one load. Raises `Refusal` where there is none."""
    history = costs.database.table("load_history")
    with connection.cursor(row_factory=class_row(_Row)) as cursor:
        row = cursor.execute(ROW.format(history), [load_id]).fetchone()
    if row is None:
        raise Refusal(NO_SUCH, f"There is no load {load_id}.", "Months lists the loads that are published.")
    previous = connection.execute(
        sql.SQL("select max(load_id) from {} where source = %s and billing_period = %s and load_id < %s and {}").format(
            history, SEEN
        ),
        [row.source, row.billing_period, load_id],
    ).fetchone()
    before = previous[0] if previous and row.was_seen and not row.raw_only else None
    differences, _ = _differences(costs, connection, published, [(load_id, before)] if before else [], ALL)
    return Load(
        load_id=load_id,
        source=row.source,
        billing_period=month_label(row.billing_period),
        format=row.format,
        version=row.version,
        status=row.status,
        raw_only=row.raw_only,
        manifest_uri=row.manifest_uri,
        started=row.started,
        published_at=row.finished if row.was_seen else None,
        rows=row.rows,
        bytes=row.bytes,
        totals=_totals(costs, connection, [load_id]).get(load_id, []),
        files=_files(costs, connection, load_id),
        audits=_audits(costs, connection, load_id),
        previous_load_id=before,
        differences=differences.get(load_id, []),
        note=row.note,
        error=row.error,
        run_url=links.run(row.dag_run_id),
        task_url=links.tasks(row.dag_run_id, row.map_index),
    )


def changes(
    costs: Costs, source: str, month: date, since: datetime | None, connection: Connection, published: Published
) -> Changes:
    """Return the loads of a month that people saw, and what changed from what they saw at `since`."""
    rows = connection.execute(
        sql.SQL(
            "select load_id, version, finished, status from {} where source = %s and billing_period = %s and {} "
            "order by load_id desc"
        ).format(costs.database.table("load_history"), SEEN),
        [source, month],
    ).fetchall()
    if not rows:
        detail = f"{source} {month_label(month)} is not published."
        raise Refusal(NO_SUCH, detail, "Months lists the sources and months that are.")
    ids = [row[0] for row in rows]
    pairs = list(pairwise(ids))
    totals = _totals(costs, connection, ids)
    found, numbers = _differences(costs, connection, published, pairs[:SHOWN], SOME)
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    # What people saw at that time: nothing before the first load. Without a time, the load before the newest.
    if since is None:
        baseline = ids[1] if len(ids) > 1 else ids[0]
    else:
        baseline = next((load_id for load_id, _, finished, _ in rows if finished <= since), None)
    told, _ = _differences(costs, connection, published, [(ids[0], baseline)] if baseline != ids[0] else [], ALL)
    befores = dict(pairs)
    return Changes(
        source=source,
        billing_period=month_label(month),
        since=since,
        loads=[
            ChangeLoad(
                load_id=load_id,
                version=version,
                published_at=finished,
                is_current=status == "published",
                totals=totals.get(load_id, []),
                changes=_changed(totals, befores[load_id], load_id) if load_id in befores else [],
                differences=found.get(load_id, []),
                more_differences=max(numbers.get(load_id, 0) - SOME, 0),
            )
            for load_id, version, finished, status in rows
        ],
        changes=_changed(totals, baseline, ids[0]),
        differences=told.get(ids[0], []),
    )


def _totals(costs: Costs, connection: Connection, ids: Sequence[int]) -> dict[int, list[LoadTotal]]:
    rows = connection.execute(
        sql.SQL(
            """
            select load_id, currency, sum(line_items)::bigint, sum(cost), sum(effective_cost)
            from {} where load_id = any(%s) group by load_id, currency order by load_id, currency
            """
        ).format(costs.database.table("published_totals")),
        [list(ids)],
    )
    found: dict[int, list[LoadTotal]] = {}
    for load_id, currency, lines, billed, effective in rows:
        total = LoadTotal(currency=currency, line_items=lines, billed_cost=billed, effective_cost=effective)
        found.setdefault(load_id, []).append(total)
    return found


def _changed(totals: dict[int, list[LoadTotal]], before: int | None, after: int) -> list[ChangeTotal]:
    """Return by how much each currency changed from one load to another; from nothing where there is none before."""
    old = {one.currency: one for one in totals.get(before, [])} if before else {}
    new = {one.currency: one for one in totals.get(after, [])}
    found = []
    for currency in sorted({*old, *new}):
        was, now = old.get(currency), new.get(currency)
        billed = (was.billed_cost if was else amounts.ZERO, now.billed_cost if now else amounts.ZERO)
        effective = (was.effective_cost if was else amounts.ZERO, now.effective_cost if now else amounts.ZERO)
        found.append(
            ChangeTotal(
                currency=currency,
                before=billed[0],
                after=billed[1],
                change=amounts.EXACT.subtract(billed[1], billed[0]),
                effective_change=amounts.EXACT.subtract(effective[1], effective[0]),
            )
        )
    return found


def _differences(
    costs: Costs,
    connection: Connection,
    published: Published,
    pairs: Iterable[tuple[int, int | None]],
    at_most: int,
) -> tuple[dict[int, list[Difference]], dict[int, int]]:
    """Return what the first load of each pair changed against the second, and how many differences there are."""
    pairs = list(pairs)
    statement = sql_files.compose(
        sql_files.read("page/differences.sql"),
        published_totals=costs.database.table("published_totals"),
        loads=sql.Placeholder("loads"),
        others=sql.Placeholder("others"),
        at_most=sql.Placeholder("at_most"),
    )
    values = {"loads": [one for one, _ in pairs], "others": [other for _, other in pairs], "at_most": at_most}
    rows = connection.execute(statement, values).fetchall() if pairs else []
    names = costs.catalogue.names_of(connection, published, (row[1] for row in rows))
    found: dict[int, list[Difference]] = {}
    numbers: dict[int, int] = {}
    for load_id, account, service, category, currency, lines, billed, effective, number in rows:
        numbers[load_id] = number
        found.setdefault(load_id, []).append(
            Difference(
                account_id=account,
                account_name=names.get(account) or account,
                service=service,
                charge_category=category,
                currency=currency,
                line_items=lines,
                billed_cost=billed,
                effective_cost=effective,
            )
        )
    return found, numbers


def _files(costs: Costs, connection: Connection, load_id: int) -> list[LoadFile]:
    rows = connection.execute(
        sql.SQL("select uri, bytes, rows from {} where load_id = %s order by uri").format(
            costs.database.table("load_files")
        ),
        [load_id],
    )
    return [LoadFile(name=uri.rpartition("/")[2], uri=uri, bytes=size, rows=lines) for uri, size, lines in rows]


def _audits(costs: Costs, connection: Connection, load_id: int) -> list[Audit]:
    meanings = {check.name: check.protects for check in sql_files.read_checks()}
    rows = connection.execute(
        sql.SQL(
            """
            select
                check_name, severity, passed, violations,
                array(
                    select one::text
                    from jsonb_array_elements(case when jsonb_typeof(sample) = 'array' then sample end) as one
                )
            from {} where load_id = %s
            order by passed, severity, check_name
            """
        ).format(costs.database.table("audit_results")),
        [load_id],
    )
    return [
        Audit(
            name=name,
            severity=severity,
            passed=passed,
            violations=violations,
            details=f"It protects {meanings[name]}." if name in meanings else "An earlier version had this check.",
            sample=sample,
        )
        for name, severity, passed, violations, sample in rows
    ]
