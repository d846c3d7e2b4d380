"""The main job: a billing month goes from bucket to `costs`."""

from pipeline import JANUARY, cost_totals, load_month, truth_totals


def test_month_arrives_in_costs_to_the_last_digit(database, cup, query):
    truth = cup.deliver()
    load_month(database, cup.source, JANUARY)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)
    assert query("select count(*) from raw_cup") == [(truth.raw_lines,)]
    assert query("select sum(cost) from costs") == [(truth.billed_cost,)]


def test_loading_again_gives_the_same_rows_and_a_new_history_row(database, cup, query):
    truth = cup.deliver()
    load_month(database, cup.source, JANUARY)
    load_month(database, cup.source, JANUARY)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)
    assert query("select status from load_history order by load_id") == [("superseded",), ("published",)]


def test_restated_month_replaces_the_old_one(database, cup, query):
    cup.deliver(version=1)
    load_month(database, cup.source, JANUARY)
    truth = cup.deliver(version=2)
    load_month(database, cup.source, JANUARY)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)
