"""What Explore shows, as CSV or Parquet: every group and period, with all digits of each amount."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection
from cloud_costs.page.costs import Costs
from cloud_costs.page.dimensions import ACCOUNTS, Bound
from cloud_costs.page.models import plain
from cloud_costs.page.places import keys_of, place_of
from cloud_costs.page.problems import TOO_MUCH, Refusal
from cloud_costs.page.published import Published
from cloud_costs.page.questions import Question

MAX_ROWS = 200_000
# A spreadsheet takes a cell that begins with one of these for a formula, and would run what a tag says.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
# The most digits of Arrow's decimals of 128 bits and of 256.
DIGITS_128, DIGITS_256 = 38, 76


@dataclass(frozen=True)
class Download:
    """Rows of texts, days and amounts under the names of their columns; the last column is the amount."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


def download(costs: Costs, question: Question, connection: Connection, published: Published) -> Download:
    """Return the costs that a question is about, one row for each period and group, without the range before.

    Raises `Refusal` for more rows than `MAX_ROWS`.
    """
    bound = Bound()
    place = place_of(question, published, None)
    keys = keys_of(question.groups, bound)
    statement = sql_files.compose(
        sql_files.read("page/download.sql"),
        first_key=keys[0],
        second_key=keys[1],
        period_of_row=place.period(question, bound),
        metric=place.metric(question),
        relation=costs.database.table(place.relation),
        currency=bound(question.currency),
        condition=place.condition(question, bound, None),
        at_most=bound(MAX_ROWS + 1),
    )
    rows = connection.execute(statement, bound).fetchall()
    if len(rows) > MAX_ROWS:
        hint = "Ask for fewer days, by month or by one dimension, or use SQL on costs."
        raise Refusal(TOO_MUCH, f"The download would have more than {MAX_ROWS:,} rows.", hint)
    number = len(question.groups)
    accounts = [place for place, one in enumerate(question.groups) if one.column in ACCOUNTS]
    names = costs.catalogue.names_of(connection, published, (row[1 + place] for row in rows for place in accounts))
    columns = ["period"]
    for one in question.groups:
        columns += [one.name] + ([f"{one.column.removesuffix('_id')}_name"] if one.column in ACCOUNTS else [])
    shown = [
        (row[0], *_keys(row[1 : 1 + number], accounts, names), question.currency, row[-1] or Decimal(0)) for row in rows
    ]
    return Download((*columns, "currency", question.metric), shown)


def as_csv(content: Download) -> bytes:
    """Return the rows as CSV in UTF-8.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(map(_cell, content.columns))
    writer.writerows([_cell(value) for value in row] for row in content.rows)
    return text.getvalue().encode()


def as_parquet(content: Download) -> bytes:
    """Return the rows as Parquet. The amount is a decimal with as many places as the longest one has."""
    # Arrow takes a third of a second to import, and most people download nothing.
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = list(zip(*content.rows, strict=True)) or [()] * len(content.columns)
    kinds = [pa.date32(), *[pa.string()] * (len(content.columns) - 2), _decimal(columns[-1])]
    table = pa.table(
        [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)], names=list(content.columns)
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def _decimal(values: Sequence[Decimal]) -> Any:
    """Return the narrowest type of Arrow's decimals that has all digits of these numbers."""
    import pyarrow as pa

    parts = [value.as_tuple() for value in values]
    scale = max((-int(part.exponent) for part in parts), default=0)
    scale = max(scale, 0)
    whole = max((len(part.digits) + int(part.exponent) for part in parts), default=1)
    digits = max(whole, 1) + scale
    if digits > DIGITS_256:
        raise Refusal(TOO_MUCH, f"An amount has {digits} digits, more than Parquet has.", "Download CSV.")
    return pa.decimal128(DIGITS_128, scale) if digits <= DIGITS_128 else pa.decimal256(DIGITS_256, scale)


def _keys(keys: Sequence[str], accounts: Sequence[int], names: dict[str, str]) -> Iterator[str]:
    for place, key in enumerate(keys):
        yield key
        if place in accounts:
            yield names.get(key, "")


def _cell(value: Any) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, date):
        return value.isoformat()
    return f"'{value}" if value.startswith(FORMULA) else str(value)
