"""The embedded PostgreSQL starts anywhere, runs once, survives its starter, and stops without losing data."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import psycopg
import pytest
import sqlalchemy

from cloud_costs.demo import embedded_postgres
from cloud_costs.demo.embedded_postgres import EmbeddedPostgresError, Server


@pytest.fixture
def private_dir() -> Iterator[Path]:
    """A folder for its owner alone. Not tmp_path: every other pytest run of root closes its parents again."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(params=["plain", "a space, a 'quote' and a $HOME", "long/" + "x" * 200])
def data_dir(request: pytest.FixtureRequest, private_dir: Path) -> Iterator[Path]:
    data_dir = private_dir / request.param / "pg"
    yield data_dir
    embedded_postgres.stop(data_dir)


@pytest.fixture
def plain_dir(private_dir: Path) -> Iterator[Path]:
    data_dir = private_dir / "pg"
    yield data_dir
    embedded_postgres.stop(data_dir)


def query(server: Server, statement: str) -> str:
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return str(cursor.fetchone()[0]) if cursor.description else ""  # type: ignore[index]


def run(*args: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cloud_costs.demo.embedded_postgres", *map(str, args)]
    folder = Path(embedded_postgres.__file__).parents[2]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(folder), **env},
    )


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postmaster.pid").read_text().splitlines()[0])


def test_data_survives_a_stop(data_dir: Path) -> None:
    query(embedded_postgres.start(data_dir), "create table kept as select 42 as answer")
    assert embedded_postgres.stop(data_dir)
    assert query(embedded_postgres.start(data_dir), "select answer from kept") == "42"


def test_uri_serves_sqlalchemy_and_quotes_the_database(plain_dir: Path) -> None:
    server = embedded_postgres.start(plain_dir)
    query(server, 'create database "Cloud costs/é"')
    uri = server.uri("Cloud costs/é").replace("postgresql://", "postgresql+psycopg2://")
    engine = sqlalchemy.create_engine(uri)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select current_database()").scalar_one() == "Cloud costs/é"
    engine.dispose()


def test_second_start_returns_the_running_server(plain_dir: Path) -> None:
    first = embedded_postgres.start(plain_dir)
    pid = postmaster(plain_dir)
    assert embedded_postgres.start(plain_dir) == first == embedded_postgres.find(plain_dir)
    assert postmaster(plain_dir) == pid


def test_starts_after_a_kill(plain_dir: Path) -> None:
    query(embedded_postgres.start(plain_dir), "create table kept as select 42 as answer")
    os.kill(postmaster(plain_dir), signal.SIGKILL)
    while embedded_postgres.find(plain_dir):
        time.sleep(0.01)
    assert query(embedded_postgres.start(plain_dir), "select answer from kept") == "42"


def test_starts_when_another_process_has_the_old_id(plain_dir: Path) -> None:
    embedded_postgres.start(plain_dir)
    lines = (plain_dir / "postmaster.pid").read_text().splitlines()
    embedded_postgres.stop(plain_dir)
    (plain_dir / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:], ""]))
    assert embedded_postgres.find(plain_dir) is None
    assert query(embedded_postgres.start(plain_dir), "select 1") == "1"


def test_two_processes_may_start_at_once(plain_dir: Path) -> None:
    with ThreadPoolExecutor() as pool:
        starters = list(pool.map(lambda _: run("start", plain_dir), range(3)))
    assert [starter.returncode for starter in starters] == [0, 0, 0]
    uris = {starter.stdout.splitlines()[-1] for starter in starters}
    assert uris == {embedded_postgres.start(plain_dir).uri()}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a user")
def test_user_of_the_server_is_made_once_by_those_who_start_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`useradd` looks first and locks then: of two at once, one fails, or gives the user another id."""
    name = f"pgtest{os.getpid()}"
    monkeypatch.setattr(embedded_postgres, "SYSTEM_USER", name)
    together = Barrier(4)

    def made(_: int) -> int:
        together.wait()
        return embedded_postgres._system_user().pw_uid

    try:
        with ThreadPoolExecutor(4) as pool:
            ids = list(pool.map(made, range(4)))
    finally:
        subprocess.run(["userdel", name], check=True)
    assert len(set(ids)) == 1


def test_stop_of_nothing_is_no_error(tmp_path: Path) -> None:
    assert not embedded_postgres.stop(tmp_path / "never made")
    assert not embedded_postgres.stop(tmp_path)


def test_nothing_listens_but_a_private_socket(plain_dir: Path) -> None:
    server = embedded_postgres.start(plain_dir)
    assert query(server, "show listen_addresses") == ""
    assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
    assert embedded_postgres.stop(plain_dir)
    assert not server.socket_dir.exists()


def test_socket_folder_of_another_kind_is_refused(plain_dir: Path, tmp_path: Path) -> None:
    socket_dir = embedded_postgres.start(plain_dir).socket_dir
    embedded_postgres.stop(plain_dir)
    socket_dir.symlink_to(tmp_path)
    with pytest.raises(EmbeddedPostgresError, match="not a private folder"):
        embedded_postgres.start(plain_dir)
    socket_dir.unlink()


@pytest.mark.parametrize("temp", ["a space", "x" * 90])
def test_temporary_folder_that_no_socket_fits_is_not_used(plain_dir: Path, tmp_path: Path, temp: str) -> None:
    (tmp_path / temp).mkdir()
    assert run("start", plain_dir, TMPDIR=str(tmp_path / temp)).returncode == 0
    server = embedded_postgres.find(plain_dir)
    assert server
    assert query(server, "select 1") == "1"


def test_cluster_does_not_depend_on_the_environment(plain_dir: Path) -> None:
    foreign = {"LC_ALL": "de_DE.ISO-8859-1", "TZ": "Asia/Tokyo", "PGPORT": "1", "PGOPTIONS": "-c nonsense=1"}
    assert run("start", plain_dir, **foreign).returncode == 0
    server = embedded_postgres.start(plain_dir)
    assert query(server, "show server_encoding") == "UTF8"
    assert query(server, "select datlocale from pg_database where datname = 'postgres'") == "C.UTF-8"
    assert query(server, "show timezone") == "UTC"


def test_settings_are_used(plain_dir: Path) -> None:
    server = embedded_postgres.start(plain_dir, settings={"cluster_name": "it's $HOME", "max_wal_size": "2GB"})
    assert query(server, "show cluster_name") == "it's $HOME"
    assert query(server, "show max_wal_size") == "2GB"


def test_failed_start_shows_the_server_log(plain_dir: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match=r'(?s)server\.log.*invalid value for parameter "work_mem"'):
        embedded_postgres.start(plain_dir, settings={"work_mem": "much"})
    assert query(embedded_postgres.start(plain_dir), "select 1") == "1"


def test_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(EmbeddedPostgresError, match="not empty"):
        embedded_postgres.start(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_command_line_runs_psql(plain_dir: Path) -> None:
    assert run("psql", plain_dir).returncode == 3
    assert run("start", plain_dir).returncode == 0
    assert run("psql", plain_dir, "-Atc", "select 'one'").stdout == "one\n"
    assert run("status", plain_dir).stdout == embedded_postgres.start(plain_dir).uri() + "\n"
    assert run("stop", plain_dir).stdout == "stopped\n"
