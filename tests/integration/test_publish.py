"""Publishing: once, atomically, in the presence of readers, and again when it failed."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import psycopg
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

from cloud_costs.charges.focus_versions import VIEWS
from cloud_costs.charges.views import refresh_views
from cloud_costs.database import locks
from cloud_costs.errors import LoadLost, PublishBlocked
from cloud_costs.publishing.audit import audit
from cloud_costs.publishing.load import load_raw
from cloud_costs.publishing.normalize import normalize
from cloud_costs.publishing.publish import publish
from cloud_costs.storage.local import LocalStorage


def stage(database, source, month=JANUARY, **options):
    load = load_raw(database, LocalStorage(), source, month, **options)
    load = normalize(database, source, load)
    audit(database, source, load)
    return load


@pytest.mark.alone
def test_reader_who_holds_a_lock_delays_publish_and_nobody_else(database, cup, query):
    old = cup.deliver()
    load_month(database, cup.source, JANUARY)
    new = cup.deliver(version=2)
    load = stage(database, cup.source)
    longest = 0.0
    done = threading.Event()

    def read():
        nonlocal longest
        while not done.is_set():
            began = time.monotonic()
            assert query("select sum(cost) from costs")[0][0] in (old.billed_cost, new.billed_cost)
            longest = max(longest, time.monotonic() - began)
            time.sleep(0.01)

    with ThreadPoolExecutor() as pool, database.session() as blocker:
        blocker.autocommit = False
        blocker.execute(f'select count(*) from "{database.schema}".costs')
        reader = pool.submit(read)
        publishing = pool.submit(publish, database, cup.source, load)
        time.sleep(2.5)
        assert not publishing.done()
        blocker.rollback()
        publishing.result(timeout=20)
        done.set()
        reader.result(timeout=20)
    # The lock timeout is 0.2 s; the rest is the machine's.
    assert longest < 1.0
    assert cost_totals(query, "cup", JANUARY) == truth_totals(new)


def test_impatient_publish_names_the_blocker_and_may_come_again(database, cup, query):
    old = cup.deliver()
    load_month(database, cup.source, JANUARY)
    new = cup.deliver(version=2)
    load = stage(database, cup.source)
    sizes = "select pg_relation_size('costs_by_day'), pg_relation_size('costs_by_month')"
    before = query(sizes)
    with database.session() as blocker:
        blocker.autocommit = False
        blocker.execute(f'select count(*) from "{database.schema}".focus_costs')
        held = rf"\bpid {blocker.info.backend_pid}, user {database.schema}_loader, in a transaction for"
        with pytest.raises(PublishBlocked, match=f"cup 2025-01: .*raw_cup.*{held}"):
            publish(database, cup.source, load, patience=0.5)
        assert cost_totals(query, "cup", JANUARY) == truth_totals(old)
        assert [status for (status,) in query("select status from load_history order by load_id")] == [
            "published",
            "staged",
        ]
        assert "held a lock" in query("select error from load_history where load_id = %s", load.load_id)[0][0]
        # A try that does not get its locks writes no row that is dead at once.
        assert query(sizes) == before
        blocker.rollback()
    publish(database, cup.source, load)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(new)
    assert query("select error from load_history where status = 'published'") == [(None,)]


def test_reader_of_totals_delays_nobody_and_keeps_what_it_saw(database, cup, query):
    old = cup.deliver()
    load_month(database, cup.source, JANUARY)
    new = cup.deliver(version=2)
    load = stage(database, cup.source)
    sums = f'select sum(cost) from "{database.schema}".costs_by_day'
    with database.session() as reader:
        reader.execute("begin isolation level repeatable read")
        assert reader.execute(sums).fetchone() == (old.billed_cost,)
        publish(database, cup.source, load, patience=0)
        assert reader.execute(sums).fetchone() == (old.billed_cost,)
        reader.rollback()
        assert reader.execute(sums).fetchone() == (new.billed_cost,)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(new)


def test_reader_of_a_single_partition_is_named_too(database, cup, query):
    cup.deliver()
    first = load_month(database, cup.source, JANUARY)
    load = stage(database, cup.source)
    with database.session() as blocker:
        blocker.autocommit = False
        blocker.execute(f'select count(*) from "{database.schema}".{first.normalized_table}')
        with pytest.raises(PublishBlocked, match=f"pid {blocker.info.backend_pid}"):
            publish(database, cup.source, load, patience=0.1)
    publish(database, cup.source, load)


def test_autovacuum_leaves_partitions_alone(database, cup, query):
    cup.deliver()
    load = load_month(database, cup.source, JANUARY)
    options = query(
        "select relname, reloptions from pg_class where relname = any(%s)", [load.raw_table, load.normalized_table]
    )
    assert dict(options) == {name: ["autovacuum_enabled=false"] for name in (load.raw_table, load.normalized_table)}


def test_publish_again_changes_nothing(database, cup, query):
    cup.deliver()
    load = load_month(database, cup.source, JANUARY)
    before = query("select * from load_history"), query("select oid from pg_class where relname = 'raw_cup'")
    publish(database, cup.source, load)
    assert before == (query("select * from load_history"), query("select oid from pg_class where relname = 'raw_cup'"))


def test_publish_whose_commit_was_not_heard_of_is_a_no_op(database, cup, query, monkeypatch):
    """The server committed, and the connection broke before it could say so."""
    truth = cup.deliver()
    load = stage(database, cup.source)
    patiently = locks.patiently

    def deaf(*arguments):
        patiently(*arguments)
        raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(locks, "patiently", deaf)
    with pytest.raises(psycopg.OperationalError):
        publish(database, cup.source, load)
    monkeypatch.undo()
    publish(database, cup.source, load)
    refresh_views(database)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)
    assert query("select status, error from load_history") == [("published", None)]


def test_failure_in_the_middle_leaves_everything_as_it_was(database, cup, query):
    old = cup.deliver()
    load_month(database, cup.source, JANUARY)
    new = cup.deliver(version=2)
    load = stage(database, cup.source)
    # The last statement of the transaction fails.
    query(
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$;"
        "create trigger refuse before update on load_history for each row when (new.status = 'published') "
        "execute function refuse()"
    )
    with pytest.raises(Exception, match=r"cup 2025-01: PostgreSQL .*no"):
        publish(database, cup.source, load)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(old)
    query("drop trigger refuse on load_history")
    publish(database, cup.source, load)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(new)


def test_first_months_of_a_source_may_be_published_at_once(database, cup, query):
    months = [date(2025, month, 1) for month in range(1, 7)]
    truths = [cup.deliver(month) for month in months]
    loads = [stage(database, cup.source, month) for month in months]
    with ThreadPoolExecutor(len(months)) as pool:
        list(pool.map(lambda load: publish(database, cup.source, load), loads))
    refresh_views(database)
    assert query("select sum(cost) from costs") == [(sum(truth.billed_cost for truth in truths),)]
    assert query("select count(*) from raw_cup") == [(sum(truth.raw_lines for truth in truths),)]


def test_old_partitions_are_gone(database, cup, query):
    cup.deliver()
    for _ in range(3):
        load = load_month(database, cup.source, JANUARY)
    rows = query(
        "select relname from pg_class where relnamespace = current_schema::regnamespace and relkind = 'r' "
        "and relname ~ '_[0-9]+$' order by 1"
    )
    assert rows == [(load.normalized_table,), (load.raw_table,)]
    assert staged_tables(database) == []


def test_attaching_scans_nothing(database, cup, query):
    """The CHECK constraint spares it: PostgreSQL says so at DEBUG1."""
    cup.deliver()
    load = stage(database, cup.source)
    heard = []
    connect = database.connect

    def loud():
        connection = connect()
        connection.add_notice_handler(lambda notice: heard.append(notice.message_primary))
        connection.execute("set client_min_messages to debug1")
        connection.commit()
        return connection

    publish(type(database)(loud, database.schema, database.name), cup.source, load)
    spared = [message for message in heard if "is implied by existing constraints" in message]
    assert len(spared) == 2, heard


def test_raw_only_leaves_costs_and_a_full_load_brings_them(database, cup, query):
    old = cup.deliver()
    first = load_month(database, cup.source, JANUARY)
    new = cup.deliver(version=2)
    second = load_month(database, cup.source, JANUARY, raw_only=True)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(old)
    assert query("select count(*) from raw_cup") == [(new.raw_lines,)]
    assert query("select load_id, normalized_load_id from published_months") == [(second.load_id, first.load_id)]
    assert query("select * from restatements") == []
    third = load_month(database, cup.source, JANUARY)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(new)
    assert query("select load_id, normalized_load_id from published_months") == [(third.load_id, third.load_id)]
    changes = query("select distinct previous_load_id, load_id from restatements")
    assert changes == [(first.load_id, third.load_id)]
    assert query("select sum(cost_change) from restatements") == [(new.billed_cost - old.billed_cost,)]


def test_raw_only_first_has_no_costs_yet(database, cup, query):
    truth = cup.deliver()
    load_month(database, cup.source, JANUARY, raw_only=True)
    assert query("select sum(billedcost) from focus_costs") == [(truth.billed_cost,)]
    assert query("select normalized_load_id from published_months") == [(None,)]
    load_month(database, cup.source, JANUARY)
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)


def test_totals_of_a_version_are_kept(database, cup, query):
    truth = cup.deliver()
    load_month(database, cup.source, JANUARY)
    rows = query("select service, account_id, charge_category, currency, cost, effective_cost from published_totals")
    assert {tuple(row[:4]): tuple(row[4:]) for row in rows} == {
        (row.service, row.account, row.charge_category, row.currency): (row.billed_cost, row.effective_cost)
        for row in truth.rows
    }
    assert query("select billed_cost from load_history") == [({"USD": pytest.approx(float(truth.billed_cost))},)]


def test_load_that_is_not_staged_is_refused(database, cup, query):
    cup.deliver()
    first = load_month(database, cup.source, JANUARY)
    load_month(database, cup.source, JANUARY)
    with pytest.raises(LoadLost, match="is superseded and cannot be published; clear load_raw"):
        publish(database, cup.source, first)
    raw = load_raw(database, LocalStorage(), cup.source, JANUARY)
    with pytest.raises(LoadLost, match="is staged and cannot be published; clear normalize"):
        publish(database, cup.source, raw)


def test_autovacuum_of_the_old_partition_gives_way(database, bucket, query):
    """Autovacuum lets go of a partition when somebody has waited for deadlock_timeout."""
    source = crafted_source(bucket)
    write_delivery(bucket, [line()])
    first = load_month(database, source, JANUARY)
    load = stage(database, source)
    with database.session() as vacuum, ThreadPoolExecutor() as pool:
        vacuum.autocommit = False
        table = f'"{database.schema}".{first.raw_table}'
        vacuum.execute(f"lock table {table} in share update exclusive mode")
        publishing = pool.submit(publish, database, source, load, 20)
        time.sleep(1.5)
        # Here an autovacuum worker would have been cancelled.
        waiting = query("select count(*) from pg_locks where not granted and relation = %s::regclass", table)
        vacuum.rollback()
        publishing.result(timeout=20)
    assert waiting == [(1,)]


def test_views_refreshed_at_once_agree(database, cup, query):
    truth = cup.deliver()
    publish(database, cup.source, stage(database, cup.source))
    with ThreadPoolExecutor(4) as pool:
        changed = list(pool.map(lambda _: refresh_views(database), range(4)))
    assert sorted(changed) == [[], [], [], ["accounts", "cup_focus", "focus_costs", *VIEWS, "costs"]]
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)


def test_months_of_an_earlier_version_get_their_index_on_date(database, cup, query):
    february = JANUARY.replace(month=2)
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    query("drop index cup_normalized_date")
    cup.deliver(month=february)
    load_month(database, cup.source, february)
    indexed = "select count(*) from pg_inherits where inhparent = to_regclass('cup_normalized_date')"
    assert query(indexed) == [(2,)]
    assert query("select count(*) from pg_inherits where inhparent = to_regclass('cup_normalized')") == [(2,)]
