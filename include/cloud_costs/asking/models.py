"""What the tools answer, typed.

Amounts are exact decimals in strings, as in the API of the Costs page (`page.models`), and no amount is a sum over two
currencies: an answer has a part for each. Every answer says which deliveries it is of, and whether it is an estimate.
"""

from datetime import date, datetime

from pydantic import Field

from cloud_costs.page.insight_models import Anomaly, AnomalyDetails
from cloud_costs.page.load_models import Changes, Charge, ColumnName, Commitment, CommitmentTotals, Load
from cloud_costs.page.models import Amount, DimensionName, Model, Overview, Share


class Delivery(Model):
    """The published delivery of a source's billing month, and the load that brought it."""

    source: str
    billing_period: str
    load_id: int
    version: str | None
    published_at: datetime


class Basis(Model):
    """What an answer stands on."""

    as_of: datetime | None = Field(description="When the newest of the deliveries behind it was published.")
    deliveries: list[Delivery] = Field(description="The newest first, twelve at most.")
    more_deliveries: int
    estimated: bool
    estimated_because: str = Field(description="One sentence: why the costs are an estimate, or that they are final.")


class Answer(Model):
    """What every tool answers beside its own."""

    basis: Basis


class SourceState(Model):
    """How far the newest month of a source is delivered."""

    source: str
    cloud_providers: list[str]
    newest_month: str
    complete_through: date = Field(description="The last day whose costs are complete.")
    published_at: datetime


class CurrencyDays(Model):
    """The days that have costs in a currency."""

    currency: str
    first: date
    last: date


class RelationName(Model):
    """A relation that the tool `query` may read."""

    name: str
    meaning: str | None


class RelationColumn(Model):
    """A column of a relation."""

    name: str
    type: str
    meaning: str | None


class Askable(Answer):
    """What there is to ask."""

    today: date
    currencies: list[CurrencyDays] = Field(description="The one with the most costs first.")
    months: list[str] = Field(description="Published billing months, newest first.")
    sources: list[SourceState]
    dimensions: list[DimensionName] = Field(description="What costs are grouped and filtered by.")
    metrics: dict[str, str]
    relations: list[RelationName] = Field(description="What `query` may read.")
    relation: str | None = Field(description="The relation whose columns were asked for.")
    columns: list[RelationColumn] = Field(description="The columns of that relation.")


class CostsOfGroup(Model):
    """Costs that have the same values of the dimensions."""

    values: list[str] = Field(description="One for each dimension; empty where the costs have none.")
    labels: list[str] = Field(description="The values as people read them: names of accounts, untagged.")
    total: Amount
    share: Share = Field(description="total / total of all groups")
    series: list[Amount] = Field(description="One for each of `periods`; empty if only totals were asked for.")
    filters: list[str] = Field(description="What leads to these costs alone.")


class CostsInCurrency(Model):
    """Costs in one currency."""

    currency: str
    total: Amount
    series: list[Amount]
    groups: list[CostsOfGroup] = Field(description="The largest first.")
    other_groups: int = Field(description="How many groups are not shown.")
    others: Amount = Field(description="What they cost together.")
    explore: str = Field(description="The same numbers in Explore: an address below that of the Costs page.")


class CostsBy(Answer):
    """Costs of a range of days or billing months."""

    metric: str
    dates: str
    first: date
    last: date
    dimensions: list[DimensionName]
    periods: list[date] = Field(description="The first day of each; a week begins on Monday.")
    currencies: list[CostsInCurrency] = Field(description="Each currency apart. Never add them.")
    note: str | None = Field(description="Which days of the range are not published.")


class ChangeOfGroup(Model):
    """By how much costs with the same values of the dimensions changed."""

    values: list[str]
    labels: list[str]
    before: Amount
    after: Amount
    change: Amount
    share: Share = Field(description="change / before; NULL for costs that are new.")
    filters: list[str]


class Restated(Model):
    """A month of these periods that a later delivery changed."""

    source: str
    billing_period: str
    load_id: int
    version: str | None
    published_at: datetime | None
    change: Amount = Field(description="Billed cost: what the newest delivery changed against the one before.")


