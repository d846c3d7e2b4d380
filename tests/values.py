"""Rows that are written down by hand, as a statement of `include/sql` reads them in the place of a load's."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import Cursor, sql

from cloud_costs.charges import focus
from cloud_costs.charges.columns import focus_columns
from cloud_costs.charges.lines import RawLines, on_basis
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.formats import FORMATS

Row = dict[str, Any]
CHARGE_TYPES = {column.name: column.type for column in focus_columns()}


def rows_of(rows: Sequence[Row], types: Mapping[str, str]) -> sql.Composed:
    """Return the select of rows as PostgreSQL would hold them; what a row does not state is NULL."""
    return sql.SQL("select * from jsonb_to_recordset({}::jsonb) as rows ({})").format(
        sql.Literal(json.dumps(rows, default=str)),
        sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in types.items()
        ),
    )


def relation_of(rows: Sequence[Row], types: Mapping[str, str]) -> sql.Composed:
    """Return the same as a relation that a statement reads from by its place."""
    return sql.SQL("({})").format(rows_of(rows, types))


def run_sql(database: Database, path: str, parameters: Row | None = None, **places: sql.Composable) -> list[Row]:
    """Run a statement of `include/sql`, its `{places}` filled, and return its rows."""
    statement = sql_files.compose(sql_files.read(path), **places)
    with database.session() as connection:
        cursor = connection.execute(statement, parameters)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Export:
    """Lines of one month as an export has them, in the place of a raw table; `types` are those that a CSV has not."""

    format: str
    lines: Sequence[Row]
    types: Mapping[str, str] = field(default_factory=dict)

    def charges(self, database: Database) -> list[Row]:
        """Return the FOCUS charges of the lines, of each what is not NULL."""
        with database.session() as connection:
            return _rows(connection.execute(focus.charges(connection, self._raw_lines(connection, database))))

    def daily_charges(self, database: Database) -> list[Row]:
        """Return the charges of the sums of like lines of a day, of each what is not NULL."""
        with database.session() as connection:
            lines = self._raw_lines(connection, database)
            daily = sql.SQL("({}) as daily").format(focus.daily_lines(lines, ()))
            return _rows(connection.execute(focus.daily_charges(connection, lines, daily)))

    def totals(self, database: Database) -> list[Row]:
        """Return what the lines themselves sum to, of each payer, invoice and currency what is not NULL."""
        with database.session() as connection:
            return _rows(connection.execute(focus.raw_totals(self._raw_lines(connection, database))))

    def _raw_lines(self, connection: Connection, database: Database) -> RawLines:
        form = FORMATS[self.format]
        names = dict.fromkeys(name for line in self.lines for name in line)
        columns = {name: self.types.get(name) or form.csv_type(name) for name in names}
        lines = sql.SQL("(select date '2025-01-01' as billing_period, * from {}) as lines").format(
            relation_of(self.lines, columns)
        )
        raw = RawLines(form, lines, columns, database.schema, {})
        return on_basis(raw, focus.net_accounts(connection, raw))


OF_DAY = (
    *("billingaccountid", "invoiceid", "subaccountid", "servicename", "regionid", "chargecategory", "billingcurrency"),
    *("commitmentdiscountstatus", "providername"),
)
ADDED_UP = ("billedcost", "effectivecost", "listcost", "x_lineitems")


def sums_by_day(charges: Sequence[Row]) -> dict[tuple[Any, ...], list[Any]]:
    """Return what charges sum to by the day that they begin on and what daily totals tell apart."""
    sums: dict[tuple[Any, ...], list[Any]] = {}
    for charge in charges:
        started = charge.get("chargeperiodstart")
        key = (started and started.date(), *(charge.get(name) for name in OF_DAY))
        before = sums.get(key, [0] * len(ADDED_UP))
        sums[key] = [one + charge[name] for one, name in zip(before, ADDED_UP, strict=True)]
    return sums


def _rows(cursor: Cursor[Any]) -> list[Row]:
    names = [column.name for column in cursor.description or ()]
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not None} for row in cursor.fetchall()
    ]
