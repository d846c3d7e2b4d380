"""`audit`: run every check of `include/sql/checks` on a load; a returned row is a violation.

A violated check of severity `error` rejects the load, and readers keep what was published before. A `warning` is
recorded and logged, and the load is published. What we only infer about a provider is a warning, so that a bill is not
refused because our inference was wrong. A source's `checks` raise a warning to an error.
"""

import logging
import time
from dataclasses import astuple, dataclass
from decimal import Decimal
from typing import Any, NoReturn

from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from cloud_costs.charges import by_day, focus
from cloud_costs.charges.facts import stored_facts, stored_facts_by_file
from cloud_costs.charges.lines import RawLines, on_basis, unreadable
from cloud_costs.config.invoices import read_invoices
from cloud_costs.config.sources import Source
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection, Database, database_errors_of, exists
from cloud_costs.database.sql_files import Check
from cloud_costs.errors import AuditFailed, LoadLost
from cloud_costs.messages import safe
from cloud_costs.publishing import history
from cloud_costs.publishing.history import Load, recorded_errors
from cloud_costs.publishing.relations import Relations, find_relations, lines_of
from cloud_costs.publishing.steps import log_step

log = logging.getLogger(__name__)

# Violations of a check that are kept and shown.
SAMPLE_ROWS = 10
# The column that `_run` adds to a check. No check can have one of its own by this name.
COUNT = "violations of this check"
NO_INVOICES = "select null::text as invoice_id, null::text as currency, null::numeric as billed_cost where false"
NO_UNREADABLE = "select null::text as column_name, null::text as value, 0 as lines, null::jsonb as line where false"
LISTED_INVOICES = """
select null::text as invoice_id, null::numeric as amount, null::text as currency, null::date as billing_period
where false
"""
# Columns that the totals of a mapping may have, where its provider has such amounts. include/sql/focus/*_totals.sql
# explain each. In the totals of other mappings they are NULL, so that a check can read them.
OPTIONAL_TOTALS = """
alter table {}
    add column if not exists gross_cost numeric,
    add column if not exists split_cost numeric,
    add column if not exists net_cost numeric,
    add column if not exists effective_cost numeric,
    add column if not exists net_lines bigint,
    add column if not exists lines_without_net bigint,
    add column if not exists is_net boolean,
    add column if not exists effective_is_billed boolean,
    add column if not exists usage_may_lack_account boolean
"""


