"""Where the costs of a question are: the smallest relation that has its columns, its days and its periods."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from cloud_costs.charges.by_day import table_for
from cloud_costs.page.dimensions import Bound, Dimension, condition
from cloud_costs.page.periods import Range
from cloud_costs.page.published import Published
from cloud_costs.page.questions import METRICS, Question

BY_MONTH = "costs_by_month"
PERIODS = {
    "day": sql.SQL("{}"),
    "week": sql.SQL("date_trunc('week', {}::timestamp)::date"),
    "month": sql.SQL("date_trunc('month', {}::timestamp)::date"),
}
# By billing months, a charge of a day outside its month counts on the month's first or last day.
DAY_OF_MONTH = sql.SQL(
    "least(greatest(date, billing_period), (billing_period + interval '1 month' - interval '1 day')::date)"
)


@dataclass(frozen=True)
class Place:
    """A relation, the column that tells whether a row is of the range, and the billing months that have such rows."""

    relation: str
    column: str
    billing_periods: Sequence[date]

    def period(self, question: Question, bound: Bound) -> sql.Composable:
        """Return the SQL expression of the period of a row, which is NULL before the range."""
        column: sql.Composable = sql.Identifier(self.column)
        if self.column in ("month", "billing_period") and question.per == "month":
            period: sql.Composable = column
        else:
            day = DAY_OF_MONTH if question.dates == "billing" else column
            period = PERIODS[question.per].format(day)
        return sql.SQL("case when {} >= {}::date then {} end").format(column, bound(question.range.first), period)

    def metric(self, question: Question) -> sql.Composable:
        """Return the column of the amount."""
        return sql.Identifier(METRICS[question.metric][0])

    def condition(self, question: Question, bound: Bound, before: Range | None) -> sql.Composable:
        """Return the SQL condition of the range, of the one before if there is one, and of the filters."""
        return sql.SQL("{} between {}::date and {}::date and billing_period = any({}::date[]) and {}").format(
            sql.Identifier(self.column),
            bound(before.first if before else question.range.first),
            bound(question.range.last),
            bound(list(self.billing_periods)),
            condition(question.filters, bound, lambda dimension: dimension.value(bound)),
        )


def place_of(question: Question, published: Published, before: Range | None) -> Place:
    """Return where the costs of a question are.

    PostgreSQL reads only the billing months that are known to have days of the range.
    """
    first, last = before.first if before else question.range.first, question.range.last
    columns = {one.column for one in (*question.groups, *question.filters)}
    if question.dates == "billing":
        wanted = columns if question.per == "month" else columns | {"date"}
        months = [one for one in published.billing_periods if first <= one <= last]
        return Place(table_for(wanted), "billing_period", months)
    months = published.with_days(first, last)
    if question.per == "month" and Range(first, last).is_whole_months:
        relation = table_for(columns | {"month"})
        if relation == BY_MONTH:
            return Place(relation, "month", months)
    return Place(table_for(columns | {"date"}), "date", months)


def keys_of(groups: Sequence[Dimension], bound: Bound) -> tuple[sql.Composable, sql.Composable]:
    """Return the SQL expressions of the values of up to two dimensions; an empty text for one that is not there."""
    keys = [one.value(bound) for one in groups]
    none: list[sql.Composable] = [sql.SQL("''::text")] * (2 - len(keys))
    first, second = [*keys, *none]
    return first, second
