"""The Costs page without a database: dates, filters, decimals, and the app that is made at its first request."""

import asyncio
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from cloud_costs.airflow.costs_page import Lazy
from cloud_costs.insights.days import why_open
from cloud_costs.page.amounts import change, share, total
from cloud_costs.page.dimensions import find, narrowed, parse_filters, written
from cloud_costs.page.downloads import Download, as_csv, as_parquet
from cloud_costs.page.models import plain
from cloud_costs.page.months import is_stale
from cloud_costs.page.overview import cuts_of
from cloud_costs.page.periods import Range
from cloud_costs.page.problems import Refusal
from cloud_costs.page.published import Month, Published

JANUARY, FEBRUARY, MARCH = (date(2025, month, 1) for month in (1, 2, 3))


def month(billing_period: date, last: date, published: datetime, source: str = "cup") -> Month:
    return Month(
        source=source,
        cloud_provider="AWS",
        billing_period=billing_period,
        currency="USD",
        first=billing_period,
        last=last,
        billed_cost=Decimal(1),
        effective_cost=Decimal(1),
        published_at=published,
        load_id=1,
        version="v",
    )


@pytest.mark.parametrize(
    ("last", "published", "through"),
    [
        # While the month runs, the last day of use is incomplete.
        (date(2025, 2, 10), datetime(2025, 2, 10, 18, tzinfo=UTC), date(2025, 2, 9)),
        (date(2025, 2, 8), datetime(2025, 2, 10, 18, tzinfo=UTC), date(2025, 2, 7)),
        # Days to come have no use yet, though a fee may be dated there.
        (date(2025, 2, 28), datetime(2025, 2, 10, 18, tzinfo=UTC), date(2025, 2, 9)),
        # A source without daily costs is complete up to the day before its delivery.
        (date(2025, 2, 1), datetime(2025, 2, 20, 1, tzinfo=UTC), date(2025, 2, 19)),
        # Once the month is over, all of it is there.
        (date(2025, 2, 28), datetime(2025, 3, 1, 1, tzinfo=UTC), date(2025, 2, 28)),
        (date(2025, 2, 3), datetime(2025, 4, 1, tzinfo=UTC), date(2025, 2, 28)),
    ],
)
def test_month_is_complete_through_a_day(last, published, through):
    assert month(FEBRUARY, last, published).through == through


def test_each_source_is_compared_with_itself():
    months = (
        month(MARCH, date(2025, 3, 10), datetime(2025, 3, 10, 9, tzinfo=UTC)),
        month(MARCH, date(2025, 3, 31), datetime(2025, 4, 2, tzinfo=UTC), "azure"),
        month(FEBRUARY, date(2025, 2, 28), datetime(2025, 3, 20, tzinfo=UTC), "google"),
    )
    cuts = cuts_of(Published((), months, {}), "USD", MARCH)
    assert [(one.source, one.billing_period, one.through) for one in cuts] == [
        ("cup", MARCH, date(2025, 3, 9)),
        ("cup", FEBRUARY, date(2025, 2, 9)),
        ("azure", MARCH, date(2025, 3, 31)),
        ("azure", FEBRUARY, date(2025, 2, 28)),
    ]


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (datetime(2025, 1, 31, 23, tzinfo=UTC), "is not over"),
        (datetime(2025, 2, 1, tzinfo=UTC), "ended 1 day ago, and providers still change it"),
        (datetime(2025, 4, 1, tzinfo=UTC), "ended 60 days ago, and providers still change it"),
        (datetime(2025, 4, 2, tzinfo=UTC), None),
    ],
)
def test_month_is_an_estimate_until_providers_leave_it(now, words):
    assert why_open(date(2025, 1, 31), now.date()) == words
    published = Published((), (month(JANUARY, date(2025, 1, 31), now),), {})
    assert published.estimated([JANUARY, FEBRUARY], now) == (
        (False, "Final: the months ended more than 60 days ago.")
        if words is None
        else (True, f"Estimated: 2025-01 {words}.")
    )


def test_bill_with_days_of_another_month_is_asked_for_them():
    late = month(FEBRUARY, date(2025, 2, 28), datetime(2025, 3, 3, tzinfo=UTC))
    late = Month(**{**late.__dict__, "first": date(2025, 1, 30)})
    published = Published((), (month(JANUARY, date(2025, 1, 31), datetime(2025, 2, 3, tzinfo=UTC)), late), {})
    assert published.with_days(date(2025, 1, 29), date(2025, 1, 30)) == [JANUARY, FEBRUARY]
    assert published.with_days(JANUARY, date(2025, 1, 29)) == [JANUARY]


