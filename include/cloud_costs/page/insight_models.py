"""What the JSON API answers about anomalies, budgets, forecasts and reports, and what it takes (see `models`)."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from cloud_costs.page.load_models import LoadName
from cloud_costs.page.models import Amount, Model, Share

Action = Literal["acknowledge", "mute", "expect"]
Severity = Literal["low", "medium", "high"]
ReportKind = Literal["daily", "weekly", "monthly"]
Status = Literal["open", "acknowledged", "muted", "expected", "explained"]


class Anomaly(Model):
    """One event: days in a row on which usage cost more or less than was expected."""

    anomaly_id: int
    source: str
    currency: str
    account_id: str | None = Field(description="NULL for all accounts; empty for costs that have none.")
    account_name: str | None
    service: str | None = Field(description="NULL for all services; empty for costs that have none.")
    first_date: date
    last_date: date
    running: bool = Field(description="It is not known to be over.")
    news: bool = Field(description="It was recent when it was found, or is a restatement. Messages tell no others.")
    actual: Amount = Field(description="Effective cost of category Usage of these days, exact.")
    expected: Amount = Field(description="What these days should have cost, an estimate.")
    impact: Amount = Field(description="actual - expected")
    impact_share: Share = Field(description="impact / expected")
    severity: Severity
    kind: Literal["anomaly", "restatement"]
    status: Literal["open", "acknowledged", "muted", "expected", "explained", "merged"]
    muted_until: date | None
    found_at: datetime
    told_at: datetime | None = Field(description="When a message told it; NULL where none did.")
    taken_back_at: datetime | None = Field(description="When a message told that a restatement took it away.")
    filters: list[str] = Field(description="What leads to its costs in Explore, by days of use and effective cost.")


class Anomalies(Model):
    """A page of events: open ones first, then the newest."""

    page: int
    next: int | None = Field(description="The next page, where there is one.")
    total: int = Field(description="How many events the filters find.")
    open: int = Field(description="How many of them are open.")
    past: int = Field(description="How many of the open ones are no news: they were over long before they were found.")
    sources: list[str] = Field(description="Every source that has an event.")
    anomalies: list[Anomaly]


class AnomalyDay(Model):
    """What a day cost. A day without costs has zero."""

    date: date
    actual: Amount
    expected: Amount | None = Field(description="NULL for a day that is not of the event.")


class AnomalyPart(Model):
    """What one value adds to an event."""

    label: str
    impact: Amount
    filters: list[str] | None = Field(description="What leads to its costs in Explore; NULL where Explore has no such.")


class AnomalyParts(Model):
    """The values of one dimension that add most to an event."""

    dimension: str
    parts: list[AnomalyPart]


class AnomalyAction(Model):
    """What a person decided about an event."""

    action: Action
    person: str
    note: str | None
    muted_until: date | None
    at: datetime


class AnomalyDetails(Anomaly):
    """One event with its days, its parts, and who decided what about it."""

    reason: str | None = Field(description="Why a restatement explains it; NULL where none does.")
    merged_into: int | None = Field(description="The wider event that it is a part of.")
    load: LoadName | None = Field(description="The load that it was last seen in.")
    days: list[AnomalyDay] = Field(description="The days of the event and some weeks around them, as they cost now.")
    parts: list[AnomalyParts] = Field(description="Against the week before it; in a sum of series, the four weeks.")
    actions: list[AnomalyAction] = Field(description="The newest first.")


class Session(Model):
    """Who asks, and whether they may decide about anomalies."""

    person: str
    may_decide: bool
    token: str | None = Field(description="What the header X-CSRF-Token of a decision has to hold. Valid for an hour.")


class Decision(Model):
    """What a person decides about an event."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Action
    note: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] | None = Field(default=None, description="Why.")
    until: date | None = Field(default=None, description="For mute alone: the last day.")


class Threshold(Model):
    """A percent of a budget's amount that is told, once in each period."""

    of: Literal["actual", "forecast"]
    percent: int
    reached: datetime | None
    told: datetime | None = Field(description="When messages had it; NULL where they did not yet.")
    taken_back: datetime | None = Field(description="When a restatement or another amount took it back.")


class BudgetPeriod(Model):
    """One period of a budget, as it was last checked."""

    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")
    as_of: date = Field(description="The last complete day that the forecast knows.")
    amount: Amount
    actual: Amount = Field(description="What the period cost until now, exact.")
    share: Share = Field(description="actual / amount")
    forecast: Amount = Field(description="What the whole period is expected to cost.")
    forecast_share: Share = Field(description="forecast / amount")
    low: Amount = Field(description="The low end of the interval that holds four of five such periods.")
    high: Amount
    status: Literal["kept", "at risk", "exceeded", "no costs"]
    thresholds: list[Threshold]
    checked_at: datetime


class Budget(Model):
    """A budget, its newest period, and those before it."""

    budget: str
    currency: str
    amount: Amount = Field(description="For each period.")
    period: Literal["month", "quarter", "year"]
    cost: Literal["billed", "effective"]
    filters: list[str] = Field(description="What leads to its costs in Explore, by days of use. Empty: all costs.")
    current: BudgetPeriod | None = Field(description="NULL while no costs in its currency match.")
    earlier: list[BudgetPeriod] = Field(description="The newest first.")


class Budgets(Model):
    """A page of budgets, by name."""

    page: int
    next: int | None
    total: int
    budgets: list[Budget]


class Report(Model):
    """A report that was made."""

    report_id: int
    kind: ReportKind
    period: str = Field(description="2025-03-31, 2025-W13 (ISO week) or 2025-03.")
    request: str = Field(description="Empty for the report that is sent once; the DAG run that asked for another one.")
    subject: str
    recipients: list[str] = Field(description="Addresses and connections of Slack; empty for the archive alone.")
    made_at: datetime
    sent_at: datetime | None = Field(description="When a channel took it last; NULL where none did yet.")


class KnownDelivery(Model):
    """A delivery that a report knows."""

    source: str
    billing_period: str
    version: str | None
    loaded_at: datetime
    complete: date | None = Field(description="The last complete day; NULL where it never had usage.")


class ReportDetails(Report):
    """A report with what it says. `api/reports/{report_id}.html` and `.pdf` are its files."""

    lines: list[str] = Field(description="In short, as Slack gets it.")
    text: str
    as_of: list[KnownDelivery] = Field(description="The newest delivery of each source that it knows.")


class Reports(Model):
    """A page of reports, the newest first."""

    page: int
    next: int | None
    total: int
    reports: list[Report]
