"""What Explore, its downloads and the charges are asked: the parameters of an address, checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import MINYEAR, date
from typing import Annotated, Literal

from fastapi import Query

from cloud_costs.months import MONTH_PATTERN
from cloud_costs.page.dimensions import Dimension, Filters, find, parse_filters
from cloud_costs.page.periods import Range, month_end
from cloud_costs.page.problems import WRONG, Refusal, nothing_published
from cloud_costs.page.published import Published

MAX_GROUPS = 2
MAX_FILTERS = 200
# The columns of costs and of the charges that a metric is in.
METRICS = {
    "billed_cost": ("cost", "billedcost"),
    "effective_cost": ("effective_cost", "effectivecost"),
    "list_cost": ("list_cost", "listcost"),
}
Dates = Literal["usage", "billing"]
Metric = Literal["billed_cost", "effective_cost", "list_cost"]
Per = Literal["day", "week", "month"]

First = Annotated[
    date | None, Query(alias="from", description="The first day, YYYY-MM-DD. Default: of the newest month.")
]
Last = Annotated[date | None, Query(alias="to", description="The last day. Default: of the newest month.")]
DatesOf = Annotated[
    Dates,
    Query(
        description="usage: days on which it was used. billing: the billing months that these days are in; a charge of "
        "a day outside its month counts on the month's first or last day."
    ),
]
Groups = Annotated[list[str], Query(alias="group", description="Up to two dimensions.")]
FilterTexts = Annotated[
    list[str],
    Query(
        alias="filter",
        description="<dimension>:<value>. The same dimension twice means either value, two dimensions mean both, and "
        "an empty value means costs that have none.",
    ),
]
Currency = Annotated[str | None, Query(description="Default: the one with the most costs. No sum is over two.")]
BillingMonth = Annotated[str, Query(pattern=MONTH_PATTERN, description="YYYY-MM")]
FirstMonth = Annotated[str | None, Query(alias="from", pattern=MONTH_PATTERN, description="YYYY-MM")]
LastMonth = Annotated[str | None, Query(alias="to", pattern=MONTH_PATTERN, description="YYYY-MM")]


@dataclass(frozen=True)
class Question:
    """Costs of a range of days or billing months in one currency."""

    range: Range
    dates: Dates
    groups: tuple[Dimension, ...]
    filters: Filters
    metric: Metric
    per: Per
    currency: str
    compare: bool
    top: int


@dataclass(frozen=True)
class Asked:
    """The parameters that Explore, downloads and charges have in common."""

    first: date | None
    last: date | None
    dates: Dates
    filters: Filters
    currency: str | None

    def range(self, published: Published) -> Range:
        """Return the range that is asked for: whole months by billing months, and the newest month by default."""
        newest = next(iter(published.billing_periods), None)
        if newest is None:
            raise nothing_published()
        first = self.first or (self.last.replace(day=1) if self.last else newest)
        last = self.last or month_end(max(newest, first))
        if first > last:
            raise Refusal(WRONG, f"to: {last} is before {first}.", "Let the range end on or after its first day.")
        if first.year <= MINYEAR + 1000 or last.year >= 9000:
            raise Refusal(WRONG, f"from: {first} to {last} is no range of bills.", "Use the days of your bills.")
        if self.dates == "billing":
            return Range(first.replace(day=1), month_end(last))
        return Range(first, last)


def asked(
    first: First = None,
    last: Last = None,
    dates: DatesOf = "usage",
    filters: FilterTexts = [],  # noqa: B006  FastAPI copies it for each request
    currency: Currency = None,
) -> Asked:
    """Return the parameters that Explore, downloads and charges have in common."""
    if len(filters) > MAX_FILTERS:
        raise Refusal(WRONG, f"filter: {len(filters)} filters are too many.", f"Use {MAX_FILTERS} at most.")
    return Asked(first, last, dates, parse_filters(filters), currency)


def dimensions_of(names: Sequence[str]) -> tuple[Dimension, ...]:
    """Return the dimensions to group by. Raises `Refusal` for more than two, or the same twice."""
    found = tuple(find(name, "group") for name in names)
    if len(found) > MAX_GROUPS:
        raise Refusal(WRONG, f"group: {len(found)} dimensions are too many.", f"Group by {MAX_GROUPS} at most.")
    if len(set(found)) < len(found):
        raise Refusal(WRONG, f"group: {names[0]!r} is there twice.", "Group by two different dimensions, or by one.")
    return found
