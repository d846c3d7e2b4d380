"""What the question box answers, typed: the words of a model, and beside them what they stand on."""

from datetime import datetime
from typing import Any

from pydantic import Field

from cloud_costs.page.models import Model


class Asked(Model):
    """A question of a person."""

    question: str = Field(min_length=1, max_length=2_000, description="In plain words, in any language.")


class BoxState(Model):
    """Whether there is a model to ask, and what a question needs."""

    model: str | None = Field(description="The model of the connection; NULL while there is none.")
    server: str | None = Field(description="The host that it is asked at; NULL for that of its provider.")
    problem: str | None = Field(description="Why there is no model.")
    person: str
    token: str | None = Field(description="What a question has to carry in the header X-CSRF-Token.")


class Piece(Model):
    """A piece of the model's words."""

    text: str
    found: bool | None = Field(description="Of an amount: whether a tool answered it. NULL: it is no amount.")


class Column(Model):
    """A column of a table."""

    label: str
    number: bool


class Table(Model):
    """A part of what a tool answered."""

    title: str
    columns: list[Column]
    rows: list[list[str | None]] = Field(description="Numbers with all their digits.")
    more: int = Field(description="How many rows are not here.")


class PageLink(Model):
    """A view of the Costs page with the same numbers: an address below that of the page."""

    label: str
    address: str


class Step(Model):
    """A tool that the model called."""

    tool: str
    arguments: dict[str, Any]
    statement: str | None = Field(default=None, description="The SQL that ran, if the tool runs SQL.")
    refused: str | None = Field(default=None, description="Why the tool answered nothing.")
    said: list[str] = Field(default=[], description="What the answer is of: days, metric, notes.")
    tables: list[Table] = Field(default=[])
    links: list[PageLink] = Field(default=[])
    as_of: datetime | None = Field(default=None, description="When the newest delivery behind it was published.")
    estimated_because: str | None = Field(
        default=None, description="Why the costs are an estimate, or that they are final."
    )


class Answered(Model):
    """The answer of a model, and what it stands on."""

    question: str
    model: str
    answer: list[Piece]
    amounts: int = Field(description="How many amounts and other numbers of the answer were looked for.")
    not_found: int = Field(description="How many of them no tool answered.")
    grounded: bool = Field(description="Whether a tool answered with costs. Without, the answer stands on nothing.")
    steps: list[Step]
    seconds: float
    input_tokens: int
    output_tokens: int