@dataclass(frozen=True)
class Result:
    """The result of one check: how many violations it found, and up to ten of them as text."""

    check: Check
    severity: str
    violations: int
    sample: list[dict[str, str | None]]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the check found no violation."""
        return self.violations == 0

    def __str__(self) -> str:
        lines = "; ".join(", ".join(f"{key}={value}" for key, value in row.items()) for row in self.sample)
        return (
            f"{self.check.name} ({self.severity}): {self.violations} violation(s). It protects {self.check.protects}. "
            f"What to do: {self.check.action}. Violations: {lines}"
        )


def audit(database: Database, source: Source, load: Load) -> list[Result]:
    """Run the checks that apply to the load, write `audit_results`, and return the results in the order of the names.

    Raises `AuditFailed` when a check of severity `error` found violations, and `LoadLost` when the tables of the load
    are gone. A rejected load that now passes is staged again.
    """
    began = time.monotonic()
    with recorded_errors(database, load), database_errors_of(load.label), database.session() as connection:
        found = find_relations(connection, database, load)
        if found is None or (found.normalized is None and not load.raw_only):
            task = "load_raw" if found is None else "normalize"
            raise LoadLost(f"{load.label}: load {load.load_id} has no tables left to audit; clear {task} of this month")
        # Compiling the large expression of a mapping takes longer than running it on a month's daily sums.
        connection.execute("set jit to off")
        parts = _parts(connection, database, source, load, found)
        results = [
            _run(connection, source, load, check, parts)
            for check in sql_files.read_checks()
            if not (load.raw_only and "normalized" in check.needs)
        ]
        _record(connection, database, load, results)
        # The lines of a published load do not change, and neither does their sum.
        if found.raw_is_staged:
            _record_billed_cost(connection, database, load, parts["raw_totals"])
    broken = [result for result in results if not result.passed]
    for result in broken:
        level = logging.ERROR if result.severity == "error" else logging.WARNING
        log.log(level, "%s: %s", load.label, safe(str(result)))
    log_step(log, "audit", load, time.monotonic() - began, checks=len(results), violated=len(broken))
    failed = [result for result in broken if result.severity == "error"]
    if failed:
        _reject(database, load, found, failed)
    if found.status == "rejected":
        with database_errors_of(load.label), database.session() as connection:
            history.mark_staged(connection, database, load)
    return results


def _reject(database: Database, load: Load, found: Relations, failed: list[Result]) -> NoReturn:
    """Keep the load from being published, and raise `AuditFailed`."""
    # `renew`, or a cleared `normalize`, derived a published month again. Its published rows stay; the new ones go.
    if found.status == "published":
        fate = "is published and stays published, but it does not pass its checks"
        if found.normalized_is_staged and found.normalized:
            with database_errors_of(load.label), database.session() as connection:
                history.drop_derived(connection, database, load)
    else:
        fate = "is rejected, and readers keep what was published before"
    error = AuditFailed(f"{load.label}: load {load.load_id} {fate}. " + " | ".join(str(result) for result in failed))
    history.fail_load(database, load, "rejected", error)
    raise error


def _parts(
    connection: Connection, database: Database, source: Source, load: Load, found: Relations
) -> dict[str, sql.Composable]:
    """Return the relations that the `{places}` of the checks stand for.

    Sums that several checks compare are temporary tables, so that each is computed once. Facts of a file are compared
    with the lines that its transactions stored (`loading.shape.Copied`).
    """
    lines = lines_of(connection, database, source.form, found)
    daily = _daily_lines(connection, database, load, lines)
    # `normalize` decided the basis of each payer from the same sums, so both read the same costs.
    lines = on_basis(lines, focus.net_accounts(connection, lines, daily))
    parts: dict[str, sql.Composable] = {
        "schema": sql.Identifier(database.schema),
        "raw": found.raw,
        "charges": focus.charges(connection, lines, ()),
    }
    daily_charges = focus.daily_charges(connection, lines, daily)
    files = sql.SQL("(select uri, transactions from {} where load_id = {})").format(
        database.table("load_files"), sql.Literal(load.load_id)
    )
    parts["unreadable"] = _unreadable(connection, lines, daily)
    parts["stored_by_file"] = stored_facts_by_file(lines, files)
    for name, select in (
        ("raw_totals", focus.raw_totals(lines)),
        ("stored_facts", stored_facts(lines, daily)),
        ("all_totals", sql_files.compose(sql_files.read("focus/totals.sql"), charges=daily_charges)),
        ("focus_totals", sql.SQL("select * from pg_temp.all_totals where not is_of_commitment")),
        ("commitment_totals", sql.SQL("select * from pg_temp.all_totals where is_of_commitment")),
        ("published_invoices", _published_invoices(connection, database, source, load)),
        ("listed_invoices", sql.SQL(LISTED_INVOICES)),
    ):
        connection.execute(sql.SQL("create temp table {} as {}").format(sql.Identifier(name), select))
        parts[name] = sql.Identifier("pg_temp", name)
    connection.execute(sql.SQL(OPTIONAL_TOTALS).format(parts["raw_totals"]))
    # The list is read now, so a corrected list counts when `audit` is cleared.
    if source.invoices:
        with connection.cursor() as cursor:
            cursor.executemany(
                sql.SQL("insert into {} values (%s, %s, %s, %s)").format(parts["listed_invoices"]),
                [astuple(invoice) for invoice in read_invoices(source.invoices)],
            )
    if found.normalized:
        parts["normalized"] = found.normalized
        parts["by_day"] = _by_day(connection, database, load, found)
    return parts


def _by_day(connection: Connection, database: Database, load: Load, found: Relations) -> sql.Composable:
    """Return the month's rows of `costs_by_day` and the coarser tables, staged like the daily totals or published."""
    if not found.normalized_is_staged:
        return by_day.published(database, load.source, load.billing_month)
    table = database.staging_table(load.by_day_table)
    if not exists(connection, table):
        raise LoadLost(f"{load.label}: the totals of load {load.load_id} are gone; clear normalize of this month")
    return table


