"""`commitment_costs`: what Savings Plans, reservations and committed use discounts cost, month by month.

`costs` has no commitments, and `focus_costs` computes a month's charges anew for every query. So `normalize` sums the
charges that belong to a commitment, and Spot use, which no commitment can cover. `publish` makes them visible with the
month.
"""

from datetime import date

from psycopg import sql

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import NO_AUTOVACUUM, Connection, Database

TABLE = "commitment_costs"
FILE = "commitment_costs.sql"
COLUMNS = (
    "source",
    "billing_period",
    "cloud_provider",
    "currency",
    "billing_account_id",
    "account_id",
    "service",
    "charge_category",
    "commitment_id",
    "commitment_name",
    "commitment_type",
    "commitment_category",
    "commitment_status",
    "is_spot",
    "billed_cost",
    "effective_cost",
    "list_cost",
    "line_items",
)


def stage(connection: Connection, staged: sql.Identifier, charges: sql.Composable, source: str, month: date) -> None:
    """Create the staging table with a month's rows, from the FOCUS charges of its daily sums."""
    select = sql_files.compose(
        sql_files.read(FILE), charges=charges, source=sql.Literal(source), billing_period=sql.Literal(month)
    )
    connection.execute(sql.SQL("create table {} with ({}) as {}").format(staged, NO_AUTOVACUUM, select))


def publish(connection: Connection, database: Database, staged: sql.Identifier, source: str, month: date) -> None:
    """Replace a month's rows by the staged ones, in the open transaction. Readers do not wait."""
    table = database.table(TABLE)
    connection.execute(
        sql.SQL("delete from {} where source = %s and billing_period = %s").format(table), [source, month]
    )
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    connection.execute(sql.SQL("insert into {} ({}) select {} from {}").format(table, columns, columns, staged))
