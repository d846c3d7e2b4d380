"""PostgreSQL that goes away at any moment of a load, whose answer is lost, or whose disk is full."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fault_month import Month, assert_passes, attempts, count_moments, go_on
from processes import STEPS, Moments, take_step
from proxies import TcpProxy

from cloud_costs.demo import embedded_postgres
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import CloudCostsError, DatabaseUnavailable

SMALL = Bill(lines=60, files=2)
# Several batches of each of two files.
LARGE = Bill(lines=4500, files=2)


def attempts_of(tries: dict[str, int]) -> list[Any]:
    """Return every attempt at each step: the step, the attempt's number, and how many there are."""
    return [
        pytest.param(step, attempt.values[0], number, id=f"{step}-{attempt.id}")
        for step, number in tries.items()
        for attempt in attempts(number)
    ]


def meet(month: Month, uri: str, step: str, moment: int, happen: Callable[[], None]) -> CloudCostsError | None:
    """Deliver, and take the step over this uri while something happens at a moment; return the step's error."""
    month.deliver()
    load = go_on(month, STEPS[: STEPS.index(step)])
    moments = Moments(moment, happen)
    try:
        take_step(step, moments.database(uri, month.database.schema), month.source, load, moments)
    except CloudCostsError as error:
        assert_passes(error)
        return error
    finally:
        assert moments.seen >= moment
        month.loads[step] = load
    return None


def recover(month: Month, step: str, retries: bool) -> None:
    """Be whole; then take the step again, as Airflow does, or let the next run repair."""
    month.assert_whole(3 - month.delivered, month.delivered)
    if retries:
        go_on(month, STEPS[STEPS.index(step) :], month.loads[step])
    month.next_run()


# --- the server stops


def stop_at_once(server: embedded_postgres.Server) -> None:
    """Stop in immediate mode: as if the machine had lost its power."""
    subprocess.run(
        [embedded_postgres.programs() / "pg_ctl", "stop", "--mode=immediate", "--pgdata=."],
        cwd=server.data_dir,
        check=True,
        capture_output=True,
        **embedded_postgres._as_owner_of(server.data_dir),
    )


@pytest.fixture(scope="module")
def own_server() -> Iterator[embedded_postgres.Server]:
    """A server of these tests' own, with fsync, which they may stop."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "pg"
        yield embedded_postgres.start(data_dir)
        embedded_postgres.stop(data_dir)


@pytest.fixture(scope="module")
def stoppable(new_module_month: Any, own_server: embedded_postgres.Server) -> Month:
    month: Month = new_module_month(LARGE, own_server.uri())
    count_moments(month)
    return month


STOPS = {"load_raw": 3, "normalize": 2, "audit": 2, "publish": 4}


@pytest.mark.parametrize(("step", "attempt", "tries"), attempts_of(STOPS))
def test_server_stops_at_once(stoppable, own_server, step, attempt, tries):
    moment = stoppable.moment(step, attempt, tries)
    try:
        error = meet(stoppable, stoppable.uri, step, moment, lambda: stop_at_once(own_server))
    finally:
        embedded_postgres.start(own_server.data_dir)
    # At its last moment a step may have done all that it had to.
    assert isinstance(error, DatabaseUnavailable) or attempt == tries - 1
    recover(stoppable, step, attempt % 2 == 1)


# --- the connection is cut


@pytest.fixture
def proxy(postgres: embedded_postgres.Server) -> Iterator[TcpProxy]:
    found = TcpProxy(f"{postgres.socket_dir}/.s.PGSQL.{postgres.port}")
    yield found
    found.close()


def through(proxy: TcpProxy) -> str:
    return f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres?sslmode=disable&gssencmode=disable"


@pytest.fixture(scope="module")
def large(new_module_month: Any) -> Month:
    month: Month = new_module_month(LARGE)
    count_moments(month)
    return month


@pytest.fixture(scope="module")
def small(new_module_month: Any) -> Month:
    month: Month = new_module_month(SMALL)
    count_moments(month)
    return month


@pytest.mark.parametrize("attempt", attempts(4))
def test_connection_is_cut_in_the_stream_of_lines(large, proxy, attempt):
    """Half of a packet arrives, and then a reset."""
    size = sum(path.stat().st_size for path in large.bucket.rglob("*.parquet"))
    moment = large.moment("load_raw", 0, 2)
    # COPY is several times as large as Parquet.
    error = meet(large, through(proxy), "load_raw", moment, lambda: proxy.cut_when(size * (1 + 2 * attempt) // 4))
    assert isinstance(error, DatabaseUnavailable)
    recover(large, "load_raw", attempt % 2 == 1)


CUTS = {"load_raw": 3, "normalize": 2, "audit": 2, "publish": 5, "refresh_views": 2}


@pytest.mark.parametrize(("step", "attempt", "tries"), attempts_of(CUTS))
def test_connection_is_cut(small, proxy, step, attempt, tries):
    meet(small, through(proxy), step, small.moment(step, attempt, tries), proxy.cut)
    recover(small, step, attempt % 2 == 1)


@pytest.mark.parametrize(("step", "attempt", "tries"), attempts_of(CUTS))
def test_answer_of_the_server_is_lost(small, proxy, step, attempt, tries):
    """It did what it was asked to, the last commit of the step too, and nobody hears of it."""
    meet(small, through(proxy), step, small.moment(step, attempt, tries), proxy.keep_next_answer)
    recover(small, step, attempt % 2 == 1)


# --- the connection is forgotten

FORGOTTEN = {"load_raw": 2, "publish": 2}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notice a dead connection after seconds, where it would take two minutes."""
    for name in ("KEEPALIVE_IDLE", "KEEPALIVE_INTERVAL", "KEEPALIVE_COUNT"):
        monkeypatch.setattr(f"cloud_costs.database.postgres.{name}", 1)
    monkeypatch.setattr("cloud_costs.database.postgres.UNACKNOWLEDGED", 2000)


