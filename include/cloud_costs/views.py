"""`refresh_views`: `<source>_focus`, `focus_costs` and `costs`, over every source that has a published month."""

import logging

from psycopg import sql

from cloud_costs import focus, sql_files
from cloud_costs.config import Source
from cloud_costs.postgres import Connection, Database, columns_of

log = logging.getLogger(__name__)

LOCK_TIMEOUT = "10s"


def refresh_views(database: Database) -> list[str]:
    """Bring the views up to what is published, and return the names of those that changed.

    A view whose definition is the same is not touched, so that no reader waits. The views cover the sources in
    the database: one that left the configuration keeps its history.
    """
    with database.session() as connection, connection.transaction():
        connection.execute(sql.SQL("set local lock_timeout to {}").format(sql.Literal(LOCK_TIMEOUT)))
        connection.execute(
            "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"cloud_costs views {database.schema}"]
        )
        changed = create_focus(connection, database)
        changed += _create_costs(connection, database)
    log.info("refresh_views changed=%s", ",".join(changed) or "nothing")
    return changed


def create_focus(connection: Connection, database: Database) -> list[str]:
    """Create or replace every `<source>_focus` and `focus_costs`; return the names of those that changed."""
    changed = []
    selects = []
    for name, format_name in _published(connection, database, "raw"):
        raw = database.table(f"raw_{name}")
        view = f"{name}_focus"
        select = focus.charges(format_name, raw, columns_of(connection, raw), None)
        changed += _create(connection, database, view, select)
        columns = sql.SQL(",\n    ").join(
            sql.Identifier(column) for column in columns_of(connection, database.table(view))
        )
        selects.append(
            sql_files.compose(
                sql_files.read("views/focus_costs.sql"),
                columns=columns,
                source=sql.Literal(name),
                focus=database.table(view),
            )
        )
    if selects:
        changed += _create(connection, database, "focus_costs", sql.SQL("\nunion all\n").join(selects))
    return changed


def drop_focus(connection: Connection, database: Database, source: Source) -> None:
    """Drop the views that read a raw table whose column type changes, in the transaction that creates them again."""
    for view in ("focus_costs", source.focus_view):
        connection.execute(sql.SQL("drop view if exists {}").format(database.table(view)))


def comment_costs(connection: Connection, kind: sql.SQL, relation: sql.Identifier) -> None:
    """Write what the columns of `costs` mean to a relation that has them."""
    connection.execute(sql_files.compose(sql_files.read("views/costs_comments.sql"), kind=kind, relation=relation))


def _create_costs(connection: Connection, database: Database) -> list[str]:
    selects = [
        sql_files.compose(sql_files.read("views/costs.sql"), normalized=database.table(f"{name}_normalized"))
        for name, _ in _published(connection, database, "normalized")
    ]
    if not selects:
        log.info("no month is published yet: the view costs comes with the first one")
        return []
    changed = _create(connection, database, "costs", sql.SQL("\nunion all\n").join(selects))
    if changed:
        comment_costs(connection, sql.SQL("view"), database.table("costs"))
    return changed


def _published(connection: Connection, database: Database, kind: str) -> list[tuple[str, str]]:
    """Return the name and format of each source whose raw or normalized table exists."""
    rows = connection.execute(
        sql.SQL(
            """
            select distinct on (source) source, format from {}
            where status in ('published', 'superseded')
            order by source, load_id desc
            """
        ).format(database.table("load_history"))
    ).fetchall()
    table = "raw_{}" if kind == "raw" else "{}_normalized"
    return [(name, form) for name, form in rows if columns_of(connection, database.table(table.format(name)))]


def _create(connection: Connection, database: Database, name: str, select: sql.Composable) -> list[str]:
    """Create or replace a view when its definition differs; return its name when it did."""
    view = database.table(name)
    probe = database.staging_table("view_probe")
    connection.execute(sql.SQL("create view {} as {}").format(probe, select))
    same = connection.execute(
        "select pg_get_viewdef(to_regclass(%s)) = pg_get_viewdef(to_regclass(%s))",
        [view.as_string(connection), probe.as_string(connection)],
    ).fetchone()
    connection.execute(sql.SQL("drop view {}").format(probe))
    if same and same[0]:
        return []
    connection.execute(sql.SQL("create or replace view {} as {}").format(view, select))
    return [name]
