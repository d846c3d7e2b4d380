"""`costs_by_day` and three coarser tables: totals of `costs`, for queries over many months.

`costs` has a row for each day, account, service, region, invoice and tags. A query over all months reads millions of
them. These tables have fewer columns, and so fewer rows. Each holds the totals of all costs, to the last digit, so a
query may use any table that has its columns: `table_for` says which is the smallest.
"""

from collections.abc import Iterable
from datetime import date
from types import MappingProxyType

from psycopg import sql

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import NO_AUTOVACUUM, Connection, Database

# What every table has beside its own columns.
COMMON = ("billing_period", "currency", "charge_category", "source", "cloud_provider", "billing_account_id")
AMOUNTS = ("cost", "effective_cost", "list_cost", "line_items")
# The tables and the columns that their rows are totals by, smallest table first.
RELATIONS = MappingProxyType(
    {
        "costs_by_day_service": ("date", "service", *COMMON),
        "costs_by_month": ("month", "service", "account_id", *COMMON),
        "costs_by_day_account": ("date", "account_id", *COMMON),
        "costs_by_day": ("date", "service", "account_id", *COMMON),
    }
)


def table_for(columns: Iterable[str]) -> str:
    """Return the name of the smallest relation with all columns that a query groups or filters by.

    It is one of `RELATIONS`, or `costs` where none has them all, as for `region`. `month` is the first day of the month
    of `date`, which `costs_by_month` alone has. It differs from `billing_period`, because a bill may hold charges of
    days in another month. Every relation has `billing_period` and the `AMOUNTS`.
    """
    wanted = set(columns) - set(AMOUNTS)
    return next((name for name, known in RELATIONS.items() if wanted <= set(known)), "costs")


def stage(connection: Connection, staged: sql.Identifier, normalized: sql.Identifier) -> None:
    """Create the staging table with a month's rows for all four tables, from its staged daily totals."""
    select = sql_files.compose(sql_files.read("costs_by_day.sql"), normalized=normalized)
    connection.execute(sql.SQL("create table {} with ({}) as {}").format(staged, NO_AUTOVACUUM, select))


def publish(connection: Connection, database: Database, staged: sql.Identifier, source: str, month: date) -> None:
    """Replace a month's rows by the staged ones, in the open transaction.

    Readers do not wait: until the commit they see the old rows, and after it the new ones.
    """
    for name, known in RELATIONS.items():
        table = database.table(name)
        connection.execute(
            sql.SQL("delete from {} where source = %s and billing_period = %s").format(table), [source, month]
        )
        columns = sql.SQL(", ").join(map(sql.Identifier, (*known, *AMOUNTS)))
        connection.execute(
            sql.SQL("insert into {} ({}) select {} from {} where relation = {}").format(
                table, columns, columns, staged, sql.Literal(name)
            )
        )


def published(database: Database, source: str, month: date) -> sql.Composed:
    """Return the select of a month's published rows: the columns that the checks read."""
    selects = [
        sql.SQL("select {} as relation, currency, {} from {} where source = {} and billing_period = {}").format(
            sql.Literal(name),
            sql.SQL(", ").join(map(sql.Identifier, AMOUNTS)),
            database.table(name),
            sql.Literal(source),
            sql.Literal(month),
        )
        for name in RELATIONS
    ]
    return sql.SQL("({})").format(sql.SQL(" union all ").join(selects))
