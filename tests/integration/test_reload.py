"""A month comes again: the same, restated, older than others, with other columns and other types."""

from collections import Counter
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest
from pipeline import (
    JANUARY,
    cost_totals,
    crafted_source,
    line,
    load_month,
    staged_tables,
    truth_totals,
    write_delivery,
)

from cloud_costs.errors import ColumnTypeError, LoadLost
from cloud_costs.publishing.load import load_raw
from cloud_costs.publishing.normalize import normalize
from cloud_costs.publishing.publish import publish
from cloud_costs.storage.local import LocalStorage

FEBRUARY, MARCH = date(2025, 2, 1), date(2025, 3, 1)


def test_months_live_side_by_side_and_the_older_may_come_last(database, cup, query):
    truths = {}
    for month in (MARCH, FEBRUARY, JANUARY):
        truths[month] = cup.deliver(month)
        load_month(database, cup.source, month)
    for month, truth in truths.items():
        assert cost_totals(query, "cup", month) == truth_totals(truth)
    assert query("select count(*), sum(cost) from costs") == [
        (query("select count(*) from cup_normalized")[0][0], sum(truth.billed_cost for truth in truths.values()))
    ]
    assert query("select count(*) from raw_cup") == [(sum(truth.raw_lines for truth in truths.values()),)]


@pytest.mark.parametrize("order", [(JANUARY, FEBRUARY, MARCH), (MARCH, FEBRUARY, JANUARY)])
def test_columns_come_and_go_by_month(database, cup, query, order):
    for month in order:
        cup.deliver(month)
        load_month(database, cup.source, month)
    seen = """
        select billing_period, count(resource_tags_user_project) > 0, count(product_ecu) > 0
        from raw_cup group by 1 order by 1
    """
    assert query(seen) == [(JANUARY, False, True), (FEBRUARY, True, True), (MARCH, True, False)]
    assert query(
        "select column_name, first_month, last_month from raw_columns "
        "where column_name in ('resource_tags_user_project', 'product_ecu', 'line_item_unblended_cost') order by 1"
    ) == [
        ("line_item_unblended_cost", JANUARY, MARCH),
        ("product_ecu", JANUARY, FEBRUARY),
        ("resource_tags_user_project", FEBRUARY, MARCH),
    ]
    assert query("select count(*) from focus_costs where tags ? 'user_project' and billing_period = %s", MARCH) > [(0,)]


def test_restatement_tells_the_exact_difference(database, cup, query):
    old = cup.deliver(version=1)
    first = load_month(database, cup.source, JANUARY)
    new = cup.deliver(version=2)
    second = load_month(database, cup.source, JANUARY)
    wanted: Counter[tuple[str, ...]] = Counter()
    effective: Counter[tuple[str, ...]] = Counter()
    lines: Counter[tuple[str, ...]] = Counter()
    for truth, sign in ((new, 1), (old, -1)):
        for row in truth.rows:
            key = (row.account, row.service, row.charge_category, row.currency)
            wanted[key] += sign * row.billed_cost
            effective[key] += sign * row.effective_cost
            lines[key] += sign * row.lines
    expected = {
        key: (lines[key], wanted[key], effective[key]) for key in wanted if wanted[key] or effective[key] or lines[key]
    }
    rows = query(
        "select account_id, service, charge_category, currency, line_items_change, cost_change, effective_cost_change, "
        "previous_load_id, load_id, previous_version, version from restatements"
    )
    assert len(expected) > 3
    assert {tuple(row[:4]): tuple(row[4:7]) for row in rows} == expected
    assert {tuple(row[7:]) for row in rows} == {
        (first.load_id, second.load_id, old.assembly_id, new.assembly_id),
    }


def test_same_delivery_again_restates_nothing(database, cup, query):
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    load_month(database, cup.source, JANUARY)
    assert query("select * from restatements") == []


def test_type_is_widened_for_the_months_before(database, bucket, query):
    source = crafted_source(bucket)
    small = pa.Table.from_pylist([line(n=7)]).set_column(13, "n", pa.array([7], pa.int32()))
    write_delivery(bucket, small)
    load_month(database, source, JANUARY)
    write_delivery(bucket, [line(FEBRUARY, n=2**40)], month=FEBRUARY)
    load_month(database, source, FEBRUARY)
    assert query("select n from raw_crafted order by n") == [(7,), (2**40,)]
    assert query("select type from raw_columns where column_name = 'n'") == [("bigint",)]
    assert query("select count(*) from focus_costs") == [(2,)]
    load_month(database, source, JANUARY)
    assert query("select n from raw_crafted order by n") == [(7,), (2**40,)]


def test_grants_on_views_survive_a_wider_column(database, bucket, query):
    source = crafted_source(bucket)
    write_delivery(bucket, pa.Table.from_pylist([line(n=7)]).set_column(13, "n", pa.array([7], pa.int32())))
    load_month(database, source, JANUARY)
    query("grant select on focus_costs, crafted_focus, costs to pg_monitor")
    write_delivery(bucket, [line(FEBRUARY, n=2**40)], month=FEBRUARY)
    load_month(database, source, FEBRUARY)
    for view in ("focus_costs", "crafted_focus", "costs"):
        assert query(f"select has_table_privilege('pg_monitor', '{view}', 'select')") == [(True,)], view