@pytest.mark.skipif(sys.platform != "linux", reason="the packet filter is one of Linux")
@pytest.mark.parametrize(("step", "attempt", "tries"), attempts_of(FORGOTTEN))
def test_connection_is_forgotten(small, proxy, hasty, step, attempt, tries):
    """A firewall drops every packet of the connections that are open, in both directions, and tells nobody."""
    began = time.monotonic()

    def forget() -> None:
        proxy.forget()
        # The server notices too, as `test_sessions.py` shows, and lets go of what it had locked.
        threading.Timer(5, proxy.cut).start()

    error = meet(small, through(proxy), step, small.moment(step, attempt, tries), forget)
    assert isinstance(error, DatabaseUnavailable) or attempt == tries - 1
    assert time.monotonic() - began < 60
    recover(small, step, attempt % 2 == 1)


# --- the disk is full


@pytest.fixture(scope="module")
def small_disk() -> Iterator[embedded_postgres.Server]:
    """A server with a database on a file system of 40 MB in memory, in a mount namespace of its own."""
    folder = Path(tempfile.mkdtemp(prefix="cloud-costs-disk-"))
    data_dir, disk = folder / "pg", folder / "disk"
    disk.mkdir()
    embedded_postgres.start(data_dir)
    embedded_postgres.stop(data_dir)
    user = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    mount = f"mount -t tmpfs -o size=40m,mode=0700,uid={data_dir.stat().st_uid} tmpfs {disk}"
    command = ["unshare", *user, "--mount", "sh", "-c", f'{mount} && exec "$0" "$@"', sys.executable]
    started = subprocess.run(
        [*command, "-m", "cloud_costs.demo.embedded_postgres", "start", str(data_dir)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "include"},
    )
    if started.returncode:
        shutil.rmtree(folder)
        pytest.skip(f"no file system may be mounted here: {started.stderr.strip()}")
    server = embedded_postgres.find(data_dir)
    assert server
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute(f"create tablespace small location '{disk}'")
        connection.execute("create database small tablespace small")
    yield server
    embedded_postgres.stop(data_dir)
    shutil.rmtree(folder)


def fill(connection: psycopg.Connection[Any], table: str, megabytes: int) -> None:
    connection.execute(f"create table if not exists {table} (filler text)")
    connection.execute(f"alter table {table} alter filler set storage plain")
    connection.execute(f"insert into {table} select repeat('x', 8100) from generate_series(1, 128 * %s)", [megabytes])


def fill_up(connection: psycopg.Connection[Any], spare: int) -> None:
    """Fill the disk but for so many megabytes."""
    if spare:
        fill(connection, "spare", spare)
    with suppress(psycopg.errors.DiskFull):
        while True:
            fill(connection, "filler", 1)
    connection.execute("drop table if exists spare")


@pytest.mark.parametrize(
    ("step", "spare"),
    [("load_raw", 0), ("load_raw", 3), ("normalize", 0), ("publish", 0)],
)
def test_disk_is_full(new_month, small_disk, step, spare):
    """PostgreSQL's own error, of a file system that is full."""
    month = new_month(LARGE, small_disk.uri("small"))
    month.deliver()
    month.next_run()
    month.deliver()
    load = go_on(month, STEPS[: STEPS.index(step)])
    with psycopg.connect(small_disk.uri("small"), autocommit=True) as connection:
        fill_up(connection, spare)
        try:
            with pytest.raises(DatabaseUnavailable, match="No space left on device"):
                take_step(step, month.database, month.source, load)
            month.assert_whole(1)
        finally:
            connection.execute("drop table filler")
    month.next_run()
    with month.database.session() as connection:
        connection.execute(f"drop schema {month.database.schema}, {month.database.staging_schema} cascade")
