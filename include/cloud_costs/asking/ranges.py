"""What a tool is asked, as a question of the Costs page for each currency that has costs of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from cloud_costs.months import month_label, next_month
from cloud_costs.page.dimensions import BY_NAME, written
from cloud_costs.page.periods import Range
from cloud_costs.page.problems import NO_SUCH, Refusal
from cloud_costs.page.published import Month, Published
from cloud_costs.page.questions import Asked, Dates, Metric, Per, Question, dimensions_of

# How many groups Explore shows.
SHOWN = (5, 10, 20, 50)


@dataclass(frozen=True)
class Wanted:
    """Costs of a range by dimensions, in one currency or in each."""

    asked: Asked
    groups: Sequence[str]
    metric: Metric
    per: Per
    top: int

    def question(self, published: Published, currency: str) -> Question:
        """Return the question in a currency."""
        return Question(
            range=self.asked.range(published),
            dates=self.asked.dates,
            groups=dimensions_of(self.groups),
            filters=self.asked.filters,
            metric=self.metric,
            per=self.per,
            currency=currency,
            compare=False,
            top=self.top,
        )

    def questions(self, published: Published) -> list[Question]:
        """Return a question for each currency. Raises `Refusal` where nothing is published of the range."""
        wanted = self.asked.range(published)
        known = [published.currency(self.asked.currency)] if self.asked.currency else published.currencies
        found = [self.question(published, currency) for currency in known]
        found = [one for one in found if months_of(one, published)]
        if not found:
            raise Refusal(NO_SUCH, f"Nothing is published from {wanted.first} to {wanted.last}.", _published(published))
        return found


def months_of(question: Question, published: Published) -> list[Month]:
    """Return the published months that may have costs of a question."""
    sources = question.filters.get(BY_NAME["source"])
    first, last = question.range.first, question.range.last
    return [
        one
        for one in published.in_currency(question.currency)
        if (sources is None or one.source in sources)
        and (
            first <= one.billing_period <= last
            if question.dates == "billing"
            else one.first <= last and one.last >= first
        )
    ]


def lacks(wanted: Range, dates: Dates, published: Published) -> str | None:
    """Return a sentence about the days of a range that nothing is published of; None where there are none."""
    if dates == "billing":
        known = set(published.billing_periods)
        missing, month = [], wanted.first
        while month <= wanted.last:
            missing += [] if month in known else [month_label(month)]
            month = next_month(month)
        return f"Nothing is published of {', '.join(missing[:12])}." if missing else None
    first, last = min(one.first for one in published.months), max(one.last for one in published.months)
    if wanted.first < first or wanted.last > last:
        return f"Costs are published from {first} to {last}; the range goes beyond."
    return None


def explore_address(question: Question) -> str:
    """Return the address of Explore that shows the same numbers, below the address of the Costs page."""
    top = next((one for one in SHOWN if one >= question.top), SHOWN[-1])
    groups = [("group", one.name) for one in question.groups] or [("group", "none")]
    own = [*groups, ("per", question.per), ("compare", "none"), ("top", str(top))]
    return f"explore?{urlencode([*_common(question), *own])}"


def charges_address(question: Question) -> str:
    """Return the address of the charges behind a number, below the address of the Costs page."""
    return f"charges?{urlencode(_common(question))}"


def _common(question: Question) -> list[tuple[str, str]]:
    return [
        ("from", question.range.first.isoformat()),
        ("to", question.range.last.isoformat()),
        ("dates", question.dates),
        *(("filter", one) for one in written(question.filters)),
        ("metric", question.metric),
        ("currency", question.currency),
    ]


def _published(published: Published) -> str:
    newest, *_, oldest = [*published.billing_periods, published.billing_periods[-1]]
    return f"Billing months from {month_label(oldest)} to {month_label(newest)} are published."
