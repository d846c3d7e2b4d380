"""Where a load's rows are now: staged, published, or gone."""

from dataclasses import dataclass

from psycopg import sql

from cloud_costs.charges.lines import RawLines
from cloud_costs.database.postgres import Connection, Database, columns_of, comments_of
from cloud_costs.formats.delivery import Format
from cloud_costs.publishing import history
from cloud_costs.publishing.history import Load


@dataclass(frozen=True)
class Relations:
    """The tables of one load. Each is staged, or a published partition. `normalized` may not exist yet."""

    load: Load
    status: str
    raw: sql.Identifier
    raw_is_staged: bool
    normalized: sql.Identifier | None
    normalized_is_staged: bool


def find_relations(connection: Connection, database: Database, load: Load) -> Relations | None:
    """Find the tables of a load. None when its raw lines are gone, or are incomplete because the load failed."""
    status = history.current_status(connection, database, load)
    raw, raw_is_staged = _find(connection, database, load.raw_table)
    normalized, normalized_is_staged = _find(connection, database, load.normalized_table)
    # A load that failed while it copied may have left a table with a part of the lines. Nothing is derived from that.
    if raw is None or (raw_is_staged and status not in ("staged", "rejected")):
        return None
    return Relations(load, status, raw, raw_is_staged, normalized, normalized_is_staged)


def lines_of(connection: Connection, database: Database, form: Format, found: Relations) -> RawLines:
    """Return the raw lines of a load, for the FOCUS mapping. Their payers' basis is not decided yet: see `on_basis`."""
    columns = columns_of(connection, found.raw)
    return RawLines(form, found.raw, columns, database.schema, comments_of(connection, found.raw))


def published_load(connection: Connection, database: Database, load: Load) -> Load | None:
    """Return the load of the same month that readers see now."""
    row = connection.execute(
        sql.SQL(
            "select load_id, rows, bytes from {} where source = %s and billing_period = %s and status = 'published'"
        ).format(database.table("load_history")),
        [load.source, load.billing_month],
    ).fetchone()
    return Load(row[0], load.source, load.billing_month, load.raw_only, *row[1:]) if row else None


def _find(connection: Connection, database: Database, name: str) -> tuple[sql.Identifier | None, bool]:
    """Return a table, and whether it is staged. `publish` moves it to the other schema under the same name."""
    for table, is_staged in ((database.staging_table(name), True), (database.table(name), False)):
        row = connection.execute("select to_regclass(%s) is not null", [table.as_string(connection)]).fetchone()
        if row and row[0]:
            return table, is_staged
    return None, False
