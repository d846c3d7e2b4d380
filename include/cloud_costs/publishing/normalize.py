"""`normalize`: derive a month's daily totals from its raw lines, through the FOCUS mapping."""

import logging
import time

from psycopg import sql

from cloud_costs.charges import by_day, commitments, focus
from cloud_costs.charges.lines import RawLines, on_basis
from cloud_costs.config.sources import Source
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import NO_AUTOVACUUM, STAGING_STATISTICS, Connection, Database, database_errors_of
from cloud_costs.errors import LoadLost
from cloud_costs.publishing.history import Load, drop_derived, mark_staged, recorded_errors
from cloud_costs.publishing.relations import Relations, find_relations, lines_of, published_load
from cloud_costs.publishing.steps import log_step

log = logging.getLogger(__name__)


def normalize(database: Database, source: Source, load: Load) -> Load:
    """Derive the normalized staging table, in one transaction, and return the load that it belongs to.

    Works from the load's own raw lines, staged or published. When they are gone, it works from the month's published
    raw partition, and returns the load that is published. Raises `LoadLost` when there is neither.
    """
    began = time.monotonic()
    rows = None
    with (
        recorded_errors(database, load),
        database_errors_of(load.label),
        database.session() as connection,
        connection.transaction(),
    ):
        # Compiling the large expression of a mapping takes longer than running it on a month's daily sums.
        connection.execute("set local jit to off")
        found = _lines_of_month(connection, database, load)
        lines = lines_of(connection, database, source.form, found)
        if not load.raw_only:
            rows = _derive(connection, database, source, found.load, lines)
        if found.raw_is_staged:
            mark_staged(connection, database, found.load)
    log_step(log, "normalize", found.load, time.monotonic() - began, normalized_rows=rows)
    return found.load


def _lines_of_month(connection: Connection, database: Database, load: Load) -> Relations:
    """Return the tables of the load, or of the month's published load; raises `LoadLost` when both are gone."""
    found = find_relations(connection, database, load)
    published = None
    if found is None:
        published = published_load(connection, database, load)
        found = find_relations(connection, database, published) if published else None
    if found is None:
        others = "the published lines were dropped too" if published else "no load of the month is published"
        raise LoadLost(
            f"{load.label}: the lines of load {load.load_id} are gone, and {others}; clear load_raw of this month to "
            "load it"
        )
    if found.load.load_id != load.load_id:
        log.warning(
            "%s: the lines of load %s are gone; deriving from load %s, which is published",
            *(load.label, load.load_id, found.load.load_id),
        )
    return found


def _derive(connection: Connection, database: Database, source: Source, load: Load, lines: RawLines) -> int:
    """Create the normalized staging table, ready to become the month's partition.

    The lines are read once, to sum like lines of a day. The daily totals come from these sums, and so do the sums of
    the audit. Both take a tenth of the time that they would take from the lines.
    """
    table = database.staging_table(load.normalized_table)
    daily_lines = database.staging_table(load.daily_lines_table)
    month = sql.Literal(load.billing_month)
    drop_derived(connection, database, load)
    focus.create_daily_lines(connection, daily_lines, lines, source.tags)
    connection.execute(sql.SQL("set local default_statistics_target to {}").format(STAGING_STATISTICS))
    connection.execute(sql.SQL("analyze {}").format(daily_lines))
    connection.execute("set local default_statistics_target to default")
    lines = on_basis(lines, focus.net_accounts(connection, lines, daily_lines))
    charges = focus.daily_charges(connection, lines, daily_lines)
    select = sql_files.compose(
        sql_files.read("normalize.sql"),
        charges=charges,
        billing_period=month,
        source=sql.Literal(source.name),
        raw_table=sql.Literal(source.raw_table),
    )
    rows = connection.execute(sql.SQL("create table {} with ({}) as {}").format(table, NO_AUTOVACUUM, select)).rowcount
    # With this constraint, attaching the table as a partition needs no scan of it.
    connection.execute(
        sql.SQL("alter table {} alter column billing_period set not null, add check (billing_period = {})").format(
            table, month
        )
    )
    # The partitioned table has the same index. Most queries over a year ask for a range of days.
    connection.execute(sql.SQL("create index on {} (date)").format(table))
    connection.execute(sql.SQL("analyze {}").format(table))
    by_day.stage(connection, database.staging_table(load.by_day_table), table)
    staged = database.staging_table(load.commitments_table)
    commitments.stage(connection, staged, charges, source.name, load.billing_month)
    return rows
