"""The rows that a check reads, written down by hand in the place of a load's."""

from collections.abc import Sequence
from typing import Any

from pipeline import JANUARY
from psycopg import sql
from values import CHARGE_TYPES, Row, relation_of, rows_of, run_sql

from cloud_costs.database.postgres import Database

RAW_TOTALS = {
    "billing_account_id": "text",
    "invoice_id": "text",
    "currency": "text",
    "stored_lines": "bigint",
    "billed_cost": "numeric",
    "gross_cost": "numeric",
    "split_cost": "numeric",
    "net_cost": "numeric",
    "effective_cost": "numeric",
    "line_items": "bigint",
    "net_lines": "bigint",
    "lines_without_net": "bigint",
    "is_net": "boolean",
    "effective_is_billed": "boolean",
    "usage_may_lack_account": "boolean",
}
FOCUS_TOTALS = {
    "billing_account_id": "text",
    "invoice_id": "text",
    "currency": "text",
    "billed_cost": "numeric",
    "effective_cost": "numeric",
    "list_cost": "numeric",
    "line_items": "bigint",
    "prepaid_cost": "numeric",
    "prepaid_use": "numeric",
    "commitment_charges": "bigint",
    "open_commitment_charges": "bigint",
    "charges_without_account": "bigint",
    "charges_of_unknown_service": "bigint",
    "fees_not_spread": "bigint",
    "charges_of_other_months": "bigint",
    "charges_without_dimensions": "bigint",
    "charges_of_unknown_type": "bigint",
    "adjustments": "bigint",
    "unused_below_zero": "bigint",
}
NORMALIZED = {
    "billing_period": "date",
    "billing_account_id": "text",
    "invoice_id": "text",
    "currency": "text",
    "cost": "numeric",
    "effective_cost": "numeric",
    "list_cost": "numeric",
    "line_items": "bigint",
}
BY_DAY = {
    "relation": "text",
    "currency": "text",
    "cost": "numeric",
    "effective_cost": "numeric",
    "list_cost": "numeric",
    "line_items": "bigint",
}
INVOICES = {"invoice_id": "text", "currency": "text", "billed_cost": "numeric"}
LISTED = {"invoice_id": "text", "amount": "numeric", "currency": "text", "billing_period": "date"}
FACTS = {"column_name": "text", "kind": "text", "value": "text", "number": "numeric"}
UNREADABLE = {"column_name": "text", "value": "text", "lines": "bigint", "line": "jsonb"}
OF_COMMITMENT = {"commitment_id": "text", **FOCUS_TOTALS}


class Find:
    """Runs a check on the rows of its places, and returns its violations in the order of their texts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __call__(
        self,
        check: str,
        *,
        raw: Sequence[Row] = (),
        focus: Sequence[Row] = (),
        commitments: Sequence[Row] = (),
        charges: Sequence[Row] = (),
        normalized: Sequence[Row] = (),
        totals: Sequence[Row] = (),
        published: Sequence[Row] = (),
        listed: Sequence[Row] = (),
        facts: Sequence[Row] = (),
        facts_by_file: Sequence[Row] = (),
        unreadable: Sequence[Row] = (),
    ) -> list[Row]:
        rows = run_sql(
            self._database,
            f"checks/{check}.sql",
            {"billing_period": JANUARY, "load_id": 1, "source": "cup"},
            schema=sql.Identifier(self._database.schema),
            raw_totals=relation_of(raw, RAW_TOTALS),
            focus_totals=relation_of(focus, FOCUS_TOTALS),
            commitment_totals=relation_of(commitments, OF_COMMITMENT),
            charges=rows_of(charges, CHARGE_TYPES),
            normalized=relation_of(normalized, NORMALIZED),
            by_day=relation_of(totals, BY_DAY),
            published_invoices=relation_of(published, INVOICES),
            listed_invoices=relation_of(listed, LISTED),
            stored_facts=relation_of(facts, FACTS),
            stored_by_file=rows_of(facts_by_file, {"uri": "text", **FACTS}),
            unreadable=rows_of(unreadable, UNREADABLE),
        )
        return sorted(rows, key=repr)


def store(database: Database, table: str, *rows: Row) -> None:
    """Let a table of the schema hold these rows of the load that a check is run for, and no others."""
    name = sql.Identifier(database.schema, table)
    with database.session() as connection, connection.transaction():
        connection.execute(sql.SQL("delete from {}").format(name))
        for row in rows:
            statement = sql.SQL("insert into {} ({}) overriding system value values ({})").format(
                name, sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(sql.Placeholder() * len(row))
            )
            connection.execute(statement, list(row.values()))


LOAD: dict[str, Any] = {"load_id": 1, "source": "cup", "format": "aws_cur", "billing_period": JANUARY}
