"""Where a load's rows are now: staged, published, or gone; and the sums of its lines by day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from cloud_costs import focus, history
from cloud_costs.focus import NUMBERS, RawLines, line_columns
from cloud_costs.formats import FORMATS
from cloud_costs.history import Load
from cloud_costs.postgres import Connection, Database, columns_of, comments_of

# Of what sums lines to daily totals.
WORK_MEM = "128MB"


@dataclass(frozen=True)
class Relations:
    """The tables of one load, each staged or a published partition; `normalized` may not exist yet."""

    load: Load
    status: str
    raw: sql.Identifier
    raw_is_staged: bool
    normalized: sql.Identifier | None
    normalized_is_staged: bool


def find_relations(connection: Connection, database: Database, load: Load) -> Relations | None:
    """Find the tables of a load; None when its raw lines are gone, or staged by a load that failed on the way."""
    status = history.current_status(connection, database, load)
    raw, raw_is_staged = _find(connection, database, load.raw_table)
    normalized, normalized_is_staged = _find(connection, database, load.normalized_table)
    if raw is None or (raw_is_staged and status not in ("staged", "rejected")):
        return None
    return Relations(load, status, raw, raw_is_staged, normalized, normalized_is_staged)


def lines_of(connection: Connection, database: Database, format_name: str, found: Relations) -> RawLines:
    """Return the raw lines of a load, for the FOCUS mapping."""
    columns = columns_of(connection, found.raw)
    filled = filled_columns(connection, format_name, found.raw, columns)
    originals = comments_of(connection, found.raw)
    return RawLines(
        format_name, found.raw, columns, database.schema, originals, lambda name: sql.Literal(name in filled)
    )


def create_daily_lines(connection: Connection, table: sql.Identifier, lines: RawLines, tags: Sequence[str]) -> None:
    """Create a table of the sums of like lines of a day, which `focus.daily_charges` reads.

    PostgreSQL expects a group for every ten lines, whatever they are, and would sort the lines of a month of some
    millions on disk. To hash them takes a quarter of the time, and less than to sort even where no two lines are
    alike.
    """
    connection.execute(sql.SQL("set work_mem to {}").format(sql.Literal(WORK_MEM)))
    connection.execute("set enable_sort to off")
    # As a CREATE TABLE AS, PostgreSQL plans it with parallel workers; an INSERT it does not.
    connection.execute(sql.SQL("create table {} as {}").format(table, focus.daily_lines(lines, tags)))
    connection.execute("reset enable_sort")


def filled_columns(
    connection: Connection, format_name: str, raw: sql.Identifier, columns: Mapping[str, str]
) -> list[str]:
    """Return the columns of one month, without those that a mapping asks about and that hold nothing but 0 or NULL.

    A CUR 2.0 export has its net columns for every payer, and fills them for those with a discount.
    """
    asked = {column.aliases[0] for column in line_columns(FORMATS[format_name].mapping) if column.type == "exported"}
    filled = []
    for name, kind in columns.items():
        if name in asked:
            value: sql.Composable = sql.Identifier(name)
            if kind not in NUMBERS:
                value = sql.SQL("{}::numeric").format(value)
            row = connection.execute(
                sql.SQL("select exists (select 1 from {} where {} <> 0)").format(raw, value)
            ).fetchone()
            if not row or not row[0]:
                continue
        filled.append(name)
    return filled


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
    for table, is_staged in ((database.staging_table(name), True), (database.table(name), False)):
        row = connection.execute("select to_regclass(%s) is not null", [table.as_string(connection)]).fetchone()
        if row and row[0]:
            return table, is_staged
    return None, False