def test_type_that_holds_neither_is_refused_by_name(database, bucket, query):
    source = crafted_source(bucket)
    write_delivery(bucket, [line(n=7)])
    load_month(database, source, JANUARY)
    paths = write_delivery(bucket, [line(FEBRUARY, n="seven")], month=FEBRUARY)
    with pytest.raises(ColumnTypeError) as raised:
        load_month(database, source, FEBRUARY)
    assert "crafted 2025-02: column 'n' is text in file://" in str(raised.value)
    assert paths[0].name in str(raised.value)
    assert "and bigint in the published months; no type holds both" in str(raised.value)
    assert query("select status, error from load_history order by load_id")[1] == ("failed", str(raised.value))
    assert staged_tables(database) == []
    assert query("select count(*) from costs") == [(1,)]


def test_files_of_one_delivery_may_differ(database, bucket, query):
    source = crafted_source(bucket)
    write_delivery(
        bucket,
        pa.Table.from_pylist([line(n=7)]).set_column(13, "n", pa.array([7], pa.int16())),
        [line(n=2**40, only_here="x")],
    )
    load_month(database, source, JANUARY)
    assert query("select n, only_here from raw_crafted order by n") == [(7, None), (2**40, "x")]


@pytest.mark.parametrize("wide_first", [True, False])
def test_months_staged_side_by_side_with_other_types_are_both_published(database, bucket, query, wide_first):
    source = crafted_source(bucket)
    write_delivery(bucket, pa.Table.from_pylist([line(n=7)]).set_column(13, "n", pa.array([7], pa.int32())))
    write_delivery(bucket, [line(FEBRUARY, n=2**40)], month=FEBRUARY)
    months = (FEBRUARY, JANUARY) if wide_first else (JANUARY, FEBRUARY)
    loads = [normalize(database, source, load_raw(database, LocalStorage(), source, month)) for month in months]
    for load in loads:
        publish(database, source, load)
    assert query("select n from raw_crafted order by n") == [(7,), (2**40,)]


def test_months_staged_side_by_side_that_clash_name_the_column(database, bucket):
    source = crafted_source(bucket)
    write_delivery(bucket, [line(n="seven")])
    write_delivery(bucket, [line(FEBRUARY, n=7)], month=FEBRUARY)
    loads = [normalize(database, source, load_raw(database, LocalStorage(), source, m)) for m in (JANUARY, FEBRUARY)]
    publish(database, source, loads[0])
    with pytest.raises(LoadLost, match=r"crafted 2025-02: column 'n' became text .* staged as bigint; clear load_raw"):
        publish(database, source, loads[1])


HOSTILE = ["Name", "name", 'quo"te', "per%cent %s", "{brace}", "new\nline", "x" * 80, "billing_period", "", "select"]


def test_hostile_column_names_are_kept_and_told_apart(database, bucket, query):
    source = crafted_source(bucket)
    values = {name: f"value of {number}" for number, name in enumerate(HOSTILE)}
    write_delivery(bucket, [line(**values)])
    load_month(database, source, JANUARY)
    # Another order, another delivery: the same columns.
    write_delivery(bucket, [line(**dict(reversed(values.items())))], [{**line(), **values}], version="v2")
    load_month(database, source, JANUARY)
    names = dict(query("select original_name, column_name from raw_columns"))
    for original, value in values.items():
        quoted = '"' + names.get(original, "_").replace('"', '""') + '"'
        with database.session() as connection:
            rows = connection.execute(f'select {quoted} from "{database.schema}".raw_crafted').fetchall()
        assert rows == [(value,), (value,)], original
    assert query("select distinct billing_period from raw_crafted") == [(JANUARY,)]


def test_month_with_one_of_two_colliding_columns_keeps_them_apart(database, bucket, query):
    source = crafted_source(bucket)
    write_delivery(bucket, [line(Name="upper", name="lower")])
    load_month(database, source, JANUARY)
    write_delivery(bucket, [line(FEBRUARY, Name="upper")], month=FEBRUARY)
    load_month(database, source, FEBRUARY)
    upper = dict(query("select original_name, column_name from raw_columns"))["Name"]
    assert query(f'select billing_period, name, "{upper}" from raw_crafted order by 1') == [
        (JANUARY, "lower", "upper"),
        (FEBRUARY, None, "upper"),
    ]


def test_account_ids_keep_their_zeros_and_money_its_digits(database, bucket, query):
    source = crafted_source(bucket)
    write_delivery(bucket, [line(line_item_unblended_cost=cost) for cost in (0.1, 0.2, 1e-10, 12345.6789012345)])
    load_month(database, source, JANUARY)
    assert query("select sum(cost), min(account_id), min(billing_account_id) from costs") == [
        (Decimal("12345.9789012346"), "004512887103", "011254002932")
    ]
