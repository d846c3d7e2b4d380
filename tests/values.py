"""Hand-written rows, which a statement of `include/sql` reads in the place of a load's rows."""

from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from cloud_costs.charges.columns import focus_columns
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Database

Row = dict[str, Any]
CHARGE_TYPES = {column.name: column.type for column in focus_columns()}


def rows_of(rows: list[Row], types: dict[str, str]) -> sql.Composed:
    """Return the select of rows in the types that PostgreSQL has; a column that a row does not state is NULL."""
    columns = sql.SQL(", ").join(
        sql.SQL("null::{} as {}").format(sql.SQL(kind), sql.Identifier(name)) for name, kind in types.items()
    )
    selects = (
        sql.SQL("select {}").format(
            sql.SQL(", ").join(
                sql.SQL("{}::{}").format(sql.Literal(_stored(row.get(name))), sql.SQL(kind))
                for name, kind in types.items()
            )
        )
        for row in rows
    )
    return sql.SQL(" union all ").join([sql.SQL("select {} where false").format(columns), *selects])


def relation_of(rows: list[Row], types: dict[str, str]) -> sql.Composed:
    """Return the same rows as a relation, for a `{place}` in the `from` of a statement."""
    return sql.SQL("({})").format(rows_of(rows, types))


def run_sql(database: Database, path: str, parameters: Row | None = None, **places: sql.Composable) -> list[Row]:
    """Run a statement of `include/sql`, its `{places}` filled, and return its rows."""
    statement = sql_files.compose(sql_files.read(path), **places)
    with database.session() as connection:
        cursor = connection.execute(statement, parameters)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _stored(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict) else value
