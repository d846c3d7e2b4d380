"""The SQL tool: a statement that passed the guard runs in a read-only transaction, with few rows and bytes back.

The statement runs inside a select of this module, which gives each row as one JSON text. So PostgreSQL bounds rows and
their lengths, whatever is in them, and all digits of a number arrive. The search path holds nothing but PostgreSQL's
own names and the schema of the costs.
"""

import json
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from cloud_costs.asking.basis import basis_of
from cloud_costs.asking.currencies import require_one_currency
from cloud_costs.asking.guard import check
from cloud_costs.asking.models import QueryAnswer, RelationColumn, RelationName
from cloud_costs.charges.views import READABLE
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection
from cloud_costs.database.schema import TOTALS
from cloud_costs.page.costs import Costs
from cloud_costs.page.problems import NO_SUCH, WRONG, Refusal
from cloud_costs.page.published import Published

RELATIONS = frozenset(
    {
        *READABLE,
        *TOTALS,
        *("audit_results", "load_files", "load_history", "published_months", "published_totals", "raw_months"),
        *("anomalies", "budget_status", "budgets", "forecasts", "restatements"),
    }
)
# Seconds; `focus_costs` reads raw lines.
SECONDS = 10.0
MAX_ROWS, MAX_ROW, MAX_ANSWER = 500, 20_000, 100_000
ROW = "row_of_the_answer"
# A comment may end the statement, so the bracket is on a line of its own.
OF_NO_ROW = "select * from (\n{statement}\n) as row_of_the_answer limit %s"
OF_ROWS = "select left(to_json(row_of_the_answer)::text, %s) from (\n{statement}\n) as row_of_the_answer limit %s"
# Errors that are of the statement: data, cardinality, syntax and names, and limits.
OF_STATEMENT = ("0A", "21", "22", "42", "54")
COLUMNS = """
    select relname, obj_description(pg_class.oid, 'pg_class'), attname, format_type(atttypid, atttypmod),
        col_description(attrelid, attnum)
    from pg_class inner join pg_attribute on attrelid = pg_class.oid
    where
        relnamespace = to_regnamespace(quote_ident(%s))
        and relname = any(%s)
        and attnum > 0
        and not attisdropped
        and has_table_privilege(pg_class.oid, 'select')
    order by relname, attnum
"""


def relations_of(costs: Costs, connection: Connection) -> list[RelationName]:
    """Return the relations that a statement may read, as far as they are there."""
    rows = connection.execute(COLUMNS, [costs.database.schema, sorted(RELATIONS)]).fetchall()
    return [RelationName(name=name, meaning=meaning) for name, meaning in dict(row[:2] for row in rows).items()]


def columns_of(costs: Costs, connection: Connection, relation: str) -> list[RelationColumn]:
    """Return the columns of a relation that a statement may read. Raises `Refusal` for another one."""
    wanted = [relation] if relation in RELATIONS else []
    rows = connection.execute(COLUMNS, [costs.database.schema, wanted]).fetchall()
    if not rows:
        raise Refusal(NO_SUCH, f"relation: {relation!r} is not one of those to ask.", "what_can_i_ask lists them.")
    return [RelationColumn(name=name, type=kind, meaning=meaning) for _, _, name, kind, meaning in rows]


def query(costs: Costs, text: str, connection: Connection, published: Published) -> QueryAnswer:
    """Return the rows of a statement. Raises `Refusal` for one that the guard refuses, or that PostgreSQL does."""
    statement = check(text, costs.database.schema, RELATIONS)
    if len(published.currencies) > 1:
        require_one_currency(statement.select, _types(costs, connection, statement.relations))
    path = sql.SQL(", ").join(map(sql.Identifier, ("pg_catalog", costs.database.schema, "pg_temp")))
    connection.execute(
        "select set_config('search_path', %s, true), set_config('standard_conforming_strings', 'on', true)",
        [path.as_string(connection)],
    )
    inner = sql.SQL(statement.text.replace("%", "%%"))
    try:
        # With bound values, PostgreSQL takes one statement and no more.
        empty = connection.execute(sql_files.compose(OF_NO_ROW, statement=inner), [0])
        columns = [column.name for column in empty.description or ()]
        if ROW in columns:
            raise Refusal(WRONG, f"statement: {ROW} is no name for a column.", "Give the column another name.")
        rows = connection.execute(sql_files.compose(OF_ROWS, statement=inner), [MAX_ROW + 1, MAX_ROWS + 1]).fetchall()
    except psycopg.Error as error:
        if (error.sqlstate or "")[:2] in OF_STATEMENT and error.sqlstate != "42501":
            hint = "Correct the statement; what_can_i_ask names the columns of a relation."
            raise Refusal(WRONG, f"statement: PostgreSQL says: {error.diag.message_primary}.", hint) from None
        raise
    found, cut = _bounded([row[0] for row in rows])
    return QueryAnswer(
        basis=basis_of(published, published.months),
        statement=statement.text.strip(),
        columns=columns,
        rows=found,
        cut=cut,
        currencies=published.currencies,
    )


def _types(costs: Costs, connection: Connection, names: frozenset[str]) -> Mapping[str, Mapping[str, str]]:
    rows = connection.execute(COLUMNS, [costs.database.schema, sorted(names)]).fetchall()
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    for relation, _, column, kind, _ in rows:
        found[relation][column] = kind
    return found


def _bounded(texts: list[str]) -> tuple[list[list[str | bool | None]], str | None]:
    found: list[list[str | bool | None]] = []
    size = 0
    for text in texts:
        if len(text) > MAX_ROW:
            raise Refusal(WRONG, f"statement: a row has more than {MAX_ROW:,} characters.", "Select fewer columns.")
        size += len(text)
        if len(found) == MAX_ROWS or size > MAX_ANSWER:
            return found, f"Only the first {len(found)} rows are here; aggregate, filter, or order and limit."
        found.append(
            [_value(value) for _, value in json.loads(text, object_pairs_hook=list, parse_float=str, parse_int=str)]
        )
    return found, None


def _value(value: Any) -> str | bool | None:
    """Return a value as a text with all its digits. Objects came as lists of pairs, which keep a name that is twice."""
    if value is None or isinstance(value, str | bool):
        return value
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(one, tuple) for one in value):
        return {key: _plain(one) for key, one in value}
    return [_plain(one) for one in value] if isinstance(value, list) else value
