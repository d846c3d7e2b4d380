"""`refresh_views`: `<source>_focus`, `focus_costs` and `costs`, over every source that has a published month."""

import logging
from dataclasses import dataclass

from psycopg import sql

from cloud_costs import focus, locks, sql_files
from cloud_costs.config import Source
from cloud_costs.focus import RawLines
from cloud_costs.locks import PATIENCE
from cloud_costs.postgres import Connection, Database, columns_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Grant:
    """A right on a view; no role means everyone."""

    view: str
    privilege: str
    role: str | None
    grantable: bool


def refresh_views(database: Database, patience: float = PATIENCE) -> list[str]:
    """Bring the views up to what is published, and return the names of those that changed.

    A view whose definition is the same is not touched, so that no reader waits. The views cover the sources in
    the database: one that left the configuration keeps its history. Raises `PublishBlocked` when a reader held
    its lock on a view that has to change for `patience` seconds.
    """

    def refresh(connection: Connection) -> list[str]:
        return create_focus(connection, database) + _create_costs(connection, database)

    changed = locks.patiently(database, refresh, patience, "refresh_views", ("costs", "focus_costs"))
    log.info("refresh_views changed=%s", ",".join(changed) or "nothing")
    return changed


def create_focus(connection: Connection, database: Database) -> list[str]:
    """Create or replace every `<source>_focus` and `focus_costs`; return the names of those that changed."""
    # Held until the transaction ends: publishing a wider column makes the views too.
    connection.execute(
        "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"cloud_costs views {database.schema}"]
    )
    changed = []
    selects = []
    for name, format_name in _published(connection, database, "raw"):
        view = f"{name}_focus"
        changed += _create(connection, database, view, focus.charges(_lines(connection, database, name, format_name)))
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


def _lines(connection: Connection, database: Database, name: str, format_name: str) -> RawLines:
    """Return the raw lines of all published months of a source."""
    raw = database.table(f"raw_{name}")
    rows = connection.execute(
        sql.SQL("select column_name, original_name from {} where source = %s").format(database.table("raw_columns")),
        [name],
    ).fetchall()

    def exported(column: str) -> sql.Composed:
        return sql.SQL(
            "billing_period = any(array(select billing_period from {} where source = {} and {} = any(columns)))"
        ).format(database.table("raw_months"), sql.Literal(name), sql.Literal(column))

    return RawLines(format_name, raw, columns_of(connection, raw), database.schema, dict(rows), exported)


def drop_focus(connection: Connection, database: Database, source: Source) -> list[Grant]:
    """Drop the views that read a raw table whose column type changes, in the transaction that creates them again.

    Returns the rights that were granted on them, for `grant` to give back.
    """
    grants = []
    for view in ("focus_costs", source.focus_view):
        name = database.table(view).as_string(connection)
        rows = connection.execute(
            """
            select privilege_type, case when grantee <> 0 then pg_get_userbyid(grantee) end, is_grantable
            from pg_class, aclexplode(relacl)
            where oid = to_regclass(%s) and grantee <> relowner
            """,
            [name],
        ).fetchall()
        grants += [Grant(view, *row) for row in rows]
        connection.execute(sql.SQL("drop view if exists {}").format(database.table(view)))
    return grants


def grant(connection: Connection, database: Database, grants: list[Grant]) -> None:
    """Give rights on views back."""
    for one in grants:
        connection.execute(
            sql.SQL("grant {} on {} to {} {}").format(
                sql.SQL(one.privilege),
                database.table(one.view),
                sql.Identifier(one.role) if one.role else sql.SQL("public"),
                sql.SQL("with grant option" if one.grantable else ""),
            )
        )


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