def test_stale_is_what_the_source_says():
    now = datetime(2025, 2, 3, tzinfo=UTC)
    assert [is_stale(now - timedelta(hours=49), hours, now) for hours in (48, 0, None, 50)] == [
        True,
        False,
        False,
        False,
    ]
    assert not is_stale(None, 48, now)


@pytest.mark.parametrize(
    ("first", "last", "before"),
    [
        ((2025, 3, 1), (2025, 3, 31), ((2025, 2, 1), (2025, 2, 28))),
        ((2024, 1, 1), (2024, 12, 31), ((2023, 1, 1), (2023, 12, 31))),
        ((2025, 1, 1), (2025, 1, 1), ((2024, 12, 31), (2024, 12, 31))),
        ((2025, 1, 15), (2025, 2, 14), ((2024, 12, 15), (2025, 1, 14))),
    ],
)
def test_range_before_is_as_long(first, last, before):
    assert Range(date(*first), date(*last)).before == Range(date(*before[0]), date(*before[1]))


def test_periods_cover_the_range():
    days = Range(date(2025, 1, 30), date(2025, 3, 2))
    assert len(days.periods("day")) == 32
    assert days.periods("week") == [date(2025, 1, 27) + timedelta(days=7 * number) for number in range(5)]
    assert days.periods("month") == [JANUARY, FEBRUARY, MARCH]


@pytest.mark.parametrize("text", ["tag:user%3Ateam:a:b", "service:a:b", "account_id:", "tag:a%253A:", "region:%20"])
def test_filter_is_read_as_it_is_written(text):
    assert written(parse_filters([text])) == [text]


def test_value_of_a_group_takes_the_place_of_the_filter():
    filters = parse_filters(["service:a", "service:b", "region:x"])
    assert narrowed(filters, [find("service", "group")], ["c"]) == ["service:c", "region:x"]


@pytest.mark.parametrize("name", ["cost", "tags", "tag", "tag:", "tag:%00", "SERVICE", "service;", "'"])
def test_unknown_dimension_is_refused(name):
    with pytest.raises(Refusal, match=r"group: .* is not a dimension"):
        find(name, "group")


def test_amounts_keep_every_digit():
    long = Decimal("12345678901234567890123456789.000000000000000000000000001")
    assert total([long, Decimal("1E-30"), long.copy_negate()]) == Decimal("1E-30")
    assert change(long, Decimal("1E-30")) == Decimal("12345678901234567890123456789.000000000000000000000000000999")
    assert plain(long + 0) != plain(long)
    assert [plain(Decimal(text)) for text in ("-0.50", "1E+3", "1E-9", "100")] == ["-0.5", "1000", "0.000000001", "100"]
    assert (share(Decimal(1), Decimal(3)), share(Decimal(1), Decimal(0)), share(None, Decimal(1))) == (
        0.333333,
        None,
        None,
    )


def test_parquet_takes_the_decimals_that_hold_all_digits():
    import io

    import pyarrow.parquet as pq

    for texts, kind in (
        (["1.5", "-100"], "decimal128(38, 1)"),
        (["1E-25", "123456789012"], "decimal128(38, 25)"),
        (["1E-30", "123456789"], "decimal256(76, 30)"),
        ([], "decimal128(38, 0)"),
    ):
        rows = [(JANUARY, "USD", Decimal(text)) for text in texts]
        table = pq.read_table(io.BytesIO(as_parquet(Download(("period", "currency", "cost"), rows))))
        assert str(table.schema.field("cost").type) == kind
        assert table["cost"].to_pylist() == [Decimal(text) for text in texts]
    with pytest.raises(Refusal, match="more than Parquet has"):
        as_parquet(Download(("period", "cost"), [(JANUARY, Decimal("1E-80"))]))


def test_csv_has_no_exponent_and_no_formula():
    content = Download(("period", "service", "cost"), [(JANUARY, "@x", Decimal("1E-9")), (JANUARY, "-", Decimal(-1))])
    assert as_csv(content).decode() == "period,service,cost\r\n2025-01-01,'@x,0.000000001\r\n2025-01-01,'-,-1\r\n"


def test_app_is_made_once_and_in_a_thread():
    made = []

    async def answer(scope, receive, send):
        await send(scope["path"])

    def make():
        made.append(threading.current_thread())
        return answer

    async def ask():
        lazy, sent = Lazy(make), []

        async def send(message):
            sent.append(message)

        assert made == []
        await asyncio.gather(*(lazy({"path": number}, None, send) for number in range(5)))
        return sent

    assert sorted(asyncio.run(ask())) == list(range(5))
    assert len(made) == 1
    assert made[0] is not threading.main_thread()
