"""What the JSON API of the Costs page answers, typed.

Every amount is an exact decimal, and travels as a JSON string such as `"1234.5600000001"`: a browser's numbers have 15
digits, and sums of costs have more. An amount never stands without its currency, which is beside it or in the whole
answer. A `share` is a ratio that a chart may draw, so it is a JSON number: `0.25` is 25 %, and NULL stands for the
share of nothing. Dates are `YYYY-MM-DD`, billing months `YYYY-MM`, times UTC in ISO 8601.

A dimension is a column that costs are grouped and filtered by: `cloud_provider`, `source`, `billing_account_id`,
`account_id`, `service`, `region`, `charge_category`, `invoice_id`, or `tag:<key>`. In the key of a tag, all but
letters, digits and `_.-~` is percent-encoded (`tag:user%3Ateam`), so that the colon after it ends it. A filter is
`<dimension>:<value>`, and the empty value stands for costs that have none: untagged, without a region.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer


def plain(value: Decimal) -> str:
    """Write a decimal with all its digits, and without an exponent and the zeros that PostgreSQL adds to sums.

    >>> plain(Decimal("1.500")), plain(Decimal("2E+3")), plain(Decimal("0.000"))
    ('1.5', '2000', '0')
    """
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


Amount = Annotated[Decimal, PlainSerializer(plain, return_type=str, when_used="json")]
Share = float | None


class Model(BaseModel):
    """An answer, or a part of one; nothing changes it."""

    model_config = ConfigDict(frozen=True)


class Problem(Model):
    """Why there is no answer."""

    detail: str = Field(description="One sentence for people.")
    hint: str = Field(description="What to do about it.")


class CurrencyCosts(Model):
    """A currency of the bills. Nothing is ever summed over two of them."""

    currency: str
    first: date = Field(description="The first day with costs.")
    last: date
    billed_cost: Amount


class SourceName(Model):
    """A source with a published month."""

    name: str
    cloud_providers: list[str]
    format: str


class DimensionName(Model):
    """What costs can be grouped and filtered by."""

    name: str = Field(description="As parameters name it: `service`, `tag:user%3Ateam`.")
    label: str = Field(description="As people read it: Service, user:team.")
    none: str = Field(description="What costs without a value are called: no region, untagged.")


class Context(Model):
    """What the page can ask for."""

    currencies: list[CurrencyCosts] = Field(description="The one with the most billed cost first.")
    default_currency: str | None = Field(description="NULL while nothing is published.")
    months: list[str] = Field(description="Published billing months, newest first.")
    sources: list[SourceName]
    dimensions: list[DimensionName]
    as_of: datetime | None = Field(description="When the newest month was published.")
    dag_url: str = Field(description="Relative address of the DAG in Airflow's own pages.")


class Comparison(Model):
    """An amount beside the one of the period before."""

    amount: Amount
    previous: Amount | None = Field(description="NULL where nothing is published of that period.")
    change: Amount | None = Field(description="amount - previous")
    share: Share = Field(description="change / previous")


class CostsOfOne(Model):
    """Costs of one value of a dimension."""

    value: str
    label: str
    filters: list[str] = Field(description="What leads to these costs in Explore.")
    billed_cost: Comparison
    effective_cost: Comparison


class CostsOfDay(Model):
    """Costs of one day."""

    date: date
    billed_cost: Amount
    effective_cost: Amount


class SinceLoad(Model):
    """The load that changed a number most."""

    load_id: int
    source: str
    billing_period: str
    version: str | None
    published_at: datetime | None
    change: Amount | None = Field(description="By how much; NULL for the first load of the month.")


class Mover(Model):
    """An account's service whose billed cost moved, against the same days of last month."""

    source: str
    account_id: str
    account_name: str
    service: str
    filters: list[str]
    before: Amount
    after: Amount
    change: Amount
    since_load: SinceLoad | None


class OverviewTotals(Model):
    """All costs of the month so far."""

    billed_cost: Comparison
    effective_cost: Comparison


class Expected(Model):
    """What the whole month is expected to cost, and the interval that holds four of five such months."""

    expected: Amount
    low: Amount
    high: Amount


class Forecast(Model):
    """Where the month will end."""

    as_of: date = Field(description="The last complete day that the forecast knows.")
    billed_cost: Expected
    effective_cost: Expected


class SourceThrough(Model):
    """How far a source's month is complete."""

    source: str
    through: date


class Overview(Model):
    """A billing month so far, in one currency, against the same days of the month before."""

    currency: str
    month: str
    through: date = Field(description="The last day that is complete, and that totals end with.")
    through_by_source: list[SourceThrough] = Field(
        description="A source that is delivered later ends earlier, in both months: each is compared with itself."
    )
    previous_month: str
    previous_through: date
    totals: OverviewTotals
    estimated: bool
    estimated_because: str = Field(description="One sentence: why the costs are an estimate, or that they are final.")
    by_cloud: list[CostsOfOne]
    by_service: list[CostsOfOne] = Field(description="The ten largest by billed cost.")
    other_services: CostsOfOne | None = Field(description="All other services; its value is empty.")
    days: list[CostsOfDay] = Field(description="Of this month and the one before; days after `through` too.")
    movers: list[Mover] = Field(description="The largest change first, in either direction.")
    forecast: Forecast | None = Field(description="NULL where none was made, or all days of the month are complete.")


class Group(Model):
    """Costs that have the same values of the dimensions that were asked for."""

    values: list[str] = Field(description="One for each dimension; empty where the costs have none.")
    labels: list[str] = Field(description="The values as people read them: names of accounts, untagged.")
    total: Amount
    share: Share = Field(description="total / total of all groups")
    previous: Amount | None
    change: Amount | None
    change_share: Share = Field(description="change / previous")
    series: list[Amount] = Field(description="One for each of `periods`.")
    filters: list[str] = Field(description="What leads to the costs of this group alone: the filters and its values.")


class Others(Model):
    """All groups beyond the largest ones, together."""

    groups: int
    total: Amount
    share: Share
    previous: Amount | None
    change: Amount | None
    change_share: Share
    series: list[Amount]


class Explore(Model):
    """Costs of a range of days or billing months in one currency, by up to two dimensions."""

    currency: str
    metric: str
    dates: str
    per: str
    first: date = Field(
        serialization_alias="from", description="The first day; by billing months, the first day of the first."
    )
    last: date = Field(
        serialization_alias="to", description="The last day; by billing months, the last day of the last."
    )
    previous_first: date | None = Field(serialization_alias="previous_from")
    previous_last: date | None = Field(serialization_alias="previous_to")
    periods: list[date] = Field(description="The first day of each; a week begins on Monday.")
    dimensions: list[DimensionName] = Field(description="What `values` of the groups are of.")
    groups: list[Group] = Field(description="The largest first.")
    others: Others | None
    total: Amount
    previous: Amount | None
    change: Amount | None
    change_share: Share
    series: list[Amount] = Field(description="Of all groups together, one for each of `periods`.")
    currencies: list[str] = Field(description="Every currency that these filters find; only `currency` is summed here.")
    estimated: bool
    estimated_because: str
    relation: str = Field(description="The relation that answered: costs_by_day or costs.")
    milliseconds: float = Field(description="How long the database took.")