class ChangeInCurrency(Model):
    """How costs in one currency changed, and what changed them."""

    currency: str
    before: Amount
    after: Amount
    change: Amount
    share: Share = Field(description="change / before")
    groups: list[ChangeOfGroup] = Field(description="The largest change first, in either direction.")
    other_groups: int
    others: Amount = Field(description="The change of the groups that are not shown.")
    restated: list[Restated]
    explore: str = Field(description="The later period in Explore: an address below that of the Costs page.")


class Compared(Answer):
    """Two periods, and what makes their difference: the changes of all groups sum to it."""

    metric: str
    dates: str
    before_first: date
    before_last: date
    first: date
    last: date
    dimensions: list[DimensionName]
    currencies: list[ChangeInCurrency] = Field(description="Each currency apart. Never add them.")
    note: str | None = Field(description="What makes the periods hard to compare.")


class MonthSoFar(Answer):
    """The newest billing month so far, against the same days of the month before; a part for each currency."""

    currencies: list[Overview]


class LoadOfNumber(Delivery):
    """A load that a number comes from, and how much of it."""

    amount: Amount
    share: Share
    manifest_uri: str | None
    rows: int | None


class NumberInCurrency(Model):
    """A number and the loads that it is the sum of."""

    currency: str
    total: Amount
    loads: list[LoadOfNumber]
    charges: str = Field(description="The charges behind it: an address below that of the Costs page.")


class Traced(Answer):
    """Where a number comes from."""

    metric: str
    dates: str
    first: date
    last: date
    currencies: list[NumberInCurrency]
    columns: list[ColumnName] = Field(description="Of the charges, if they were asked for.")
    largest_charges: list[Charge]


class LoadDetails(Answer):
    """One load."""

    load: Load


class ChangesOf(Answer):
    """The loads of a source's billing month, and why its numbers changed."""

    changes: Changes


class CommitmentsInCurrency(Model):
    """The commitments of a range of billing months, in one currency."""

    currency: str
    totals: CommitmentTotals
    commitments: list[Commitment] = Field(description="The largest unused cost first.")


class CommitmentsOf(Answer):
    """Commitments by billing months; a part for each currency."""

    first_month: str
    last_month: str
    currencies: list[CommitmentsInCurrency]


class AnomaliesOf(Answer):
    """Events in which usage cost more or less than was expected."""

    total: int = Field(description="How many there are; fifty at most are here, open ones and the newest first.")
    anomalies: list[Anomaly]
    details: AnomalyDetails | None = Field(description="The event that was asked for, with what explains it.")


class BudgetNow(Model):
    """The newest period of a budget, as it was last checked."""

    budget: str
    currency: str
    period: str = Field(description="month, quarter or year.")
    cost: str = Field(description="Which costs count: billed or effective.")
    filters: list[str] = Field(description="The costs that count. Empty: all.")
    first: date
    last: date
    as_of: date = Field(description="The last complete day that the forecast knows.")
    amount: Amount
    actual: Amount = Field(description="What the period cost until now, exact.")
    share: Share = Field(description="actual / amount")
    forecast: Amount = Field(description="What the whole period is expected to cost.")
    low: Amount = Field(description="The low end of the interval that holds four of five such periods.")
    high: Amount
    status: str = Field(description="kept, at risk, exceeded, or no costs.")
    checked_at: datetime


class BudgetsOf(Answer):
    """Budgets by name."""

    total: int = Field(description="How many there are; fifty at most are here.")
    budgets: list[BudgetNow]


class QueryAnswer(Answer):
    """The rows of a statement."""

    statement: str = Field(description="What ran.")
    columns: list[str]
    rows: list[list[str | bool | None]] = Field(description="Numbers with all digits; objects as JSON text.")
    cut: str | None = Field(description="Why there are not all rows.")
    currencies: list[str] = Field(description="All currencies of published costs. No row sums two of them.")
