"""The settings of a sample bill: a Google billing account, the form of its export, and its calendar."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from cloud_costs.demo.sample_bill.bill import month_end

Form = Literal["parquet", "json", "json.gz", "csv", "csv.gz"]


@dataclass(frozen=True)
class Project:
    """A project: its id, number and name at Google, and its labels."""

    id: str
    name: str
    number: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class GoogleBill:
    """The settings of one billing account. `lines` is the number of plain usage lines of a month, without fixed lines.

    All forms of a bill have the same meaning. `marker` says whether each run leaves a marker, as the shipped query
    does. The first of the projects buys the commitments, and the last one has no labels.
    """

    prefix: str = "google"
    billing_account: str = "01A2B3-C4D5E6-F70819"
    projects: tuple[Project, ...] = (
        Project("acme-shared", "Acme shared", "100000000001", (("team", "platform"), ("env", "prod"))),
        Project("acme-shop", "Acme shop", "100000000002", (("team", "checkout"),)),
        Project("acme-lab", "Acme lab", "100000000003"),
    )
    currency: str = "USD"
    lines: int = 2000
    files: int = 2
    seed: int = 1
    form: Form = "parquet"
    marker: bool = True

    def __post_init__(self) -> None:
        if len(self.projects) < 2 or self.lines < 0 or self.files < 1:
            raise ValueError("a bill needs at least two projects, lines >= 0 and files >= 1")


def run_time(month: date, version: int) -> datetime:
    """Return when the query of a version ran: days after the month's end."""
    return month_end(month) + timedelta(days=version, hours=2, minutes=15)


def run_name(month: date, version: int) -> str:
    """Return the name of a run's folder."""
    return f"{run_time(month, version).astimezone(UTC):%Y%m%dT%H%M%SZ}"
