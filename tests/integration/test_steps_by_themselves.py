"""A step that is cleared by itself works from what is there, or says at once which task to clear."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pipeline import (
    JANUARY,
    cost_totals,
    crafted_source,
    line,
    load_month,
    staged_tables,
    truth_totals,
    wait_for_locks,
    write_delivery,
)
from roles import loader_uri

from cloud_costs.errors import AuditFailed, LoadBusy, LoadLost
from cloud_costs.months import MonthRange
from cloud_costs.publishing import history
from cloud_costs.publishing.audit import audit
from cloud_costs.publishing.load import load_raw
from cloud_costs.publishing.normalize import normalize
from cloud_costs.publishing.plan import list_manifests
from cloud_costs.publishing.publish import publish
from cloud_costs.storage.local import LocalStorage


def test_normalize_alone_derives_from_the_published_lines(database, cup, query):
    truth = cup.deliver()
    loaded = load_month(database, cup.source, JANUARY)
    query("update cup_normalized set cost = 0")
    again = normalize(database, cup.source, loaded)
    assert again == loaded
    audit(database, cup.source, again)
    publish(database, cup.source, again)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)
    assert query("select status from load_history") == [("published",)]
    assert staged_tables(database) == []


def test_normalize_of_a_superseded_load_takes_the_published_one(database, cup, query):
    cup.deliver()
    old = load_month(database, cup.source, JANUARY)
    truth = cup.deliver(version=2)
    new = load_month(database, cup.source, JANUARY)
    derived = normalize(database, cup.source, old)
    assert derived == new
    audit(database, cup.source, derived)
    publish(database, cup.source, derived)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)


def test_normalize_after_a_raw_only_load_catches_up(database, cup, query):
    cup.deliver()
    full = load_month(database, cup.source, JANUARY)
    truth = cup.deliver(version=2)
    raw = load_month(database, cup.source, JANUARY, raw_only=True)
    derived = normalize(database, cup.source, full)
    audit(database, cup.source, derived)
    publish(database, cup.source, derived)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)
    assert query("select load_id, normalized_load_id from published_months") == [(raw.load_id, raw.load_id)]
    plan = list_manifests(database, [cup.source], lambda _: LocalStorage(), MonthRange())
    assert [month.decision for month in plan.months] == ["unchanged"]


def test_audit_and_publish_alone_after_publish_change_nothing(database, cup, query):
    cup.deliver()
    loaded = load_month(database, cup.source, JANUARY)
    before = query("select sum(cost) from costs"), query("select * from load_history")
    audit(database, cup.source, loaded)
    publish(database, cup.source, loaded)
    assert (query("select sum(cost) from costs"), query("select * from load_history")) == before


def test_failed_audit_of_rows_derived_again_keeps_what_is_published(database, cup, query):
    truth = cup.deliver()
    loaded = normalize(database, cup.source, load_month(database, cup.source, JANUARY))
    query(f'update "{database.staging_schema}".{loaded.normalized_table} set cost = cost + 1')
    with pytest.raises(AuditFailed, match="is published and stays published, but it does not pass its checks"):
        audit(database, cup.source, loaded)
    publish(database, cup.source, loaded)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)
    assert query("select status from load_history") == [("published",)]


def test_nothing_left_names_the_task_to_clear(database, cup, query):
    cup.deliver()
    staged = load_raw(database, LocalStorage(), cup.source, JANUARY)
    with pytest.raises(LoadLost, match="cup 2025-01: load 1 has no tables left to audit; clear normalize"):
        audit(database, cup.source, staged)
    query(f'drop table "{database.staging_schema}".{staged.raw_table}')
    with pytest.raises(LoadLost, match=r"cup 2025-01: the lines of load 1 are gone, .*; clear load_raw"):
        normalize(database, cup.source, staged)
    with pytest.raises(LoadLost, match="cup 2025-01: load 1 has no tables left to audit; clear load_raw"):
        audit(database, cup.source, staged)
    with pytest.raises(LoadLost, match="cup 2025-01: load 1 is staged and cannot be published; clear load_raw"):
        publish(database, cup.source, staged)
    unknown = history.Load(99, "cup", JANUARY)
    for step in (normalize, audit, publish):
        with pytest.raises(LoadLost, match="load 99 is not in load_history; clear load_raw"):
            step(database, cup.source, unknown)


def test_two_loads_of_a_month_at_once(database, cup, query):
    truth = cup.deliver()
    with database.session() as other, history.month_lock(other, database, "cup", JANUARY):
        with pytest.raises(LoadBusy, match="cup 2025-01: another load of this month is running"):
            load_raw(database, LocalStorage(), cup.source, JANUARY)
        assert query("select * from load_history") == []
    load_month(database, cup.source, JANUARY)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)


def test_killed_load_is_marked_and_its_tables_dropped(database, cup, query, postgres):
    """SIGKILL in the middle of COPY; a load that runs meanwhile keeps its tables."""
    truth = cup.deliver()
    script = f"""
import os, threading, psycopg
from cloud_costs.loading import parquet_files
from cloud_costs.config.sources import Source
from cloud_costs.publishing.load import load_raw
from cloud_costs.database.postgres import Database
from cloud_costs.storage.local import LocalStorage
from datetime import date
parquet_files.BATCH_ROWS = 10
def progress(rows):
    # In one write, because two streams report at once.
    os.write(1, b"copying\\n")
    threading.Event().wait()
