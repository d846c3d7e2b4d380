"""`raw_months` drops raw lines of old months; their costs stay, and so does what is known of them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from deliveries import write_month
from pipeline import JANUARY, cost_totals, load_month, staged_tables, truth_totals

from cloud_costs.airflow import tasks as airflow_tasks
from cloud_costs.charges.views import refresh_views
from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import LoadLost
from cloud_costs.months import MonthRange
from cloud_costs.publishing.audit import audit
from cloud_costs.publishing.history import Load
from cloud_costs.publishing.load import load_raw
from cloud_costs.publishing.normalize import normalize
from cloud_costs.publishing.plan import list_manifests
from cloud_costs.publishing.publish import publish
from cloud_costs.publishing.retention import drop_old_raw
from cloud_costs.publishing.sync import load_months
from cloud_costs.storage.local import LocalStorage

FEBRUARY, MARCH = date(2025, 2, 1), date(2025, 3, 1)
MONTHS = (JANUARY, FEBRUARY, MARCH)


@pytest.fixture
def truths(database, cup):
    """Three published months of `cup`, by month."""
    found = {}
    for month in MONTHS:
        found[month] = cup.deliver(month)
        load_month(database, cup.source, month)
    return found


def load_of(query, month):
    [(load_id,)] = query("select load_id from published_months where billing_period = %s", month)
    return Load(load_id, "cup", month)


def keeping(source, months):
    return source.model_copy(update={"raw_months": months})


def plan_of(database, source):
    return list_manifests(database, [source], lambda _: LocalStorage(), MonthRange())


def raw_months(query, source="cup"):
    """Return the months whose raw lines are there, as the partitions, the lines and the bookkeeping say."""
    partitions = query(
        "select substring(inhrelid::regclass::text from '_([0-9]{6})_') from pg_inherits "
        f"where inhparent = 'raw_{source}'::regclass order by 1"
    )
    lines = [month for (month,) in query(f"select distinct billing_period from raw_{source} order by 1")]
    kept = query("select billing_period from raw_months where source = %s order by 1", source)
    assert [(month,) for month in lines] == kept
    assert [(f"{month:%Y%m}",) for month in lines] == partitions
    return lines


@pytest.mark.parametrize(("months", "kept"), [(None, MONTHS), (3, MONTHS), (2, MONTHS[1:]), (1, MONTHS[2:])])
def test_newest_months_keep_their_lines_and_all_their_costs(database, cup, query, truths, months, kept):
    before = query("select * from costs order by 1, 2, 3, 4, 5, 6, 7, 8, tags, invoice_id")
    history = query("select * from load_history"), query("select * from published_months")
    dropped = drop_old_raw(database, [keeping(cup.source, months)])
    assert [load.billing_month for load in dropped] == [month for month in MONTHS if month not in kept]
    assert raw_months(query) == list(kept)
    assert query("select distinct billing_period from focus_costs order by 1") == [(month,) for month in kept]
    assert query("select * from costs order by 1, 2, 3, 4, 5, 6, 7, 8, tags, invoice_id") == before
    assert (query("select * from load_history"), query("select * from published_months")) == history
    for month, truth in truths.items():
        assert cost_totals(query, "cup", month) == truth_totals(truth)
    for month in kept:
        assert query("select sum(BilledCost), sum(EffectiveCost) from cup_focus where billing_period = %s", month) == [
            (truths[month].billed_cost, truths[month].effective_cost)
        ]


def test_month_without_lines_is_not_loaded_again(database, cup, truths):
    source = keeping(cup.source, 1)
    drop_old_raw(database, [source])
    assert [month.decision for month in plan_of(database, source).months] == ["unchanged"] * len(truths)
    assert drop_old_raw(database, [source]) == []


def test_months_count_back_from_the_newest_published_one(database, cup, query):
    """A month that is missing counts, and one that is only staged does not."""
    for month in (JANUARY, MARCH):
        cup.deliver(month)
        load_month(database, cup.source, month)
    cup.deliver(date(2025, 4, 1))
    load_raw(database, LocalStorage(), cup.source, date(2025, 4, 1))
    assert drop_old_raw(database, [keeping(cup.source, 3)]) == []
    assert [load.billing_month for load in drop_old_raw(database, [keeping(cup.source, 2)])] == [JANUARY]
    assert raw_months(query) == [MARCH]


def test_months_count_over_the_turn_of_the_year(database, cup, query):
    for month in (date(2024, 11, 1), date(2024, 12, 1), JANUARY):
        cup.deliver(month)
        load_month(database, cup.source, month)
    drop_old_raw(database, [keeping(cup.source, 2)])
    assert raw_months(query) == [date(2024, 12, 1), JANUARY]


def test_old_month_that_changes_is_published_and_its_lines_go_again(database, cup, query, truths):
    source = keeping(cup.source, 2)
    drop_old_raw(database, [source])
    truth = cup.deliver(JANUARY, version=2)
    plan = plan_of(database, source)
    assert [month.billing_month for month in plan.to_load] == [JANUARY]
    outcome = load_months(database, {"cup": source}, lambda _: LocalStorage(), plan)
    assert len(outcome.published) == 1
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth) != truth_totals(truths[JANUARY])
    assert query("select sum(cost_change) from restatements") == [(truth.billed_cost - truths[JANUARY].billed_cost,)]
    assert raw_months(query) == [FEBRUARY, MARCH]
    assert query("select status from load_history where billing_period = %s order by load_id", JANUARY) == [
        ("superseded",),
        ("published",),
    ]
    assert staged_tables(database) == []
    assert plan_of(database, source).to_load == ()


def test_run_with_nothing_to_load_drops_lines_too(database, cup, query, truths):
    source = keeping(cup.source, 2)
    load_months(database, {"cup": source}, lambda _: LocalStorage(), plan_of(database, source))
    assert raw_months(query) == [FEBRUARY, MARCH]


def test_task_of_the_dag_drops_lines_too(database, cup, query, truths, monkeypatch, tmp_path):
    path = tmp_path / "sources.yaml"
    path.write_text(f"sources: [{{name: cup, format: aws_cur, uri: '{cup.source.uri}', raw_months: 1}}]")
    monkeypatch.setenv("CLOUD_COSTS_CONFIG", str(path))
    monkeypatch.setattr(airflow_tasks, "_database", lambda: database)
    airflow_tasks.refresh_views()
    assert raw_months(query) == [MARCH]


def test_months_are_kept_again_when_more_are_wanted(database, cup, query, truths):
    drop_old_raw(database, [keeping(cup.source, 1)])
    load_month(database, cup.source, JANUARY)
    drop_old_raw(database, [keeping(cup.source, 3)])
    assert raw_months(query) == [JANUARY, MARCH]
    assert query("select sum(BilledCost) from focus_costs where billing_period = %s", JANUARY) == [
        (truths[JANUARY].billed_cost,)
    ]


def test_months_that_stay_keep_their_basis(database, query, bucket):
    """Of a net, a gross and a net month the first goes: what is known of it is gone with it."""
    bill = Bill(lines=50)
    source = Source(name="cup", format="aws_cur", uri=f"file://{bucket}/{bill.prefix}/{bill.report}/", raw_months=2)
    truths = []
    for month in MONTHS:
        truths.append(write_month(replace(bill, net=month != FEBRUARY), month, bucket))
        load_month(database, source, month)
    drop_old_raw(database, [source])
    assert refresh_views(database) == []
    assert query(
        "select billing_period, sum(BilledCost), sum(EffectiveCost) from focus_costs group by 1 order by 1"
    ) == [(truth.billing_month, truth.billed_cost, truth.effective_cost) for truth in truths[1:]]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (normalize, "the lines of load 1 are gone, and the published lines were dropped too; clear load_raw of"),
        (audit, "load 1 has no tables left to audit; clear load_raw of"),
    ],
)
def test_step_by_itself_says_at_once_to_clear_load_raw(database, cup, query, truths, step, told):
    january = load_of(query, JANUARY)
    drop_old_raw(database, [keeping(cup.source, 1)])
    with pytest.raises(LoadLost, match=f"cup 2025-01: {told} this month"):
        step(database, cup.source, january)
    publish(database, cup.source, january)
    assert query("select status, error from load_history") == [("published", None)] * 3
    assert staged_tables(database) == []
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truths[JANUARY])


def test_totals_that_are_derived_again_keep_their_lines_until_published(database, cup, query, truths):
    source = keeping(cup.source, 2)
    january = normalize(database, source, load_of(query, JANUARY))
    assert drop_old_raw(database, [source]) == []
    audit(database, source, january)
    publish(database, source, january)
    assert drop_old_raw(database, [source]) == [january]
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truths[JANUARY])


def test_lines_without_published_totals_stay(database, cup, query, truths):
    cup.deliver(JANUARY, version=2)
    load_month(database, cup.source, JANUARY, raw_only=True)
    assert [load.billing_month for load in drop_old_raw(database, [keeping(cup.source, 1)])] == [FEBRUARY]
    truth = cup.deliver(JANUARY, version=2)
    load_month(database, cup.source, JANUARY)
    assert [load.billing_month for load in drop_old_raw(database, [keeping(cup.source, 1)])] == [JANUARY]
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)


def test_month_that_a_reader_holds_is_left_for_the_next_run(database, cup, query, truths, caplog):
    source = keeping(cup.source, 2)
    with database.session() as reader, reader.transaction():
        reader.execute(f'select count(*) from "{database.schema}".raw_cup')
        assert drop_old_raw(database, [source], patience=0.5) == []
        assert "cup 2025-01: a reader held a lock on" in caplog.text
        assert query("select count(*) > 0 from raw_cup where billing_period = %s", JANUARY) == [(True,)]
    assert len(drop_old_raw(database, [source])) == 1


def test_two_runs_at_once_and_a_publish_beside_them(database, cup, query, truths):
    source = keeping(cup.source, 1)
    truth = cup.deliver(MARCH, version=2)
    staged = normalize(database, source, load_raw(database, LocalStorage(), source, MARCH))
    barrier = threading.Barrier(3)

    def drop():
        barrier.wait()
        return drop_old_raw(database, [source])

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(drop) for _ in range(2)]
        barrier.wait()
        publish(database, source, staged)
        dropped = sorted(load.billing_month for run in runs for load in run.result())
    assert dropped == [JANUARY, FEBRUARY]
    assert raw_months(query) == [MARCH]
    assert cost_totals(query, "cup", MARCH) == truth_totals(truth)


def test_only_sources_that_say_so_lose_lines(database, cup, query, truths):
    other = cup.source.model_copy(update={"name": "other", "raw_months": 1})
    for month in MONTHS:
        load_month(database, other, month)
    assert {load.source for load in drop_old_raw(database, [cup.source, other])} == {"other"}
    assert raw_months(query, "other") == [MARCH]
    assert raw_months(query) == list(MONTHS)
    assert query("select sum(cost) from costs where source = 'other'") == [
        (sum((truth.billed_cost for truth in truths.values()), Decimal()),)
    ]
