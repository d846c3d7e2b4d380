"""Down to the line: the FOCUS charges behind a number, and the exported lines behind a charge.

Charges are computed from raw lines when they are read. So the first page is what the database finds first, which takes
a moment however long the month is; the largest charges first means reading the whole month.
"""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from psycopg import sql

from cloud_costs.charges.columns import focus_columns
from cloud_costs.charges.focus import OF_ALL_SOURCES, RAW_LINE
from cloud_costs.database.postgres import Connection, columns_of
from cloud_costs.formats import FORMATS
from cloud_costs.months import month_label
from cloud_costs.page.costs import Costs
from cloud_costs.page.dimensions import BY_NAME, Bound, Dimension, Filters, condition
from cloud_costs.page.load_models import Charge, Charges, ColumnName, Lines, LoadName, RawLine
from cloud_costs.page.periods import Range
from cloud_costs.page.problems import NO_SUCH, WRONG, Refusal
from cloud_costs.page.published import Published

PAGE = 200
# Seconds. A month of ten million lines takes longer than any other view.
SECONDS = 30.0
# A load, and the place of a line in its raw partition: block and number.
LINE = re.compile(r"([0-9]{1,18})-([0-9]{1,10})-([0-9]{1,5})")
Order = Literal["stored", "largest"]
# The unused part of a commitment is one charge for its whole period; in costs, each day has its share of it.
IN_RANGE = sql.SQL(
    """
    (
        chargeperiodstart::date between {first}::date and {last}::date
        or (
            commitmentdiscountstatus = 'Unused'
            and chargeperiodstart::date <= {last}::date
            and chargeperiodend > {first}::date
        )
    )
    """
)


@dataclass(frozen=True)
class Wanted:
    """Which charges: of a range of days, or of billing months, in one currency, that the filters find."""

    range: Range
    by_billing_months: bool
    filters: Filters
    currency: str
    page: int
    order: Order


def charges(costs: Costs, wanted: Wanted, connection: Connection, published: Published) -> Charges:
    """Return a page of charges."""
    began = time.perf_counter()
    months = _months(wanted, published)
    columns = [column for column in focus_columns() if column.name != OF_ALL_SOURCES]
    rows: Sequence[tuple[Any, ...]] = ()
    if months:
        bound = Bound()
        selects = [
            _select(costs, published, source, wanted, months[source], [column.name for column in columns], bound)
            for source in months
        ]
        order = sql.SQL("order by size desc nulls last, source, line" if wanted.order == "largest" else "")
        statement = sql.SQL("select * from ({}) as charges {} limit {} offset {}").format(
            sql.SQL(" union all ").join(selects), order, bound(PAGE + 1), bound((wanted.page - 1) * PAGE)
        )
        rows = connection.execute(statement, bound).fetchall()
    loads = {(one.source, one.billing_period): one.load_id for one in published.months}
    return Charges(
        page=wanted.page,
        next=wanted.page + 1 if len(rows) > PAGE else None,
        columns=[ColumnName(name=one.name, label=one.focus_name or one.name, type=one.type) for one in columns],
        charges=[_charge(row, loads) for row in rows[:PAGE]],
        note=_note(costs, connection, months),
        milliseconds=round((time.perf_counter() - began) * 1000, 1),
    )


def lines(costs: Costs, source: str, month: date, line: str, connection: Connection, published: Published) -> Lines:
    """Return the exported line of a charge. Raises `Refusal` where the month was loaded again since."""
    found = LINE.fullmatch(line)
    if found is None:
        raise Refusal(WRONG, f"line: {line!r} is not the key of a charge.", "Take it from api/charges.")
    load_id, block, number = map(int, found.groups())
    load = next((one for one in published.months if (one.source, one.billing_period) == (source, month)), None)
    if load is None:
        detail = f"{source} {month_label(month)} is not published."
        raise Refusal(NO_SUCH, detail, "Months lists the sources and months that are.")
    if load.load_id != load_id:
        detail = f"{source} {month_label(month)} was loaded again after this charge was shown."
        raise Refusal(NO_SUCH, detail, "Open the charges again, and follow the new link.")
    raw = costs.database.table(f"raw_{source}")
    names = columns_of(connection, raw)
    files = costs.database.table("load_files")
    rows = connection.execute(
        sql.SQL(
            """
            select
                (select uri from {} where load_id = %(load)s and raw.xmin::text::bigint = any(transactions)),
                {}
            from {} as raw
            where billing_period = %(month)s and ctid = %(place)s::tid
            """
        ).format(
            files, sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier("raw", name)) for name in names), raw
        ),
        {"load": load_id, "month": month, "place": f"({block},{number})"},
    ).fetchall()
    if not rows:
        raise Refusal(NO_SUCH, f"There is no line {line} in {source} {month_label(month)}.", "Open the charges again.")
    originals = _originals(costs, connection, source)
    return Lines(
        load=LoadName(
            load_id=load_id,
            source=source,
            billing_period=month_label(month),
            version=load.version,
            published_at=load.published_at,
        ),
        columns=[ColumnName(name=name, label=originals.get(name, name), type=kind) for name, kind in names.items()],
        lines=[RawLine(file=row[0], values=list(row[1:])) for row in rows],
    )


