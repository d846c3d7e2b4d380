"""Questions of finance people, each with the call that answers it, and what it has to answer by the rows of `costs`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from page_bills import FEBRUARY, JANUARY, sums

JANUARY_END, FEBRUARY_END = date(2025, 1, 31), date(2025, 2, 28)
S3, EC2 = "Amazon Simple Storage Service", "Amazon Elastic Compute Cloud"
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """A question, the call that answers it, and where in the answer the amounts are."""

    words: str
    tool: str
    arguments: dict[str, Any]
    found: Callable[[Any], Any]
    expected: Callable[[Rows], Any]


def of(rows: Rows, **wanted: Any) -> Rows:
    """Return the rows that have these values."""
    return [row for row in rows if all((row[name] or "") == value for name, value in wanted.items())]


def between(rows: Rows, first: date, last: date, column: str = "date") -> Rows:
    return [row for row in rows if first <= row[column] <= last]


def total(rows: Rows, metric: str = "billed_cost") -> Decimal:
    return sums(rows, [], metric).get((), Decimal(0))


def part(answer: Any, currency: str = "USD") -> Any:
    return next(one for one in answer["currencies"] if one["currency"] == currency)


def whole(answer: Any) -> dict[str, Decimal]:
    return {one["currency"]: Decimal(one["total"]) for one in answer["currencies"]}


def groups(answer: Any, currency: str = "USD") -> dict[tuple[str, ...], Decimal]:
    return {tuple(one["values"]): Decimal(one["total"]) for one in part(answer, currency)["groups"]}


def changes(answer: Any, currency: str = "USD") -> dict[tuple[str, ...], Decimal]:
    return {tuple(one["values"]): Decimal(one["change"]) for one in part(answer, currency)["groups"]}


def table(answer: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in answer["rows"]]


def by_currency(rows: Rows, metric: str = "billed_cost") -> dict[str, Decimal]:
    return {key[0]: value for key, value in sums(rows, ["currency"], metric).items()}


def moved(rows: Rows, *keys: str) -> dict[tuple[str, ...], Decimal]:
    after = sums(between(rows, FEBRUARY, FEBRUARY_END), keys, "billed_cost")
    before = sums(between(rows, JANUARY, JANUARY_END), keys, "billed_cost")
    return {key: after.get(key, Decimal(0)) - before.get(key, Decimal(0)) for key in {*after, *before}}


IN_JANUARY = {"first": "2025-01-01", "last": "2025-01-31"}
IN_FEBRUARY = {"first": "2025-02-01", "last": "2025-02-28"}
BOTH = {"first": "2025-01-01", "last": "2025-02-28"}
OF_JANUARY, OF_FEBRUARY = {**IN_JANUARY, "dates": "billing"}, {**IN_FEBRUARY, "dates": "billing"}
USD = {"currency": "USD"}


def usd(rows: Rows) -> Rows:
    return of(rows, currency="USD")


QUESTIONS = [
    Asked(
        "What did we spend on the cloud in January?",
        *("costs_by", IN_JANUARY, whole),
        lambda rows: by_currency(between(rows, JANUARY, JANUARY_END)),
    ),
    Asked(
        "What were the invoices of January?",
        *("costs_by", OF_JANUARY, whole),
        lambda rows: by_currency(of(rows, billing_period=JANUARY)),
    ),
    Asked(
        "What were the invoices of February, in each currency?",
        *("costs_by", OF_FEBRUARY, whole),
        lambda rows: by_currency(of(rows, billing_period=FEBRUARY)),
    ),
    Asked(
        "How do AWS, Azure and Google compare in February?",
        *("costs_by", {**IN_FEBRUARY, **USD, "group_by": ["cloud_provider"]}, groups),
        lambda rows: sums(between(usd(rows), FEBRUARY, FEBRUARY_END), ["cloud_provider"], "billed_cost"),
    ),
    Asked(
        "Which services cost most in January?",
        *("costs_by", {**IN_JANUARY, **USD, "group_by": ["service"], "top": 200}, groups),
        lambda rows: sums(between(usd(rows), JANUARY, JANUARY_END), ["service"], "billed_cost"),
    ),
    Asked(
        "What does each account use, with commitments spread?",
        *("costs_by", {**BOTH, **USD, "group_by": ["account_id"], "metric": "effective_cost", "top": 200}, groups),
        lambda rows: sums(between(usd(rows), JANUARY, FEBRUARY_END), ["account_id"], "effective_cost"),
    ),
    Asked(
        "What would January have cost at list prices?",
        *("costs_by", {**IN_JANUARY, "metric": "list_cost"}, whole),
        lambda rows: by_currency(between(rows, JANUARY, JANUARY_END), "list_cost"),
    ),
    Asked(
        "What does each team cost?",
        *("costs_by", {**BOTH, **USD, "group_by": ["tag:user%3Ateam"], "top": 200}, groups),
        lambda rows: sums(between(usd(rows), JANUARY, FEBRUARY_END), ["tag:user%3Ateam"], "billed_cost"),
    ),
    Asked(
        "How much is untagged?",
        *("costs_by", {**BOTH, **USD, "filters": ["tag:user%3Ateam:"]}, lambda answer: Decimal(part(answer)["total"])),
        lambda rows: total(of(between(usd(rows), JANUARY, FEBRUARY_END), **{"tag:user%3Ateam": ""})),
    ),
    Asked(
        "What does S3 cost by region?",
        *("costs_by", {**BOTH, **USD, "group_by": ["region"], "filters": [f"service:{S3}"], "top": 200}, groups),
        lambda rows: sums(of(between(usd(rows), JANUARY, FEBRUARY_END), service=S3), ["region"], "billed_cost"),
    ),
    Asked(
        "What do EC2 and S3 cost together?",
        "costs_by",
        {**BOTH, "filters": [f"service:{S3}", f"service:{EC2}"], **USD},
        lambda answer: Decimal(part(answer)["total"]),
        lambda rows: total([row for row in between(usd(rows), JANUARY, FEBRUARY_END) if row["service"] in (S3, EC2)]),
    ),
    Asked(
        "How much were taxes, credits and fees in January?",
        *("costs_by", {**OF_JANUARY, **USD, "group_by": ["charge_category"]}, groups),
        lambda rows: sums(of(usd(rows), billing_period=JANUARY), ["charge_category"], "billed_cost"),
    ),
    Asked(
        "What is on each invoice?",
        *("costs_by", {**OF_JANUARY, **USD, "group_by": ["invoice_id"], "top": 200}, groups),
        lambda rows: sums(of(usd(rows), billing_period=JANUARY), ["invoice_id"], "billed_cost"),
    ),
    Asked(
        "Who pays, and for which account?",
        "costs_by",
        {**IN_JANUARY, **USD, "group_by": ["billing_account_id", "account_id"], "top": 200},
        groups,
        lambda rows: sums(
            between(usd(rows), JANUARY, JANUARY_END), ["billing_account_id", "account_id"], "billed_cost"
        ),
    ),
    Asked(
        "What did we spend each day of the second week of January?",
        "costs_by",
        {"first": "2025-01-06", "last": "2025-01-12", "per": "day", **USD},
        lambda answer: dict(zip(answer["periods"], map(Decimal, part(answer)["series"]), strict=True)),
        lambda rows: {
            str(day): total(of(usd(rows), date=day)) for day in (date(2025, 1, number) for number in range(6, 13))
        },
    ),
    Asked(
        "What did each month cost by source?",
        "costs_by",
        {**BOTH, "dates": "billing", "per": "month", "group_by": ["source"], **USD},
        lambda answer: {
            one["values"][0]: [Decimal(value) for value in one["series"]] for one in part(answer)["groups"]
        },
        lambda rows: {
            source: [total(of(usd(rows), source=source, billing_period=month)) for month in (JANUARY, FEBRUARY)]
            for source in ("cup", "azure", "google")
        },
    ),
    Asked(
        "How much do we spend in euros?",
        *("costs_by", {**BOTH, "currency": "EUR"}, whole),
        lambda rows: {"EUR": total(of(rows, currency="EUR"))},
    ),
    Asked(
        "Did we spend more in February than in January?",
        "compare",
        {**IN_FEBRUARY, **USD},
        lambda answer: tuple(Decimal(part(answer)[name]) for name in ("before", "after", "change")),
        lambda rows: (
            before := total(between(usd(rows), JANUARY, JANUARY_END)),
            after := total(between(usd(rows), FEBRUARY, FEBRUARY_END)),
            after - before,
        ),
    ),
    Asked(
        "Which services make the difference?",
        *("compare", {**IN_FEBRUARY, **USD, "top": 200}, changes),
        lambda rows: moved(usd(rows), "service"),
    ),
    Asked(
        "Which account's services make the difference?",
        *("compare", {**IN_FEBRUARY, **USD, "group_by": ["account_id", "service"], "top": 200}, changes),
        lambda rows: moved(usd(rows), "account_id", "service"),
    ),
    Asked(
        "How does the last week of January compare with the first?",
        "compare",
        {"first": "2025-01-25", "last": "2025-01-31", "before_first": "2025-01-01", "before_last": "2025-01-07", **USD},
        lambda answer: Decimal(part(answer)["change"]),
        lambda rows: (
            total(between(usd(rows), date(2025, 1, 25), JANUARY_END))
            - total(between(usd(rows), JANUARY, date(2025, 1, 7)))
        ),
    ),
    Asked(
        "How is this month going?",
        "month_so_far",
        {},
        lambda answer: {
            one["currency"]: Decimal(one["totals"]["billed_cost"]["amount"]) for one in answer["currencies"]
        },
        lambda rows: {
            currency: total(between(of(rows, billing_period=FEBRUARY, currency=currency), date.min, FEBRUARY_END))
            for currency in ("USD", "EUR")
        },
    ),
    Asked(
        "What moved most this month?",
        *("month_so_far", USD, lambda answer: abs(Decimal(part(answer)["movers"][0]["change"]))),
        lambda rows: max(
            abs(
                total(of(usd(rows), billing_period=FEBRUARY, **key))
                - total(of(usd(rows), billing_period=JANUARY, **key))
            )
            for key in {
                tuple((name, row[name]) for name in ("source", "account_id", "service")): {
                    name: row[name] or "" for name in ("source", "account_id", "service")
                }
                for row in usd(rows)
            }.values()
        ),
    ),
    Asked(
        "Which deliveries is the number of January from?",
        "trace",
        {**OF_JANUARY, **USD},
        lambda answer: {one["source"]: Decimal(one["amount"]) for one in part(answer)["loads"]},
        lambda rows: {
            key[0]: value
            for key, value in sums(of(usd(rows), billing_period=JANUARY), ["source"], "billed_cost").items()
        },
    ),
    Asked(
        "Which bills have the costs of the last days of January?",
        "trace",
        {"first": "2025-01-30", "last": "2025-01-31", "metric": "effective_cost", **USD},
        lambda answer: {
            (one["source"], one["billing_period"]): Decimal(one["amount"]) for one in part(answer)["loads"]
        },
        lambda rows: {
            (source, f"{month:%Y-%m}"): value
            for (source, month), value in sums(
                between(usd(rows), date(2025, 1, 30), JANUARY_END), ["source", "billing_period"], "effective_cost"
            ).items()
        },
    ),
    Asked(
        "How much did each weekday cost?",
        "query",
        {
            "statement": "select extract(isodow from date), sum(cost) from costs where currency = 'USD' "
            "and date between '2025-01-01' and '2025-02-28' group by 1 order by 1"
        },
        lambda answer: {int(day): Decimal(value) for day, value in table(answer)},
        lambda rows: {
            key[0]: value
            for key, value in sums(
                between(usd(rows), JANUARY, FEBRUARY_END), [lambda row: row["date"].isoweekday()], "billed_cost"
            ).items()
        },
    ),
    Asked(
        "What is the most expensive day in each currency?",
        "query",
        {
            "statement": "with days as (select currency, date, sum(cost) as spent from costs_by_day group by 1, 2) "
            "select distinct on (currency) currency, date, spent from days order by currency, spent desc, date"
        },
        lambda answer: {(currency, day): Decimal(spent) for currency, day, spent in table(answer)},
        lambda rows: {
            (currency, str(day)): value
            for currency in ("USD", "EUR")
            for days in [sums(of(rows, currency=currency), ["date"], "billed_cost")]
            for (day,), value in [min(days.items(), key=lambda item: (-item[1], item[0]))]
        },
    ),
    Asked(
        "What share of each cloud is untagged?",
        "query",
        {
            "statement": "select cloud_provider, sum(cost) filter (where not tags ? 'user:team') from costs "
            "where currency = 'USD' group by 1 -- the largest first\n order by 2 desc nulls last;"
        },
        lambda answer: {cloud: Decimal(value or 0) for cloud, value in table(answer)},
        lambda rows: {
            cloud: total(of(usd(rows), cloud_provider=cloud, **{"tag:user%3Ateam": ""}))
            for cloud in ("AWS", "Microsoft", "Google Cloud")
        },
    ),
    Asked(
        "What did accounts spend together, whose names hold 'acme'?",
        "query",
        {
            "statement": "select currency, sum(cost) from costs "
            "where account_name ilike '%acme%' group by currency order by 1"
        },
        lambda answer: {currency: Decimal(value) for currency, value in table(answer)},
        lambda rows: by_currency([row for row in rows if "acme" in (row["account_name"] or "").lower()]),
    ),
    Asked(
        "How many lines does each published month have?",
        "query",
        {"statement": "select source, billing_period, sum(line_items) from costs group by 1, 2 order by 1, 2"},
        lambda answer: {tuple(row[:2]) for row in table(answer)},
        lambda rows: {(row["source"], str(row["billing_period"])) for row in rows},
    ),
]
