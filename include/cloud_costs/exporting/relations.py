"""What is exported of a month: the columns of `costs`, or those of a version of FOCUS, in a stable order of rows.

A version of FOCUS is exported from `<source>_focus`, and not from `focus_costs`, so that only the source's own tables
are read and locked. Its columns have the specification's names. Behind them come the columns whose names begin with
`x_`, which FOCUS allows: they lead back to the exported lines, and `format: focus` makes the same `costs` of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from psycopg import sql

from cloud_costs.charges import focus_versions
from cloud_costs.charges.columns import focus_columns
from cloud_costs.charges.focus import OF_ALL_SOURCES
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection, Database, columns_of

COSTS = "costs"
# The decimals of Parquet files.
DIGITS, SCALE = 38, 18
# Columns of `costs` that are in the path of each file, where engines find them. In the files too, they would be there
# twice, which DuckDB resolves by the path and others refuse.
IN_PATH = ("source", "billing_period")
# The columns that the rows are sorted by, before all others. Rows of a day, an account and a service are then together,
# which makes files small, and lets readers leave out what they do not ask for.
FIRST = {
    True: ("ChargePeriodStart", "SubAccountId", "ServiceName", "x_lineitemid", "ChargeCategory", "ResourceId"),
    False: ("date", "account_id", "service", "charge_category", "region"),
}


@dataclass(frozen=True)
class Column:
    """A column of the files: its name, its PostgreSQL type, and the SQL expression of its value in `relation`."""

    name: str
    type: str
    value: sql.Composable


@dataclass(frozen=True)
class Exported:
    """A month's rows: the relation that they are selected from, its columns, and where its money is.

    `parent` is the partitioned table whose partition of the month holds the rows.
    """

    source: str
    relation: sql.Identifier
    columns: tuple[Column, ...]
    condition: sql.Composable
    parent: str
    currency: str
    sums: tuple[str, ...]
    first: tuple[str, ...]

    @property
    def numbers(self) -> list[Column]:
        """The columns of numbers."""
        return [column for column in self.columns if column.type == "numeric"]

    def named(self, name: str) -> Column:
        """Return a column by its name."""
        return next(column for column in self.columns if column.name == name)


def folder_of(focus_version: str | None) -> str:
    """Return the name of what is exported, which is a folder of the export: `focus_costs_v1_2`, or `costs`."""
    return focus_versions.view_of(focus_version) if focus_version else COSTS


def relation_of(source: str, focus_version: str | None) -> str:
    """Return the name of the view that a source's rows are selected from."""
    return f"{source}_focus" if focus_version else COSTS


def exported(connection: Connection, database: Database, source: str, focus_version: str | None) -> Exported:
    """Return what is exported of a source: a version of FOCUS, or `costs` for None."""
    if focus_version is None:
        costs = database.table(COSTS)
        return Exported(
            source,
            costs,
            tuple(
                Column(name, kind, sql.Identifier(name))
                for name, kind in columns_of(connection, costs).items()
                if name not in IN_PATH
            ),
            sql.SQL("source = {} and billing_period").format(sql.Literal(source)),
            f"{source}_normalized",
            "currency",
            ("cost", "effective_cost", "list_cost"),
            FIRST[False],
        )
    return Exported(
        source,
        database.table(relation_of(source, focus_version)),
        tuple(_focus_columns(source, focus_version)),
        sql.SQL("billing_period"),
        f"raw_{source}",
        "BillingCurrency",
        ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"),
        FIRST[True],
    )


def _focus_columns(source: str, version: str) -> Iterator[Column]:
    taken = set()
    for column in focus_versions.columns_of_version(version):
        taken.add(column.expression)
        value = sql.SQL("({})::{}").format(sql_files.compose(column.expression), sql_files.compose(column.type))
        yield Column(column.name, column.type, value)
    for own in focus_columns():
        if own.name == OF_ALL_SOURCES:
            yield Column(own.name, own.type, sql.SQL("{}::text").format(sql.Literal(source)))
        elif own.name.startswith("x_") and own.name not in taken:
            yield Column(own.name, own.type, sql.Identifier(own.name))


def rows(found: Exported, texts: Mapping[str, sql.Composable]) -> sql.Composed:
    """Return the select of a month's rows in a stable order; `texts` has how a column is written, where not as it is.

    Its one parameter is the month. Every column is a key of the order at last, so only equal rows are in any order.
    """
    by_name = {one.name: one for one in found.columns}
    keys = [by_name[name] for name in dict.fromkeys([*found.first, *by_name])]
    return sql.SQL("select {} from (select {} from {} where {} = %s order by {} offset 0) as exported").format(
        sql.SQL(", ").join(texts.get(name, sql.Identifier(name)) for name in by_name),
        # PostgreSQL sorts rows as they are selected here, and walks through a row up to the key that it compares. With
        # the keys in front, the sort of a million FOCUS charges takes half the time.
        sql.SQL(", ").join(sql.SQL("{} as {}").format(one.value, sql.Identifier(one.name)) for one in keys),
        found.relation,
        found.condition,
        # The order of the C locale is the same on every server, and the fastest.
        sql.SQL(", ").join(
            sql.SQL('({}) collate "C"' if one.type == "text" else "{}").format(one.value) for one in keys
        ),
    )


def facts(found: Exported) -> sql.Composed:
    """Return the select of a month's currencies: the currency, its rows, the sum of each cost, and facts on digits.

    For each number there are two facts: whether one is too large for `DIGITS` and `SCALE`, or is none; and the most
    decimal places, where zeros at the end count.
    """
    wanted = [found.named(found.currency).value, sql.SQL("count(*)")]
    wanted += [sql.SQL("coalesce(sum({}), 0)").format(found.named(name).value) for name in found.sums]
    for column in found.numbers:
        # PostgreSQL takes NaN for larger than all numbers.
        limit = sql.Literal(Decimal(10) ** (DIGITS - SCALE))
        wanted.append(sql.SQL("coalesce(max(abs({})) >= {}, false)").format(column.value, limit))
        wanted.append(sql.SQL("coalesce(max(scale({})), 0)").format(column.value))
    return _of_month(found, wanted) + sql.SQL(" group by 1 order by 1")


def places(found: Exported, columns: Sequence[Column]) -> sql.Composed:
    """Return the select of the most decimal places of each of these numbers, without zeros at the end."""
    return _of_month(found, [sql.SQL("max(scale(trim_scale({})))").format(column.value) for column in columns])


def _of_month(found: Exported, wanted: Sequence[sql.Composable]) -> sql.Composed:
    return sql.SQL("select {} from {} where {} = %s").format(
        sql.SQL(", ").join(wanted), found.relation, found.condition
    )