def _originals(costs: Costs, connection: Connection, source: str) -> dict[str, str]:
    """Return the exporter's name of each raw column of a source."""
    rows = connection.execute(
        sql.SQL("select column_name, original_name from {} where source = %s").format(
            costs.database.table("raw_columns")
        ),
        [source],
    ).fetchall()
    return dict(rows)


def _months(wanted: Wanted, published: Published) -> dict[str, list[date]]:
    """Return the billing months of each source that may have such charges, newest first."""
    sources = wanted.filters.get(BY_NAME["source"])
    found: dict[str, list[date]] = {}
    for one in sorted(published.in_currency(wanted.currency), key=lambda one: one.source):
        if wanted.by_billing_months:
            is_wanted = wanted.range.first <= one.billing_period <= wanted.range.last
        else:
            is_wanted = one.first <= wanted.range.last and one.last >= wanted.range.first
        if is_wanted and (sources is None or one.source in sources):
            found.setdefault(one.source, []).append(one.billing_period)
    return found


def _select(
    costs: Costs,
    published: Published,
    source: str,
    wanted: Wanted,
    months: Iterable[date],
    columns: Sequence[str],
    bound: Bound,
) -> sql.Composable:
    def value(dimension: Dimension) -> sql.Composable:
        spellings = _spellings(costs, published, source, dimension.key) if dimension.key is not None else ()
        return dimension.value_of_charge(bound, spellings)

    filters = {one: values for one, values in wanted.filters.items() if one != BY_NAME["source"]}
    in_range: sql.Composable = sql.SQL("true")
    if not wanted.by_billing_months:
        in_range = IN_RANGE.format(first=bound(wanted.range.first), last=bound(wanted.range.last))
    return sql.SQL(
        """
        select {source}::text as source, billing_period, {line} as line, abs(billedcost) as size, {columns}
        from {charges}
        where billing_period = any({months}::date[]) and billingcurrency = {currency} and {range} and {filters}
        """
    ).format(
        source=bound(source),
        line=sql.Identifier(RAW_LINE),
        # Two columns of a subquery cannot have one name.
        columns=sql.SQL(", ").join(
            sql.SQL("{}::text as {}").format(sql.Identifier(name), sql.Identifier(f"focus_{name}")) for name in columns
        ),
        charges=costs.database.table(f"{source}_focus"),
        months=bound(sorted(set(months), reverse=True)),
        currency=bound(wanted.currency),
        range=in_range,
        filters=condition(filters, bound, value),
    )


def _spellings(costs: Costs, published: Published, source: str, key: str) -> Sequence[str]:
    """Return how the charges of a source may spell the key of a tag: not at all where the source does not name it."""
    configured = {one.name: one.tags for one in costs.sources()}
    if key not in configured.get(source, (key,)):
        return ()
    tags = FORMATS[published.formats[source]].tags
    # A key of a later list has the list's prefix only where an earlier list has the key too.
    prefixes = [one.prefix for one in tags.lists if one.prefix and key.startswith(one.prefix)]
    return tuple(dict.fromkeys([*tags.spellings(key), *(key.removeprefix(prefix) for prefix in prefixes)]))


def _charge(row: tuple[Any, ...], loads: dict[tuple[str, date], int]) -> Charge:
    source, month, place, _, *values = row
    line = None
    if place is not None:
        block, number = place.strip("()").split(",")
        line = f"{loads[source, month]}-{block}-{number}"
    return Charge(source=source, billing_period=month_label(month), line=line, values=values)


def _note(costs: Costs, connection: Connection, months: dict[str, list[date]]) -> str | None:
    """Return a sentence about months whose raw lines were dropped, and with them their charges."""
    rows = connection.execute(
        sql.SQL("select source, billing_period from {} where source = any(%s)").format(
            costs.database.table("raw_months")
        ),
        [list(months)],
    ).fetchall()
    dropped = [
        f"{source} {month_label(month)}"
        for source, wanted in months.items()
        for month in sorted(set(wanted))
        if (source, month) not in rows
    ]
    if not dropped:
        return None
    more = f" and {len(dropped) - 3} others" if len(dropped) > 3 else ""
    return f"The raw lines of {', '.join(dropped[:3])}{more} are no longer kept, so their charges cannot be shown."
