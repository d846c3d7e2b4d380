"""What the JSON API answers about charges, raw lines, loads, commitments and months (see `models`)."""

from datetime import datetime

from pydantic import Field

from cloud_costs.page.models import Amount, Model, Share


class ColumnName(Model):
    """A column of charges or of raw lines."""

    name: str = Field(description="As the database has it.")
    label: str = Field(description="As FOCUS or the exporter writes it.")
    type: str


class Charge(Model):
    """One FOCUS charge."""

    source: str
    billing_period: str
    line: str | None = Field(description="What api/lines takes; NULL for a charge that was made of many lines.")
    values: list[str | None] = Field(description="One for each of `columns`; numbers exact, objects as JSON text.")


class Charges(Model):
    """A page of FOCUS charges."""

    page: int
    next: int | None = Field(description="The next page, where there is one.")
    columns: list[ColumnName]
    charges: list[Charge]
    note: str | None = Field(description="Which months have no charges any more, because their lines are not kept.")
    milliseconds: float


class LoadName(Model):
    """A load, and where more is told of it."""

    load_id: int
    source: str
    billing_period: str
    version: str | None
    published_at: datetime | None


class RawLine(Model):
    """One exported line, as it was stored."""

    file: str | None = Field(description="The file that brought it; NULL where nothing says so.")
    values: list[str | None]


class Lines(Model):
    """The exported lines behind a charge, with every exported column."""

    load: LoadName
    columns: list[ColumnName]
    lines: list[RawLine]


class LoadFile(Model):
    """A data file of a load."""

    name: str
    uri: str
    bytes: int
    rows: int


class Audit(Model):
    """A check of a load."""

    name: str
    severity: str
    passed: bool
    violations: int
    details: str = Field(description="What the check protects from.")
    sample: list[str] = Field(description="Up to ten of the rows that broke it, as JSON text.")


class Difference(Model):
    """What a restatement changed: the new version minus the one before."""

    account_id: str
    account_name: str
    service: str
    charge_category: str
    currency: str
    line_items: int
    billed_cost: Amount
    effective_cost: Amount


class LoadTotal(Model):
    """All costs of a load in one currency."""

    currency: str
    line_items: int
    billed_cost: Amount
    effective_cost: Amount


class Load(Model):
    """One load: one attempt to bring one delivery of a billing month in."""

    load_id: int
    source: str
    billing_period: str
    format: str
    version: str | None
    status: str
    raw_only: bool
    manifest_uri: str | None
    started: datetime
    published_at: datetime | None
    rows: int | None
    bytes: int | None
    totals: list[LoadTotal]
    files: list[LoadFile]
    audits: list[Audit]
    previous_load_id: int | None = Field(description="The load that it replaced.")
    differences: list[Difference] = Field(description="The largest first; empty for the first load of a month.")
    note: str | None = Field(description="What is not proven of the load.")
    error: str | None
    run_url: str | None = Field(description="Relative address of the Airflow run; NULL for the command line.")
    task_url: str | None = Field(description="Relative address of the tasks to clear, to load the month again.")


class ChangeTotal(Model):
    """By how much a month's costs changed, in one currency."""

    currency: str
    before: Amount
    after: Amount
    change: Amount
    effective_change: Amount


class ChangeLoad(Model):
    """A load of the month that people saw, and what it changed."""

    load_id: int
    version: str | None
    published_at: datetime | None
    is_current: bool
    totals: list[LoadTotal]
    changes: list[ChangeTotal] = Field(description="Against the load before; empty for the first one.")
    differences: list[Difference] = Field(description="The 50 largest; their sum is `changes` if all are there.")
    more_differences: int


class Changes(Model):
    """The loads of a source's billing month, and why its numbers changed."""

    source: str
    billing_period: str
    since: datetime | None
    loads: list[ChangeLoad] = Field(description="Newest first.")
    changes: list[ChangeTotal] = Field(description="From what people saw at `since` to what they see now.")
    differences: list[Difference] = Field(description="The same, by account and service; the largest first.")


class CommitmentTotals(Model):
    """What commitments cost, by their effective cost."""

    used: Amount
    unused: Amount
    total: Amount = Field(description="used + unused")
    utilization: Share = Field(description="used / total")
    covered: Amount = Field(description="Use that commitments cover, at list prices where the provider tells them.")
    coverable: Amount = Field(description="All use at list prices, of the accounts and services that they cover.")
    coverage: Share = Field(description="covered / coverable")


class Commitment(CommitmentTotals):
    """A Savings Plan, a reservation or a committed use discount."""

    commitment_id: str
    name: str | None
    type: str | None
    category: str | None
    source: str
    cloud_provider: str
    account_id: str
    account_name: str
    months: list[str]


class Commitments(Model):
    """The commitments of a range of billing months, in one currency."""

    currency: str
    first: str = Field(serialization_alias="from")
    last: str = Field(serialization_alias="to")
    totals: CommitmentTotals
    commitments: list[Commitment] = Field(description="The largest unused cost first.")


class MonthCost(Model):
    """Costs of a published month in one currency."""

    currency: str
    billed_cost: Amount
    effective_cost: Amount


class Month(Model):
    """A source's billing month."""

    source: str
    billing_period: str
    load_id: int | None = Field(description="The load that readers see; NULL while none was published.")
    version: str | None
    published_at: datetime | None
    rows: int | None
    costs: list[MonthCost]
    checks_passed: int
    checks_warned: int
    estimated: bool
    estimated_because: str
    stale: bool = Field(description="The newest published month of the source, and older than it may be.")
    failed_last: bool = Field(description="The newest load failed or was rejected; readers see the one before.")
    failed_load_id: int | None
    error: str | None
    note: str | None
    run_url: str | None
    task_url: str | None


class Months(Model):
    """Every source and billing month, newest month first."""

    months: list[Month]
