"""Separate processes: those that load a month, so that a test can kill one at any statement, and the command line.

They are forked from a server process that has imported everything they need, and share no state with the tests.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from pipeline import JANUARY

from cloud_costs.charges.views import refresh_views
from cloud_costs.config.exports import Export
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.exporting import files
from cloud_costs.exporting.months import export_month
from cloud_costs.insights.reports import archive
from cloud_costs.insights.reports.periods import Period
from cloud_costs.insights.telling import Channel, Notice, send_notices
from cloud_costs.publishing.audit import audit
from cloud_costs.publishing.history import Load
from cloud_costs.publishing.load import load_raw
from cloud_costs.publishing.normalize import normalize
from cloud_costs.publishing.publish import publish
from cloud_costs.storage.files import Storage
from cloud_costs.storage.local import LocalStorage

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["processes", "cloud_costs.cli", "duckdb"])
STEPS = ("load_raw", "normalize", "audit", "publish", "refresh_views")


def start(work: Callable[..., None], *arguments: Any) -> tuple[BaseProcess, Pipe]:
    """Run `work(pipe, *arguments)` in a new process; return the process and the caller's end of the pipe."""
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=work, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def command_line(
    arguments: Sequence[str], environ: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run `python -m cloud_costs` as a shell does, but for the half second in which it imports its modules."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("stdout", "stderr")]
        process = CONTEXT.Process(target=_command_line, args=(paths, arguments, environ))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(arguments, seconds)
        return subprocess.CompletedProcess(arguments, process.exitcode, *(path.read_text() for path in paths))


def _command_line(paths: Sequence[Path], arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)
    for descriptor, path in enumerate([Path(os.devnull), *paths]):
        with path.open("r" if descriptor == 0 else "w") as file:
            os.dup2(file.fileno(), descriptor)
    sys.argv = ["cloud_costs", *arguments]
    warnings.simplefilter("error")
    runpy.run_module("cloud_costs", run_name="__main__", alter_sys=True)


class Moments:
    """Counts the moments of a load: each statement, each batch of rows, each commit. `happen` is called at one."""

    def __init__(self, at: int = 0, happen: Callable[[], None] = lambda: None) -> None:
        self.seen, self._at, self._happen, self._lock = 0, at, happen, threading.Lock()

    def __call__(self, *_: Any) -> None:
        with self._lock:
            self.seen += 1
            here = self.seen == self._at
        if here:
            self._happen()

    def database(self, uri: str, schema: str) -> Database:
        """Return the database; each statement and commit is a moment, just before it is sent."""
        return Database(lambda: self._connect(uri), schema, "costs_db")

    def _connect(self, uri: str) -> psycopg.Connection[Any]:
        moment = self

        class Cursor(psycopg.Cursor[Any]):
            def execute(self, *arguments: Any, **options: Any) -> Any:
                moment()
                return super().execute(*arguments, **options)

            def executemany(self, *arguments: Any, **options: Any) -> Any:
                moment()
                return super().executemany(*arguments, **options)

            def copy(self, *arguments: Any, **options: Any) -> Any:
                moment()
                return super().copy(*arguments, **options)

        class Connection(psycopg.Connection[Any]):
            @contextmanager
            def transaction(self, *arguments: Any, **options: Any) -> Iterator[Any]:
                with super().transaction(*arguments, **options) as transaction:
                    yield transaction
                    moment()

        return Connection.connect(uri, cursor_factory=Cursor)


def take_step(
    step: str,
    database: Database,
    source: Source,
    load: Load | None,
    moments: Moments | None = None,
    storage: Storage | None = None,
) -> Load | None:
    """Take one step as the DAG does, with the load that the step before returned; return the load for the next one."""
    if step == "load_raw":
        return load_raw(database, storage or LocalStorage(), source, JANUARY, progress=moments)
    if step == "refresh_views":
        refresh_views(database)
        return load
    assert load
    if step == "normalize":
        return normalize(database, source, load)
    {"audit": audit, "publish": publish}[step](database, source, load)
    return load


def stop_at_a_moment(
    pipe: Pipe, uri: str, schema: str, source: Source, step: str, load: Load | None, at: int, waits: bool
) -> None:
    """Take one step, and send `there` when its moment `at` has come. Then wait there for ever, or go on.

    After the step, send `done` and wait, so that the session of the step stays open until the test ends the process.
    """

    def happen() -> None:
        pipe.send("there")
        if waits:
            threading.Event().wait()

    moments = Moments(at, happen)
    take_step(step, moments.database(uri, schema), source, load, moments)
    pipe.send("done")
    threading.Event().wait()


def stop_at_a_write(pipe: Pipe, uri: str, schema: str, folder: str, at: int) -> None:
    """Export January of `cup` in files of a few rows, and stop before write `at` to storage, to be killed there."""
    files.FILE_ROWS, files.BATCH_BYTES = 50, 20_000
    moments = Moments(at, lambda: (pipe.send("there"), threading.Event().wait()))

    class Stopping(LocalStorage):
        def write(self, *arguments: Any) -> None:
            moments()
            super().write(*arguments)

        def replace(self, *arguments: Any) -> None:
            moments()
            super().replace(*arguments)

        def delete(self, *arguments: Any) -> None:
            moments()
            super().delete(*arguments)

    database = Database(lambda: psycopg.connect(uri), schema, "costs_db")
    export_month(database, Stopping(), "cup", JANUARY, Export(to=folder))
    pipe.send("done")
    threading.Event().wait()


def make_and_send(database: Database, period: Period, inbox: Path, moments: Moments) -> None:
    """Make a report and send it to two channels, as the tasks do. A channel keeps what it takes in a file."""

    def send(notice: Notice) -> str | None:
        moments()
        with (inbox / "messages").open("a") as file:
            file.write(f"{notice.notice_id}\n")
        moments()
        return None

    channels = [Channel(slack="costs_slack"), Channel(email="cfo@example.com")]
    archive.make_report(database, period, archive.Settings(), channels)
    send_notices(database, send)


def stop_in_a_report(pipe: Pipe, uri: str, schema: str, period: Period, inbox: Path, at: int) -> None:
    """Make and send a report, and stop at its moment `at`, to be killed there."""
    moments = Moments(at, lambda: (pipe.send("there"), threading.Event().wait()))
    make_and_send(moments.database(uri, schema), period, inbox, moments)
    pipe.send("done")
    threading.Event().wait()
