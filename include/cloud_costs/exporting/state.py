"""What the rows of an export come from in the database: one state of it, and a digest of that state.

As long as the digest is the same, the rows are the same, and a month need not be read to know that. Its parts change
whenever the rows may change: a month that is published again is another partition, and another mapping, list of
accounts or set of sources is another definition or content. Where only the digest differs, the rows are read and
compared.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from cloud_costs.charges import focus
from cloud_costs.config.exports import Export
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.errors import LoadBusy
from cloud_costs.exporting.relations import Exported, folder_of
from cloud_costs.formats import FORMATS

# Another number makes every month be read again: for a change of how files are written.
LAYOUT = 1
PARTITION = """
    select child.oid, child.relname, pg_relation_filenode(child.oid)
    from pg_inherits
    inner join pg_class as child on child.oid = pg_inherits.inhrelid
    where
        pg_inherits.inhparent = to_regclass(%s)
        and pg_get_expr(child.relpartbound, child.oid) = format('FOR VALUES IN (%%L)', %s::text)
"""


@dataclass(frozen=True)
class Published:
    """The load that brought the rows in, the version of its delivery, and its source's format."""

    load_id: int
    version: str
    format: str


@contextmanager
def alone(database: Database, label: str, folder: str) -> Iterator[Connection]:
    """Give a connection that holds the lock of the folder of a month; raises `LoadBusy` when another export does.

    Else one export could delete the files that another one is writing.
    """
    with database.session() as connection:
        key = f"cloud_costs export {database.schema} {folder}"
        row = connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", [key]).fetchone()
        if not row or not row[0]:
            raise LoadBusy(f"{label}: another export of this month to {folder} is running; it will be tried again")
        # The end of the session frees the lock.
        yield connection


@contextmanager
def one_state(connection: Connection, relation: sql.Identifier) -> Iterator[None]:
    """Begin a read-only transaction, which sees one state of the database and keeps the tables of a view as they are.

    The swap of a partition is no change of rows. A transaction that sees an older state would find the new partition,
    and in it only the lines that were copied before its state. With the lock, which comes before the state, `publish`
    waits, as for any reader.
    """
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    with connection.transaction():
        connection.execute(sql.SQL("lock table {} in access share mode").format(relation))
        yield


def find_published(
    connection: Connection, database: Database, source: str, month: date, export: Export
) -> Published | None:
    """Return the load whose rows are published; None where no load of the month is."""
    # A load of raw lines alone leaves `costs` as an older load made it.
    load_id = "load_id" if export.version else "normalized_load_id"
    row = connection.execute(
        sql.SQL(
            """
            select load.load_id, load.version, load.format
            from {} as months
            inner join {} as load on load.load_id = months.{}
            where months.source = %s and months.billing_period = %s
            """
        ).format(database.table("published_months"), database.table("load_history"), sql.Identifier(load_id)),
        [source, month],
    ).fetchone()
    return Published(*row) if row else None


def state_of(
    connection: Connection, database: Database, found: Exported, month: date, published: Published, export: Export
) -> str | None:
    """Return a digest of what the month's rows come from; None where their partition is gone."""
    partition = connection.execute(PARTITION, [database.table(found.parent).as_string(connection), month]).fetchone()
    if partition is None:
        return None
    definition, accounts, basis = connection.execute(
        sql.SQL(
            """
            select
                pg_get_viewdef(to_regclass(%s)),
                (
                    select md5(string_agg(to_jsonb(array[account_id, name])::text, ',' order by account_id))
                    from {} where name is not null
                ),
                (select to_jsonb(net_accounts) from {} where source = %s and billing_period = %s)
            """
        ).format(database.table("accounts"), database.table("raw_months")),
        [found.relation.as_string(connection), found.source, month],
    ).fetchone() or (None, None, None)
    parts = (
        (LAYOUT, folder_of(export.version), export.format, [(one.name, one.type) for one in found.columns]),
        (published.load_id, partition, definition, accounts, basis),
        focus.digest(FORMATS[published.format].mapping) if published.format in FORMATS else None,
    )
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:32]
