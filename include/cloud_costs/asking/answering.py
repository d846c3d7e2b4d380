"""What the tools about costs answer, from the questions of the Costs page: each currency apart."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from cloud_costs.asking import ranges
from cloud_costs.asking.basis import basis_of, delivery_of
from cloud_costs.asking.models import (
    ChangeInCurrency,
    ChangeOfGroup,
    Compared,
    CostsBy,
    CostsInCurrency,
    CostsOfGroup,
    LoadOfNumber,
    MonthSoFar,
    NumberInCurrency,
    Restated,
    Traced,
)
from cloud_costs.asking.ranges import Wanted, months_of
from cloud_costs.charges.columns import focus_columns
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection
from cloud_costs.page import amounts, charges, explore, loads, overview
from cloud_costs.page.costs import Costs
from cloud_costs.page.dimensions import Bound
from cloud_costs.page.load_models import Charge, ColumnName
from cloud_costs.page.models import Explore, Group
from cloud_costs.page.places import place_of
from cloud_costs.page.problems import TOO_MUCH, Refusal, nothing_published
from cloud_costs.page.published import Month, Published
from cloud_costs.page.questions import Question

# Groups of a period that are compared, and months that are looked at for restatements.
MOST_GROUPS, RESTATED = 5_000, 24
CHARGES = 20
# The columns of a charge that say what it is.
TELLING = (
    *("chargeperiodstart", "chargecategory", "servicename", "subaccountid", "regionid", "resourceid", "skuid"),
    *("chargedescription", "billedcost", "effectivecost", "listcost"),
)


def costs_by(costs: Costs, wanted: Wanted, series: bool, connection: Connection, published: Published) -> CostsBy:
    """Return costs by dimensions, with a series of periods if one is wanted."""
    questions = wanted.questions(published)
    found = [(one, explore.explore(costs, one, connection, published)) for one in questions]
    first = found[0][1]
    return CostsBy(
        basis=basis_of(published, _months(questions, published)),
        metric=wanted.metric,
        dates=wanted.asked.dates,
        first=first.first,
        last=first.last,
        dimensions=first.dimensions,
        periods=first.periods if series else [],
        currencies=[_in_currency(question, answer, series) for question, answer in found],
        note=ranges.lacks(questions[0].range, wanted.asked.dates, published),
    )


def compared(costs: Costs, wanted: Wanted, before: Wanted, connection: Connection, published: Published) -> Compared:
    """Return how costs changed from one period to another. The changes of all groups sum to the difference."""
    found = {one.currency for period in (before, wanted) for one in period.questions(published)}
    known = [one for one in published.currencies if one in found]
    then = [before.question(published, one) for one in known]
    now = [wanted.question(published, one) for one in known]
    return Compared(
        basis=basis_of(published, _months([*then, *now], published)),
        metric=wanted.metric,
        dates=wanted.asked.dates,
        before_first=then[0].range.first,
        before_last=then[0].range.last,
        first=now[0].range.first,
        last=now[0].range.last,
        dimensions=[one.shown() for one in now[0].groups],
        currencies=[_change(costs, *both, wanted.top, connection, published) for both in zip(then, now, strict=True)],
        note=_hard_to_compare(then[0], now[0], published),
    )


def month_so_far(costs: Costs, currency: str | None, connection: Connection, published: Published) -> MonthSoFar:
    """Return the newest billing month of each currency so far, against the same days of the month before."""
    if not published.months:
        raise nothing_published()
    known = [published.currency(currency)] if currency else published.currencies
    return MonthSoFar(
        basis=basis_of(
            published, [one for one in published.months if one.billing_period == published.billing_periods[0]]
        ),
        currencies=[overview.overview(costs, one, connection, published) for one in known],
    )


def traced(costs: Costs, wanted: Wanted, with_charges: bool, connection: Connection, published: Published) -> Traced:
    """Return the loads that a number is the sum of, and the largest charges behind it if they are wanted."""
    questions = wanted.questions(published)
    parts = [_number(costs, one, connection, published) for one in questions]
    largest = [
        one for question in questions if with_charges for one in _largest(costs, question, connection, published)
    ]
    columns = [one for one in focus_columns() if one.name in TELLING and with_charges]
    return Traced(
        basis=basis_of(published, _months(questions, published)),
        metric=wanted.metric,
        dates=wanted.asked.dates,
        first=questions[0].range.first,
        last=questions[0].range.last,
        currencies=parts,
        columns=[ColumnName(name=one.name, label=one.focus_name or one.name, type=one.type) for one in columns],
        largest_charges=largest,
    )


def _months(questions: Sequence[Question], published: Published) -> list[Month]:
    return [month for one in questions for month in months_of(one, published)]


def _in_currency(question: Question, found: Explore, series: bool) -> CostsInCurrency:
    return CostsInCurrency(
        currency=found.currency,
        total=found.total,
        series=found.series if series else [],
        groups=[
            CostsOfGroup(
                values=one.values,
                labels=one.labels,
                total=one.total,
                share=one.share,
                series=one.series if series else [],
                filters=one.filters,
            )
            for one in found.groups
        ],
        other_groups=found.others.groups if found.others else 0,
        others=found.others.total if found.others else amounts.ZERO,
        explore=ranges.explore_address(question),
    )


def _change(
    costs: Costs, then: Question, now: Question, top: int, connection: Connection, published: Published
) -> ChangeInCurrency:
    old, new = (explore.explore(costs, replace(one, top=MOST_GROUPS), connection, published) for one in (then, now))
    if old.others or new.others:
        hint = "Group by one dimension, or filter."
        raise Refusal(TOO_MUCH, f"A period has more than {MOST_GROUPS:,} groups to compare.", hint)
    befores, afters = ({tuple(one.values): one for one in period.groups} for period in (old, new))
    groups = [_group(befores.get(values), afters.get(values)) for values in {**befores, **afters}]
    groups.sort(key=lambda one: (-abs(one.change), one.values))
    change = amounts.EXACT.subtract(new.total, old.total)
    return ChangeInCurrency(
        currency=now.currency,
        before=old.total,
        after=new.total,
        change=change,
        share=amounts.share(change, old.total),
        groups=groups[:top],
        other_groups=len(groups[top:]),
        others=amounts.total(one.change for one in groups[top:]),
        restated=_restated(costs, [then, now], connection, published),
        explore=ranges.explore_address(now),
    )


def _group(old: Group | None, new: Group | None) -> ChangeOfGroup:
    before, after = (one.total if one else amounts.ZERO for one in (old, new))
    change = amounts.EXACT.subtract(after, before)
    known = new or old
    return ChangeOfGroup(
        values=known.values if known else [],
        labels=known.labels if known else [],
        before=before,
        after=after,
        change=change,
        share=amounts.share(change, before),
        filters=known.filters if known else [],
    )


def _restated(
    costs: Costs, questions: Sequence[Question], connection: Connection, published: Published
) -> list[Restated]:
    """Return the months of these questions that a later delivery changed, and by how much in their currency."""
    months = {(one.source, one.billing_period): one for one in _months(questions, published)}
    newest = sorted(months, key=lambda key: (key[1], key[0]), reverse=True)[:RESTATED]
    found = []
    for source, month in newest:
        current = months[source, month]
        changes = loads.changes(costs, source, month, None, connection, published).changes
        found += [
            Restated(**delivery_of(current).model_dump(), change=one.change)
            for one in changes
            if one.currency == current.currency and one.change
        ]
    return found


def _hard_to_compare(then: Question, now: Question, published: Published) -> str | None:
    notes = [note for one in (then, now) if (note := ranges.lacks(one.range, one.dates, published))]
    days = [(one.range.last - one.range.first).days + 1 for one in (then, now)]
    if days[0] != days[1]:
        notes.append(f"The periods have {days[0]} and {days[1]} days.")
    through = min((one.through for one in months_of(now, published)), default=now.range.last)
    if through < now.range.last and months_of(now, published):
        notes.append(f"Days after {through} are not complete in every source.")
    return " ".join(notes) or None


def _number(costs: Costs, question: Question, connection: Connection, published: Published) -> NumberInCurrency:
    bound = Bound()
    place = place_of(question, published, None)
    rows = connection.execute(
        sql_files.compose(
            sql_files.read("asking/loads_of_number.sql"),
            metric=place.metric(question),
            relation=costs.database.table(place.relation),
            currency=bound(question.currency),
            condition=place.condition(question, bound, None),
        ),
        bound,
    ).fetchall()
    months = {(one.source, one.billing_period): one for one in published.in_currency(question.currency)}
    manifests = _manifests(costs, connection, [months[row[:2]].load_id for row in rows])
    total = amounts.total(amount or amounts.ZERO for *_, amount in rows)
    return NumberInCurrency(
        currency=question.currency,
        total=total,
        loads=[
            _load(months[source, month], amount or amounts.ZERO, total, manifests) for source, month, amount in rows
        ],
        charges=ranges.charges_address(question),
    )


def _manifests(costs: Costs, connection: Connection, ids: Sequence[int]) -> Mapping[int, tuple[str | None, int | None]]:
    rows = connection.execute(
        sql_files.compose(
            "select load_id, manifest_uri, rows from {load_history} where load_id = any(%s)",
            load_history=costs.database.table("load_history"),
        ),
        [list(ids)],
    )
    return {load_id: (uri, lines) for load_id, uri, lines in rows}


def _load(
    month: Month, amount: Decimal, total: Decimal, manifests: Mapping[int, tuple[str | None, int | None]]
) -> LoadOfNumber:
    uri, lines = manifests[month.load_id]
    return LoadOfNumber(
        **delivery_of(month).model_dump(),
        amount=amount,
        share=amounts.share(amount, total),
        manifest_uri=uri,
        rows=lines,
    )


def _largest(costs: Costs, question: Question, connection: Connection, published: Published) -> list[Charge]:
    """Return the largest charges of a question, with the columns that say what they are."""
    wanted = charges.Wanted(
        range=question.range,
        by_billing_months=question.dates == "billing",
        filters=question.filters,
        currency=question.currency,
        page=1,
        order="largest",
    )
    page = charges.charges(costs, wanted, connection, published)
    places = [place for place, column in enumerate(page.columns) if column.name in TELLING]
    return [
        one.model_copy(update={"values": [one.values[place] for place in places]}) for one in page.charges[:CHARGES]
    ]
