"""The tables of this package: the numbered DDL of `include/sql/schema`, and the rights of those who read."""

import csv
from collections.abc import Sequence

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.errors import DatabaseDenied, SchemaTooNew

# What the reader role of include/sql/schema/roles.sql may select from, beside the views of refresh_views.
HISTORY = (
    "audit_results",
    "file_facts",
    "load_files",
    "load_history",
    "manifest_totals",
    "published_months",
    "published_totals",
    "raw_columns",
    "raw_months",
    "restatements",
)
# Totals of `costs`, which readers may read too.
TOTALS = ("commitment_costs", "costs_by_day", "costs_by_day_account", "costs_by_day_service", "costs_by_month")
# What insights say.
INSIGHTS = ("anomalies", "anomaly_actions", "budget_status", "budgets", "day_totals", "forecasts", "reports")
# While DDL waits for one reader's lock, all later readers wait behind it (see `locks`).
DDL_LOCK_TIMEOUT = "10s"


def apply_schema(database: Database) -> list[str]:
    """Create the schemas, apply the numbered DDL that this database has not seen, and return the names of these files.

    Runs in one transaction under an advisory lock, so two processes may call it at once, and a file that fails leaves
    nothing half done. Raises `SchemaTooNew` for a database that has seen files which this version does not have, and
    `DatabaseUnavailable` when a reader holds a lock on a table of a file for `DDL_LOCK_TIMEOUT`.
    """
    files = sorted(path.name for path in (sql_files.FOLDER / "schema").glob("[0-9]*.sql"))
    with database.session() as connection, connection.transaction():
        connection.execute(
            "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"cloud_costs schema {database.schema}"]
        )
        for schema in (database.schema, database.staging_schema):
            if not _exists(connection, schema):
                _create_schema(connection, schema)
        versions = database.table("schema_versions")
        connection.execute(
            sql.SQL(
                "create table if not exists {} (name text primary key, applied_at timestamptz not null default now())"
            ).format(versions)
        )
        seen = {row[0] for row in connection.execute(sql.SQL("select name from {}").format(versions))}
        if newer := sorted(seen - set(files)):
            raise SchemaTooNew(
                f"a newer version of this package made the tables of {database.schema} ({', '.join(newer)}): "
                "update this installation, because an older version would write what the newer one does not expect"
            )
        missing = [file for file in files if file not in seen]
        connection.execute(sql.SQL("set local lock_timeout to {}").format(sql.Literal(DDL_LOCK_TIMEOUT)))
        for file in missing:
            text = sql_files.read(f"schema/{file}")
            connection.execute(sql_files.compose(text, schema=sql.Identifier(database.schema)))
            connection.execute(sql.SQL("insert into {} (name) values (%s)").format(versions), [file])
        for name in sql_files.reference_tables():
            _fill_reference(connection, database, name)
        let_read(connection, database, HISTORY + TOTALS + INSIGHTS)
    return missing


def let_read(connection: Connection, database: Database, names: Sequence[str]) -> None:
    """Grant the reader role, where there is one, select on those of the named relations that it cannot read yet.

    Names of relations that do not exist are left out.
    """
    rows = connection.execute(
        """
        select relations.relname
        from pg_class as relations
        inner join pg_roles as reader on reader.rolname = %s
        where
            relations.relnamespace = to_regnamespace(quote_ident(%s))
            and relations.relname = any(%s)
            and not has_table_privilege(reader.oid, relations.oid, 'select')
        """,
        [database.reader, database.schema, list(names)],
    ).fetchall()
    for (name,) in rows:
        connection.execute(
            sql.SQL("grant select on {} to {}").format(database.table(name), sql.Identifier(database.reader))
        )


def _fill_reference(connection: Connection, database: Database, name: str) -> None:
    """Make a reference table equal to its file in `include/sql/focus`. Rows that are the same are not touched.

    The first column of the file is the key. All columns are text.
    """
    # The whole file travels as one jsonb value. Rows that did not change keep their version, so that a start of the
    # package writes nothing.
    rows = list(csv.DictReader(sql_files.read(f"focus/{name}.csv").splitlines()))
    key, *others = rows[0]
    connection.execute(
        sql.SQL("create table if not exists {} ({} text primary key, {})").format(
            database.table(name),
            sql.Identifier(key),
            sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(other)) for other in others),
        )
    )
    columns = sql.SQL(", ").join(sql.Identifier(column) for column in rows[0])
    wanted = sql.SQL("select {} from jsonb_populate_recordset(null::{}, %s)").format(columns, database.table(name))
    connection.execute(
        sql.SQL("delete from {table} where {key} not in (select {key} from ({wanted}) as wanted)").format(
            table=database.table(name), key=sql.Identifier(key), wanted=wanted
        ),
        [Jsonb(rows)],
    )
    connection.execute(
        sql.SQL(
            "insert into {table} as known ({columns}) {wanted} on conflict ({key}) do update set {assignments} "
            "where (known.*) is distinct from (excluded.*)"
        ).format(
            table=database.table(name),
            columns=columns,
            wanted=wanted,
            key=sql.Identifier(key),
            assignments=sql.SQL(", ").join(
                sql.SQL("{name} = excluded.{name}").format(name=sql.Identifier(other)) for other in others
            ),
        ),
        [Jsonb(rows)],
    )


def _create_schema(connection: Connection, name: str) -> None:
    # `create schema if not exists` would ask for the right to create even where the schema exists.
    try:
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(name)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseDenied(
            f"the schema {name} does not exist, and this role may not create it ({error.diag.message_primary}): let an "
            "administrator run include/sql/schema/roles.sql"
        ) from error


def _exists(connection: Connection, schema: str) -> bool:
    row = connection.execute("select to_regnamespace(quote_ident(%s)) is not null", [schema]).fetchone()
    return bool(row and row[0])
