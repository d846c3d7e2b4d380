"""Months that an earlier version of the package derived: found, and derived again from their raw lines."""

from decimal import Decimal

import pytest
from pipeline import JANUARY, cost_totals, crafted_source, line, load_month, truth_totals, write_delivery

from cloud_costs.charges import focus
from cloud_costs.errors import LoadLost
from cloud_costs.months import MonthRange, next_month
from cloud_costs.publishing.plan import EARLIER_RULES, list_manifests
from cloud_costs.publishing.renew import outdated, renew
from cloud_costs.storage.local import LocalStorage

FEBRUARY = next_month(JANUARY)


def make_outdated(query, where="true"):
    """Leave the daily totals as an earlier version derived them: services by code, and no digest."""
    query(f"update load_history set mapping = null where {where}")
    query("update cup_normalized set service = 'AmazonEC2'")


def decisions(database, source):
    plan = list_manifests(database, [source], lambda _: LocalStorage(), MonthRange())
    return [(month.label, month.decision, month.reason) for month in plan.months]


def test_month_of_an_earlier_version_is_derived_again_without_its_bucket(database, cup, query):
    truth = cup.deliver()
    loaded = load_month(database, cup.source, JANUARY)
    sources = {"cup": cup.source}
    assert outdated(database, sources, MonthRange()) == ()
    assert decisions(database, cup.source) == [("cup 2025-01", "unchanged", "")]
    make_outdated(query)
    assert decisions(database, cup.source) == [("cup 2025-01", "unchanged", EARLIER_RULES)]
    [found] = outdated(database, sources, MonthRange())
    assert found.load_id == loaded.load_id
    told = []
    renewal = renew(database, sources, (found,), told.append)
    assert (renewal.renewed, renewal.failed, told) == ((found,), {}, [found])
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)
    assert outdated(database, sources, MonthRange()) == ()
    assert query("select load_id, status from load_history") == [(loaded.load_id, "published")]


def test_months_are_picked_by_range_and_force(database, cup, query):
    for month in (JANUARY, FEBRUARY):
        cup.deliver(month)
        load_month(database, cup.source, month)
    sources = {"cup": cup.source}
    labels = [load.label for load in outdated(database, sources, MonthRange(), force=True)]
    assert labels == ["cup 2025-02", "cup 2025-01"]
    make_outdated(query)
    assert [load.label for load in outdated(database, sources, MonthRange(FEBRUARY, None))] == ["cup 2025-02"]


def test_month_without_raw_lines_fails_and_hinders_no_other(database, bucket, query):
    source = crafted_source(bucket)
    for month, cost in ((JANUARY, 1.5), (FEBRUARY, 2.5)):
        write_delivery(bucket, [line(month, line_item_unblended_cost=cost)], month=month)
        load_month(database, source, month)
    [(old,)] = query("select max(load_id) from load_history where billing_period = '2025-02-01'")
    query(f"alter table raw_crafted detach partition raw_crafted_202502_{old}")
    query(f"drop table raw_crafted_202502_{old}")
    query("update load_history set mapping = 'earlier'")
    sources = {"crafted": source}
    renewal = renew(database, sources, outdated(database, sources, MonthRange()))
    assert [load.label for load in renewal.renewed] == ["crafted 2025-01"]
    [error] = renewal.failed.values()
    assert isinstance(error, LoadLost)
    assert query("select billing_period, sum(cost) from costs group by 1 order by 1") == [
        (JANUARY, Decimal("1.5")),
        (FEBRUARY, Decimal("2.5")),
    ]


def test_raw_lines_alone_are_left_to_the_next_run(database, cup):
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    cup.deliver(version=2)
    load_month(database, cup.source, JANUARY, raw_only=True)
    assert outdated(database, {"cup": cup.source}, MonthRange(), force=True) == ()


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("when 'Unused'", "when 'Used'", False),
        ("-- A range of days is then a range of blocks.", "-- Other words.", True),
        ("sum(billedcost) as cost", "sum(billedcost)\n  as cost", True),
    ],
)
def test_digest_changes_with_what_is_derived(monkeypatch, old, new, same):
    before = focus.digest.__wrapped__("aws_cur")
    read = focus.sql_files.read
    monkeypatch.setattr(
        focus.sql_files,
        "read",
        lambda path: (
            read(path).replace(old.removeprefix("when "), new.removeprefix("when "))
            if path == "normalize.sql"
            else read(path)
        ),
    )
    assert (focus.digest.__wrapped__("aws_cur") == before) is same