def _daily_lines(connection: Connection, database: Database, load: Load, lines: RawLines) -> sql.Identifier:
    """Return the table of daily lines that `normalize` left; without one, as for a raw-only load, make it."""
    table = database.staging_table(load.daily_lines_table)
    if exists(connection, table):
        return table
    table = sql.Identifier("pg_temp", "daily_lines")
    focus.create_daily_lines(connection, table, lines, ())
    return table


def _unreadable(connection: Connection, lines: RawLines, daily: sql.Identifier) -> sql.Composable:
    """Return the select of texts that should be numbers. Where `normalize` counted none, it reads no lines."""
    row = connection.execute(
        sql.SQL("select exists (select 1 from {} where unreadable_lines > 0)").format(daily)
    ).fetchone()
    return unreadable(lines) if row and row[0] else sql.SQL(NO_UNREADABLE)


def _published_invoices(connection: Connection, database: Database, source: Source, load: Load) -> sql.Composable:
    """Return the select of the invoices of the month, as they are published now."""
    table = database.table(source.normalized_table)
    if not exists(connection, table):
        return sql.SQL(NO_INVOICES)
    return sql.SQL(
        """
        select invoice_id, currency, sum(cost) as billed_cost
        from {}
        where billing_period = {} and invoice_id is not null
        group by invoice_id, currency
        """
    ).format(table, sql.Literal(load.billing_month))


def _run(connection: Connection, source: Source, load: Load, check: Check, parts: dict[str, sql.Composable]) -> Result:
    began = time.monotonic()
    # The server counts, because a check may find every line of the month. The window function counts before the limit.
    query = sql.SQL("select count(*) over () as {}, violation.* from (\n{}\n) as violation limit {}").format(
        sql.Identifier(COUNT),
        sql_files.compose(check.text, **{name: parts[name] for name in check.needs}),
        sql.Literal(SAMPLE_ROWS),
    )
    parameters = {"load_id": load.load_id, "billing_period": load.billing_month, "source": load.source}
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, parameters).fetchall()
    violations = rows[0][COUNT] if rows else 0
    sample = [{key: _text(value) for key, value in row.items() if key != COUNT} for row in rows]
    severity = source.checks.get(check.name, check.severity)
    return Result(check, severity, violations, sample, time.monotonic() - began)


def _text(value: Any) -> str | None:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return None if value is None else str(value)


def _record(connection: Connection, database: Database, load: Load, results: list[Result]) -> None:
    """Write one row per check; an audit that runs again replaces its results."""
    table = database.table("audit_results")
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(sql.SQL("delete from {} where load_id = %s").format(table), [load.load_id])
        cursor.executemany(
            sql.SQL(
                """
                insert into {} (
                    load_id, source, billing_period, check_name, severity, passed, violations, sample, seconds
                ) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
                """
            ).format(table),
            [
                (
                    *(
                        load.load_id,
                        load.source,
                        load.billing_month,
                        result.check.name,
                        result.severity,
                        result.passed,
                    ),
                    *(
                        result.violations,
                        Jsonb(result.sample) if result.sample else None,
                        round(result.seconds, 3),
                    ),
                )
                for result in results
            ],
        )


def _record_billed_cost(connection: Connection, database: Database, load: Load, raw_totals: sql.Composable) -> None:
    """Write the billed cost of the raw lines to the load's row: by currency, as numeric all the way."""
    connection.execute(
        sql.SQL(
            """
            update {} set billed_cost = (
                select coalesce(jsonb_object_agg(coalesce(by_currency.currency, ''), by_currency.billed_cost), '{{}}')
                from (
                    select totals.currency, sum(totals.billed_cost) as billed_cost
                    from {} as totals
                    group by totals.currency
                ) as by_currency
            )
            where load_id = {}
            """
        ).format(database.table("load_history"), raw_totals, sql.Literal(load.load_id))
    )
