"""Schemas that tests borrow and give back, because making them takes longer than most tests.

After a test, its relations and rows are removed from its schemas. A fingerprint then tells whether the schemas are as
they were made: relations, columns, constraints, triggers, functions, comments, rights, roles and the rows of tables
that are made with rows. Schemas with another fingerprint are not lent again.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql
from roles import own_schemas
from sharing import close_connections, keep_connections

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Database
from cloud_costs.demo.embedded_postgres import Server

# Everything in the two schemas that has a row of its own in a catalog, and the roles.
FINGERPRINT = """
    with spaces as (select * from pg_namespace where nspname = any(%(schemas)s)),
    tables as (select pg_class.* from pg_class inner join spaces on spaces.oid = relnamespace),
    parts as (
        select concat_ws(' ', 'schema', nspname, nspowner, nspacl) as part from spaces
        union all
        select concat_ws(' ', 'relation', oid, relname, relowner, relkind, relacl, reloptions, relrowsecurity)
        from tables
        union all
        select
            concat_ws(
                ' ', 'column', attrelid, attname, atttypid, atttypmod, attnotnull, attisdropped, attacl, attoptions
            )
        from pg_attribute inner join tables on tables.oid = attrelid
        union all
        select concat_ws(' ', 'default', adrelid, adnum, adbin)
        from pg_attrdef inner join tables on tables.oid = adrelid
        union all
        select concat_ws(' ', 'constraint', pg_constraint.oid, conname, convalidated)
        from pg_constraint inner join tables on tables.oid = conrelid
        union all
        select concat_ws(' ', 'trigger', pg_trigger.oid, tgname, tgenabled)
        from pg_trigger inner join tables on tables.oid = tgrelid
        union all
        select concat_ws(' ', 'rule', pg_rewrite.oid) from pg_rewrite inner join tables on tables.oid = ev_class
        union all
        select concat_ws(' ', 'function', pg_proc.oid, proname, proacl, md5(prosrc))
        from pg_proc inner join spaces on spaces.oid = pronamespace
        union all
        select concat_ws(' ', 'type', pg_type.oid, typname)
        from pg_type inner join spaces on spaces.oid = typnamespace
        union all
        select concat_ws(' ', 'comment', objoid, objsubid, description)
        from pg_description inner join tables on tables.oid = objoid
        union all
        select concat_ws(' ', 'rights to come', pg_default_acl.*) from pg_default_acl
        where
            defaclnamespace in (select oid from spaces)
            or defaclrole in (select oid from pg_roles where rolname = any(%(roles)s))
        union all
        select concat_ws(' ', 'role', pg_roles.*) from pg_roles where rolname = any(%(roles)s)
        union all
        select concat_ws(' ', 'setting', pg_db_role_setting.*) from pg_db_role_setting
        inner join pg_roles on pg_roles.oid = setrole where rolname = any(%(roles)s)
        union all
        select concat_ws(' ', 'member', pg_auth_members.*) from pg_auth_members
        inner join pg_roles on pg_roles.oid in (roleid, member) where rolname = any(%(roles)s)
    )
    select md5(string_agg(part, '|' order by part)) from parts
"""
RELATIONS = """
    select relnamespace::regnamespace::text, relname, relkind from pg_class
    where relnamespace = any(%s::regnamespace[]) and relkind in ('r', 'p', 'v', 'm') and not relispartition
"""
IDENTITIES = """
    select attrelid::regclass::text, attname from pg_attribute
    where attrelid = any(%s::regclass[]) and attidentity <> ''
"""
KINDS = {"r": "table", "p": "table", "v": "view", "m": "materialized view"}


@dataclass(frozen=True)
class Made:
    """Schemas, and what was in them when they were made."""

    database: Database
    relations: frozenset[tuple[str, str]]
    fingerprint: str


@dataclass
class Schemas:
    """The schemas of a server that no test has now."""

    server: Server
    _free: list[Made] = field(default_factory=list)
    _all: ExitStack = field(default_factory=ExitStack)
    _kept: psycopg.Connection | None = None

    @contextmanager
    def borrowed(self) -> Iterator[Database]:
        """Lend schemas as `own_schemas` makes them."""
        made = self._free.pop() if self._free else self._make()
        yield replace(made.database)
        # What cannot be cleaned is dropped at the end of the session.
        with suppress(psycopg.Error), self._administering() as connection:
            _clean(connection, made)
            if _fingerprint(connection, made.database) == made.fingerprint:
                self._free.append(made)
                return
        close_connections(made.database)

    def close(self) -> None:
        """Drop all schemas and roles that were made."""
        if self._kept:
            self._kept.close()
        for made in self._free:
            close_connections(made.database)
        self._all.close()

    @contextmanager
    def _administering(self) -> Iterator[psycopg.Connection]:
        """Give a transaction of the superuser. Its connection stays open, and so remembers catalog and plans."""
        if not self._kept or self._kept.closed:
            self._kept = psycopg.connect(self.server.uri(), autocommit=True, prepare_threshold=1)
        with self._kept.transaction():
            yield self._kept

    def _make(self) -> Made:
        database = self._all.enter_context(own_schemas(self.server))
        keep_connections(database)
        with self._administering() as connection:
            relations = frozenset((schema, name) for schema, name, _ in _relations(connection, database))
            return Made(database, relations, _fingerprint(connection, database))


def _relations(connection: psycopg.Connection, database: Database) -> list[tuple[str, str, str]]:
    return connection.execute(RELATIONS, [[database.schema, database.staging_schema]]).fetchall()


def _fingerprint(connection: psycopg.Connection, database: Database) -> str:
    names = [database.schema, database.staging_schema]
    roles = [f"{database.schema}_loader", database.reader]
    found = list(connection.execute(FINGERPRINT, {"schemas": names, "roles": roles}).fetchone())
    for table in _filled(database):
        rows = sql.SQL("select md5(string_agg(rows::text, '|' order by rows::text)) from {} as rows").format(table)
        found += connection.execute(rows).fetchone()
    return "|".join(map(str, found))


def _filled(database: Database) -> list[sql.Identifier]:
    """Return the tables that are made with rows in them."""
    return [database.table(name) for name in ("schema_versions", *sql_files.reference_tables())]


def _clean(connection: psycopg.Connection, made: Made) -> None:
    """Drop the relations that a test made, and delete the rows that it left."""
    # A connection that a test left open must not hold up the tests.
    connection.execute("set local lock_timeout to '2s'")
    connection.execute("set local session_replication_role to replica")
    statements, emptied = [], []
    for schema, name, kind in _relations(connection, made.database):
        relation = sql.Identifier(schema, name)
        if (schema, name) not in made.relations:
            statements.append(sql.SQL("drop {} if exists {} cascade").format(sql.SQL(KINDS[kind]), relation))
        elif kind == "r" and relation not in _filled(made.database):
            statements.append(sql.SQL("delete from {}").format(relation))
            emptied.append(relation.as_string(connection))
    for table, column in connection.execute(IDENTITIES, [emptied]).fetchall():
        restarted = sql.SQL("alter table {} alter column {} restart")
        statements.append(restarted.format(sql.SQL(table), sql.Identifier(column)))
    connection.execute(sql.SQL(";\n").join(statements))
