"""`refresh_views`: make `<source>_focus`, `focus_costs` and `costs`, over every source that has a published month.

Over `focus_costs` there is a view for each version of FOCUS (`focus_versions`).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from cloud_costs.charges import accounts, focus, focus_versions
from cloud_costs.charges.columns import focus_columns
from cloud_costs.charges.lines import RawLines
from cloud_costs.config.accounts import Account
from cloud_costs.config.sources import Source
from cloud_costs.database import locks, sql_files
from cloud_costs.database.locks import PATIENCE
from cloud_costs.database.postgres import Connection, Database, columns_of, exists
from cloud_costs.database.schema import let_read
from cloud_costs.errors import DatabaseDenied
from cloud_costs.formats import FORMATS

log = logging.getLogger(__name__)

READABLE = ("accounts", "costs", "focus_costs", *focus_versions.VIEWS)
# Of each source, the charges with the places of their lines, and the lines: the Costs page goes down to them.
DETAILS = ("{}_focus", "raw_{}")
VERSION_COMMENT = (
    "One row per charge of all sources, with exactly the columns of FOCUS {version}, computed from focus_costs. Never "
    "sum over currencies."
)
FOCUS_COMMENT = (
    "One row per FOCUS 1.2 charge of {source}, computed from the raw lines. Filter by billing_period to read one "
    "month, and never sum over currencies."
)


@dataclass(frozen=True)
class Grant:
    """A right on a view, or on one column of it. Without a role, everyone has it."""

    view: str
    privilege: str
    role: str | None
    grantable: bool
    column: str | None = None


def refresh_views(database: Database, patience: float = PATIENCE, listed: Sequence[Account] | None = None) -> list[str]:
    """Bring the views up to date with the published months, and return the names of those that changed.

    `listed` are the accounts that the configuration lists; None leaves the accounts in the database as they are.

    A view whose definition is the same is not touched, so that no reader waits. The views cover every source in the
    database, also one that left the configuration. Raises `PublishBlocked` when a reader held a lock on a view that has
    to change for `patience` seconds.
    """

    def refresh(connection: Connection) -> list[str]:
        _wait_for_turn(connection, database)
        changed = _create_accounts(connection, database)
        changed += create_focus(connection, database) + _create_costs(connection, database)
        sources = [name for name, _ in _published(connection, database, "raw")]
        details = [relation.format(name) for name in sources for relation in DETAILS]
        let_read(connection, database, [*READABLE, *details])
        return changed

    if listed is not None:
        accounts.write(database, listed)
    changed = locks.patiently(database, refresh, patience, "refresh_views", READABLE)
    log.info("refresh_views changed=%s", ",".join(changed) or "nothing")
    if listed:
        accounts.compare(database)
    return changed


def create_focus(connection: Connection, database: Database) -> list[str]:
    """Create or replace every `<source>_focus`, `focus_costs` and its versions; return the names of changed views."""
    _wait_for_turn(connection, database)
    changed = []
    selects = []
    grants: list[Grant] = []
    meanings = {column.name: column.meaning for column in focus_columns()}
    meanings[focus.RAW_LINE] = focus.RAW_LINE_MEANING
    for name, format_name in _published(connection, database, "raw"):
        view = f"{name}_focus"
        charges = focus.charges_with_lines(connection, _lines(connection, database, name, format_name))
        names = focus.columns_with_lines()
        select = accounts.with_names(database, charges, names)
        changed += _create(connection, database, view, select, grants)
        columns = sql.SQL(",\n    ").join(sql.Identifier(one) for one in names if one != focus.RAW_LINE)
        selects.append(
            sql_files.compose(
                sql_files.read("views/focus_costs.sql"),
                columns=columns,
                source=sql.Literal(name),
                focus=database.table(view),
            )
        )
        _comment_focus(connection, database.table(view), FOCUS_COMMENT.format(source=f"the source {name}"), meanings)
    if selects:
        changed += _create(connection, database, "focus_costs", sql.SQL("\nunion all\n").join(selects), grants)
        _comment_focus(connection, database.table("focus_costs"), FOCUS_COMMENT.format(source="all sources"), meanings)
        changed += _create_versions(connection, database, grants)
    grant(connection, database, grants)
    return changed


def _wait_for_turn(connection: Connection, database: Database) -> None:
    """Wait until the transaction of another session that makes views has ended.

    `publish` makes them too, when a column becomes wider. Of two sessions that create or replace one view at the same
    time, one gets an error from PostgreSQL ("tuple concurrently updated", or a key that exists).
    """
    connection.execute(
        "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"cloud_costs views {database.schema}"]
    )


def _create_versions(connection: Connection, database: Database, grants: list[Grant]) -> list[str]:
    changed = []
    for view, version in focus_versions.VIEWS.items():
        select = focus_versions.select(version, database.table("focus_costs"))
        changed += _create(connection, database, view, select, grants)
        columns = focus_versions.columns_of_version(version)
        meanings = {column.name.lower(): column.meaning for column in columns}
        _comment_focus(connection, database.table(view), VERSION_COMMENT.format(version=version), meanings)
    return changed


def _lines(connection: Connection, database: Database, name: str, format_name: str) -> RawLines:
    """Return the raw lines of all published months of a source."""
    raw = database.table(f"raw_{name}")
    rows = connection.execute(
        sql.SQL("select column_name, original_name from {} where source = %s").format(database.table("raw_columns")),
        [name],
    ).fetchall()

    months = sql.SQL("select billing_period, unnest(net_accounts) from {} where source = {}").format(
        database.table("raw_months"), sql.Literal(name)
    )

    def is_net(account: sql.Composable) -> sql.Composed:
        return sql.SQL("(billing_period, {}) in ({})").format(account, months)

    return RawLines(FORMATS[format_name], raw, columns_of(connection, raw), database.schema, dict(rows), is_net)


def drop_focus(connection: Connection, database: Database, source: Source) -> list[Grant]:
    """Drop the views that read a raw table whose column type changes, in the transaction that creates them again.

    Returns the rights that were granted on them, for `grant` to give back. Raises `DatabaseDenied` when someone's
    own view reads them.
    """
    return _drop_focus_costs(connection, database) + _drop(connection, database, source.focus_view)


def _drop_focus_costs(connection: Connection, database: Database) -> list[Grant]:
    """Drop `focus_costs`, and before it the views of its versions, which read it."""
    return [right for view in (*focus_versions.VIEWS, "focus_costs") for right in _drop(connection, database, view)]


def grant(connection: Connection, database: Database, grants: list[Grant]) -> None:
    """Give rights on views back, except those on columns that no longer exist."""
    for one in grants:
        if one.column and one.column not in columns_of(connection, database.table(one.view)):
            continue
        connection.execute(
            sql.SQL("grant {}{} on {} to {} {}").format(
                sql.SQL(one.privilege),
                sql.SQL("({})").format(sql.Identifier(one.column)) if one.column else sql.SQL(""),
                database.table(one.view),
                sql.Identifier(one.role) if one.role else sql.SQL("public"),
                sql.SQL("with grant option" if one.grantable else ""),
            )
        )


def _drop(connection: Connection, database: Database, view: str) -> list[Grant]:
    """Drop a view if there is one, and return the rights that were granted on it."""
    # Rights on the view are in pg_class, and rights on single columns in pg_attribute. The grantee 0 is everyone. The
    # owner has all rights on the new view anyway.
    name = database.table(view).as_string(connection)
    rows = connection.execute(
        """
        with rights as (
            select oid as relation, relacl as acl, null::name as column_name
            from pg_class
            where oid = to_regclass(%(name)s)
            union all
            select attrelid, attacl, attname
            from pg_attribute
            where attrelid = to_regclass(%(name)s) and attacl is not null
        )

        select privilege_type, case when grantee <> 0 then pg_get_userbyid(grantee) end, is_grantable, column_name
        from rights
        inner join pg_class on pg_class.oid = rights.relation
        cross join lateral aclexplode(rights.acl)
        where grantee <> relowner
        """,
        {"name": name},
    ).fetchall()
    try:
        connection.execute(sql.SQL("drop view if exists {}").format(database.table(view)))
    except psycopg.errors.DependentObjectsStillExist as error:
        raise DatabaseDenied(
            f"{database.schema}.{view} has to be created again, because its columns or their types change, but other "
            f"views read it: {'; '.join((error.diag.message_detail or str(error)).splitlines())}. Save their "
            "definitions (select pg_get_viewdef('<view>'::regclass)), drop them, clear this task or run sync again, "
            "and create them again. Nothing has changed yet"
        ) from error
    return [Grant(view, *row) for row in rows]


def comment_costs(connection: Connection, kind: sql.SQL, relation: sql.Identifier) -> None:
    """Write comments on the columns of `costs`, or of another relation with the same columns."""
    connection.execute(sql_files.compose(sql_files.read("views/costs_comments.sql"), kind=kind, relation=relation))


def _create_accounts(connection: Connection, database: Database) -> list[str]:
    grants: list[Grant] = []
    changed = _create(connection, database, "accounts", accounts.select(connection, database), grants)
    grant(connection, database, grants)
    if changed:
        accounts.comment(connection, database)
    return changed


def _create_costs(connection: Connection, database: Database) -> list[str]:
    selects = [
        sql_files.compose(
            sql_files.read("views/costs.sql"),
            name_of_account=accounts.name_of(database, sql.Identifier("account_name"), sql.Identifier("account_id")),
            normalized=database.table(f"{name}_normalized"),
        )
        for name, _ in _published(connection, database, "normalized")
    ]
    if not selects:
        log.info("no month is published yet: the view costs comes with the first one")
        return []
    grants: list[Grant] = []
    changed = _create(connection, database, "costs", sql.SQL("\nunion all\n").join(selects), grants)
    grant(connection, database, grants)
    if changed:
        comment_costs(connection, sql.SQL("view"), database.table("costs"))
    return changed


def _published(connection: Connection, database: Database, kind: str) -> list[tuple[str, str]]:
    """Return the name and format of each source whose raw or normalized table exists.

    The format is the one of the newest load, because a source may have changed its format.
    """
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
    return [(name, form) for name, form in rows if exists(connection, database.table(table.format(name)))]


def _create(
    connection: Connection, database: Database, name: str, select: sql.Composable, grants: list[Grant]
) -> list[str]:
    """Create or replace a view when its definition differs, and return its name if it did.

    PostgreSQL can replace a view only by one with the same columns, and perhaps more after them. In any other case the
    view is dropped, and with it the views of this package that read it. The rights on all of them are added to
    `grants`.
    """
    view = database.table(name)
    if not exists(connection, view):
        connection.execute(sql.SQL("create view {} as {}").format(view, select))
        return [name]
    # PostgreSQL stores a definition in a form of its own, so only two stored definitions can be compared. The probe is
    # in the staging schema, where no reader locks it.
    probe = database.staging_table("view_probe")
    connection.execute(sql.SQL("create view {} as {}").format(probe, select))
    row = connection.execute(
        "select pg_get_viewdef(to_regclass(%s)) = pg_get_viewdef(to_regclass(%s))",
        [view.as_string(connection), probe.as_string(connection)],
    ).fetchone()
    is_same = row is not None and row[0]
    before, after = ([] if is_same else list(columns_of(connection, one).items()) for one in (view, probe))
    connection.execute(sql.SQL("drop view {}").format(probe))
    if is_same:
        return []
    if before != after[: len(before)]:
        log.warning("the columns of %s.%s change: it is dropped and created", database.schema, name)
        if name.endswith("_focus") or name == "focus_costs":
            grants += _drop_focus_costs(connection, database)
        grants += _drop(connection, database, name)
    connection.execute(sql.SQL("create or replace view {} as {}").format(view, select))
    return [name]


def _comment_focus(connection: Connection, view: sql.Identifier, grain: str, meanings: Mapping[str, str]) -> None:
    """Write comments on a FOCUS view and its columns, where they differ.

    A comment takes a lock that does not make readers wait.
    """
    rows = connection.execute(
        """
        select attname, description, (select obj_description(to_regclass(%(view)s), 'pg_class'))
        from pg_attribute
        left join pg_description on objoid = attrelid and objsubid = attnum and classoid = 'pg_class'::regclass
        where attrelid = to_regclass(%(view)s) and attnum > 0
        order by attnum
        """,
        {"view": view.as_string(connection)},
    ).fetchall()
    comments = [
        sql.SQL("comment on column {}.{} is {}").format(view, sql.Identifier(column), sql.Literal(meanings.get(column)))
        for column, known, _ in rows
        if known != meanings.get(column)
    ]
    if any(known != grain for *_, known in rows):
        comments.append(sql.SQL("comment on view {} is {}").format(view, sql.Literal(grain)))
    if comments:
        connection.execute(sql.SQL(";\n").join(comments))
