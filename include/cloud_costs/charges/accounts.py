"""The list of accounts in the database: the table `account_list`, the view `accounts`, and the names in other views.

Views look the names up when they are read. So a change of the list shows in published months at once, and nothing is
loaded again.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict

from psycopg import sql
from psycopg.types.json import Jsonb

from cloud_costs.config.accounts import Account
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection, Database, columns_of, comments_of, exists
from cloud_costs.messages import safe

log = logging.getLogger(__name__)

# The columns of the FOCUS views that the list fills in, and the columns with the ids of these accounts.
NAMES = {"subaccountname": "subaccountid", "billingaccountname": "billingaccountid"}
# PostgreSQL computes the subselect once for a query, and only for a query that reads the name. A join with the list
# would cost every query of the view.
NAME = """
    coalesce(
        {name},
        (
            select jsonb_object_agg(listed.account_id, listed.name)
            from {accounts} as listed
            where listed.name is not null
        ) ->> {account_id}
    )
"""
NAMED_IN_LOG = 10
COMMENT = (
    "One row per account that the list of the configuration names, or that costs have and it does not (listed is "
    "false). Empty without a list."
)


def write(database: Database, listed: Sequence[Account]) -> None:
    """Make the table equal to the list, in one transaction. Rows that are the same are not touched.

    Accounts that only costs have stay while there is a list, marked as not listed.
    """
    table = database.table("account_list")
    rows = [asdict(account) for account in listed]
    with database.session() as connection, connection.transaction():
        _lock(connection, database)
        connection.execute(
            sql.SQL("delete from {} where account_id <> all(%(ids)s) and (listed or %(none)s)").format(table),
            {"ids": [account.account_id for account in listed], "none": not listed},
        )
        connection.execute(
            sql.SQL(
                """
                insert into {} as known (account_id, name, attributes, listed)
                select account_id, name, attributes, true
                from jsonb_to_recordset(%s) as listed (account_id text, name text, attributes jsonb)
                on conflict (account_id) do update set
                    name = excluded.name, attributes = excluded.attributes, listed = true
                where
                    (known.name, known.attributes, known.listed)
                    is distinct from (excluded.name, excluded.attributes, true)
                """
            ).format(table),
            [Jsonb(rows)],
        )


def compare(database: Database) -> None:
    """Record the months in which each account has costs, and warn of accounts that only the list or only costs have.

    Reads all of `costs` once, so it is called only where there is a list.
    """
    with database.session() as connection, connection.transaction():
        _lock(connection, database)
        if exists(connection, database.table("costs")):
            places = {name: database.table(name) for name in ("account_list", "costs")}
            connection.execute(sql_files.compose(sql_files.read("views/account_months.sql"), **places))
        unknown, unused = (
            [one for (one,) in connection.execute(statement.format(database.table("account_list"))).fetchall()]
            for statement in (
                sql.SQL("select account_id from {} where not listed order by last_month desc, account_id"),
                sql.SQL("select account_id from {} where last_month is null order by account_id"),
            )
        )
    for accounts, what in ((unknown, "of costs are not in the list"), (unused, "of the list are in no costs")):
        if accounts:
            more = ", …" if len(accounts) > NAMED_IN_LOG else ""
            named = ", ".join(accounts[:NAMED_IN_LOG]) + more
            log.warning("accounts: %s account(s) %s: %s", len(accounts), what, safe(named))


def select(connection: Connection, database: Database) -> sql.Composed:
    """Return the select of the view `accounts`. Each further column of the list is a column of the view."""
    table = database.table("account_list")
    rows = connection.execute(
        sql.SQL(
            "select distinct further.key from {} cross join jsonb_object_keys(attributes) as further (key) order by 1"
        ).format(table)
    ).fetchall()
    further = [sql.SQL("attributes ->> {} as {}").format(sql.Literal(name), sql.Identifier(name)) for (name,) in rows]
    columns = [sql.Identifier(name) for name in ("account_id", "name", "listed", "first_month", "last_month")]
    return sql.SQL("select {} from {}").format(sql.SQL(", ").join([*columns, *further]), table)


def comment(connection: Connection, database: Database) -> None:
    """Write comments on the view `accounts` and its columns."""
    view = database.table("accounts")
    connection.execute(sql.SQL("comment on view {} is {}").format(view, sql.Literal(COMMENT)))
    known = comments_of(connection, database.table("account_list"))
    for name in columns_of(connection, view):
        meaning = known.get(name, "As the list has it.")
        connection.execute(
            sql.SQL("comment on column {}.{} is {}").format(view, sql.Identifier(name), sql.Literal(meaning))
        )


def name_of(database: Database, name: sql.Composable, account_id: sql.Composable) -> sql.Composed:
    """Return the SQL expression of an account's name: the export's, or where it has none, the list's."""
    return sql.SQL(NAME).format(name=name, accounts=database.table("account_list"), account_id=account_id)


def with_names(database: Database, charges: sql.Composed, columns: Sequence[str]) -> sql.Composed:
    """Return the select of FOCUS charges with these columns, with names from the list where the export has none."""
    selected = []
    for column in columns:
        value: sql.Composable = sql.Identifier("charges", column)
        if column in NAMES:
            value = name_of(database, value, sql.Identifier("charges", NAMES[column]))
        selected.append(sql.SQL("{} as {}").format(value, sql.Identifier(column)))
    return sql.SQL("select {} from ({}) as charges").format(sql.SQL(", ").join(selected), charges)


def _lock(connection: Connection, database: Database) -> None:
    """Make other writers of the list wait: two that insert the same accounts in another order could deadlock."""
    connection.execute(
        "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"cloud_costs accounts {database.schema}"]
    )