database = Database(lambda: psycopg.connect({loader_uri(postgres, database.schema)!r}), {database.schema!r}, "costs_db")
source = Source(name="cup", format="aws_cur", uri={cup.source.uri!r})
load_raw(database, LocalStorage(), source, date(2025, 1, 1), progress=progress)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": "include"}
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "copying\n"
        with database.session() as connection:
            assert history.drop_dead_staging(connection, database) == []
        assert staged_tables(database) == ["raw_cup_202501_1"]
        assert query("select status from load_history") == [("loading",)]
        with pytest.raises(LoadBusy):
            load_raw(database, LocalStorage(), cup.source, JANUARY)
    finally:
        process.kill()
        process.wait()
    wait_for_locks(query)
    list_manifests(database, [cup.source], lambda _: LocalStorage(), MonthRange())
    assert staged_tables(database) == []
    assert query("select status, error from load_history") == [
        ("failed", "killed: the process that loaded it ended"),
    ]
    load_month(database, cup.source, JANUARY)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)


def test_next_load_of_the_month_drops_what_was_never_finished(database, cup, query):
    cup.deliver()
    first = normalize(database, cup.source, load_raw(database, LocalStorage(), cup.source, JANUARY))
    load_month(database, cup.source, JANUARY)
    assert staged_tables(database) == []
    rows = query("select status, error from load_history order by load_id")
    assert rows == [("failed", "abandoned: load 2 of the same month began"), ("published", None)]
    with pytest.raises(LoadLost, match="load 1 is failed and cannot be published; clear load_raw"):
        publish(database, cup.source, first)


def test_load_that_made_way_while_it_was_normalized_stays_failed(database, cup, query):
    cup.deliver()
    first = load_raw(database, LocalStorage(), cup.source, JANUARY)
    connect, began = database.connect, []

    def meanwhile():
        """A newer load of the month ends this one, just after normalize has looked for its lines."""
        connection = connect()

        class Cursor(connection.cursor_factory):
            def execute(self, statement, *arguments, **options):
                if "create table" in str(statement) and not began:
                    began.append(query("update load_history set status = 'failed', error = 'abandoned' returning 1"))
                return super().execute(statement, *arguments, **options)

        connection.cursor_factory = Cursor
        return connection

    with pytest.raises(LoadLost, match="cup 2025-01: a newer load replaced load 1"):
        normalize(type(database)(meanwhile, database.schema, database.name), cup.source, first)
    assert query("select status, error from load_history") == [("failed", "abandoned")]
    assert staged_tables(database) == [first.raw_table]


def test_lines_of_a_failed_load_are_never_taken_for_a_months(database, bucket, query):
    source = crafted_source(bucket)
    write_delivery(bucket, [line()])
    staged = load_raw(database, LocalStorage(), source, JANUARY)
    query("update load_history set status = 'failed'")
    with pytest.raises(LoadLost, match="clear load_raw"):
        normalize(database, source, staged)


def test_staged_load_waits_a_day_and_no_longer(database, cup, query):
    cup.deliver()
    staged = load_raw(database, LocalStorage(), cup.source, JANUARY)
    with database.session() as connection:
        assert history.drop_dead_staging(connection, database) == []
        query("update load_history set started = now() - interval '25 hours'")
        assert history.drop_dead_staging(connection, database) == [staged.raw_table]


def test_tables_of_others_in_the_staging_schema_stay(database, query):
    query(f'create table "{database.staging_schema}".my_notes (a int)')
    query(f'create table "{database.staging_schema}".my_notes_202501_99999999999999999999999 (a int)')
    with database.session() as connection:
        assert history.drop_dead_staging(connection, database) == []


def test_loads_beside_a_killed_one_are_not_hindered(database, cup, query):
    """Whoever looks for killed loads tries their locks, for a moment."""
    cup.deliver()
    query("insert into load_history (source, format, billing_period) values ('cup', 'aws_cur', '2025-01-01')")
    stop = False

    def look():
        with database.session() as connection:
            while not stop:
                query("update load_history set status = 'loading' where load_id = 1")
                history._end_killed_loads(connection, database, 0)

    with ThreadPoolExecutor(2) as pool:
        looking = [pool.submit(look) for _ in range(2)]
        try:
            for _ in range(20):
                with database.session() as connection, history.month_lock(connection, database, "cup", JANUARY):
                    pass
        finally:
            stop = True
        for one in looking:
            one.result()


@pytest.mark.alone
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_interrupt_stops_the_streams_and_leaves_nothing(database, bucket, query, monkeypatch, interrupt):
    """Airflow ends a task by an exception in the main thread, while the streams run in others."""
    source = crafted_source(bucket)
    write_delivery(bucket, *[[line()] * 200] * 6)
    monkeypatch.setattr("cloud_costs.loading.parquet_files.BATCH_ROWS", 10)
    copied = []

    def slow(rows):
        copied.append(rows)
        time.sleep(0.05)

    def interrupted(copies):
        time.sleep(0.3)
        raise interrupt("stop")

    monkeypatch.setattr("cloud_costs.loading.staging.as_completed", interrupted)
    began = time.monotonic()
    with pytest.raises(interrupt):
        load_raw(database, LocalStorage(), source, JANUARY, progress=slow)
    assert time.monotonic() - began < 2
    assert 0 < sum(copied) < 400
    assert staged_tables(database) == []
    assert query("select status, error from load_history") == [("failed", "stop")]
