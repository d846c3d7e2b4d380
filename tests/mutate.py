"""`make mutate`: break the SQL that says what numbers mean, and list the breaks that no test of values notices.

It tries every mutant (`mutants.py`) of every mapping of `include/sql/focus`, of `normalize.sql`, `costs_by_day.sql` and
`commitment_costs.sql`, and of the checks. The file on disk stays as it is: what the tests read of it is broken. Tests
of values are those that are marked `values`; tests that compare texts are none of them.

Each worker is a process with a PostgreSQL and schemas of its own. It collects the tests once, runs them on the SQL as
it is, and sees which test reads which file. Then it forks one process for each mutant, which runs the tests that read
the mutant's file until the first one fails.

A mutant that was noticed once is not tried again while its file stays as it is (`.mutate`): a run that was stopped goes
on, and one after a new test tries what is left. There is no list of mutants to excuse: SQL that can be broken without
any result changing says more than it has to, and is written in fewer words.
"""

import argparse
import hashlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import psycopg

TESTS = Path(__file__).parent
ROOT = TESTS.parent
sys.path[:0] = [str(TESTS), str(ROOT / "include")]

import pytest  # noqa: E402  after the path is set
import roles  # noqa: E402  likewise
from mutants import Mutant, mutants_of  # noqa: E402  likewise

from cloud_costs.database import sql_files  # noqa: E402  likewise
from cloud_costs.demo import embedded_postgres  # noqa: E402  likewise

SQL = sql_files.FOLDER
STATE = ROOT / ".mutate" / "noticed.txt"
MARK = "pytestmark = pytest.mark.values"
NOTICED, REFUSED, SURVIVED, UNREAD = "noticed", "refused by PostgreSQL", "survived", "read by no test"
# What a forked process ends with.
VERDICTS = {0: SURVIVED, 1: NOTICED, 2: REFUSED}

_forking = multiprocessing.get_context("fork")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__.partition("\n")[0])
    parser.add_argument("--mapping", action="append", help="files that begin with this: aws_cur, normalize, checks")
    parser.add_argument("--processes", type=int, default=2, help="how many mutants are tried at the same time")
    parser.add_argument("--again", action="store_true", help="try those too that a test noticed before")
    options = parser.parse_args()
    if options.again:
        STATE.unlink(missing_ok=True)
    with _forking.Pool(options.processes) as pool:
        found = pool.starmap(mutants_of, _files(options.mapping or [""]), chunksize=1)
    mutants = [mutant for of_file in found for mutant in of_file]
    before = _noticed_before()
    verdicts = Counter(NOTICED for one in mutants if _key(one) in before)
    work = [one for one in mutants if _key(one) not in before]
    print(f"{len(mutants)} mutants, {len(work)} to try", flush=True)
    survivors = []
    began = time.monotonic()
    for number, (mutant, verdict) in enumerate(_tried(work, options.processes), 1):
        verdicts[verdict] += 1
        if verdict in (SURVIVED, UNREAD):
            survivors.append(mutant)
            print(f"{verdict}: {mutant}", flush=True)
        else:
            _remember(mutant)
        if number % 100 == 0:
            print(f"{number} of {len(work)} in {time.monotonic() - began:.0f} s", flush=True)
    print(f"\n{len(mutants)} mutants in {time.monotonic() - began:.0f} s: {dict(verdicts)}")
    print(f"no test of values notices {len(survivors)}:")
    for mutant in sorted(survivors, key=lambda one: (one.path, one.start)):
        print(f"  {mutant}")
    sys.exit(1 if survivors else 0)


def _files(wanted: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each file to break; of a check, the wanted name may be `checks`."""
    totals = [SQL / name for name in ("normalize.sql", "costs_by_day.sql", "commitment_costs.sql")]
    paths = [*sorted((SQL / "focus").glob("*.sql")), *totals, *sorted((SQL / "checks").glob("*.sql"))]
    for path in paths:
        name = path.relative_to(SQL).as_posix()
        if any(name.startswith(one) or path.name.startswith(one) for one in wanted):
            yield name, path.read_text(encoding="utf-8")


def _key(mutant: Mutant) -> str:
    whole = f"{mutant.path}\n{sql_files.read(mutant.path)}\n{mutant.start}\n{mutant.stop}\n{mutant.after}"
    return hashlib.sha256(whole.encode()).hexdigest()


def _noticed_before() -> set[str]:
    return set(STATE.read_text(encoding="utf-8").splitlines()) if STATE.exists() else set()


def _remember(mutant: Mutant) -> None:
    STATE.parent.mkdir(exist_ok=True)
    with STATE.open("a", encoding="utf-8") as file:
        file.write(_key(mutant) + "\n")


# --- the workers


def _tried(work: list[Mutant], processes: int) -> Iterator[tuple[Mutant, str]]:
    """Try mutants in some processes, and yield each with its verdict."""
    tasks: SimpleQueue[Mutant | None] = _forking.SimpleQueue()
    results: SimpleQueue[tuple[Mutant, str] | None] = _forking.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="cloud-costs-mutate-") as folder, ExitStack() as stack:
        workers = []
        for number in range(processes if work else 0):
            data = Path(folder) / str(number) / "postgres"
            stack.callback(embedded_postgres.stop, data)
            workers.append(_forking.Process(target=_work, args=(data, tasks, results)))
            workers[-1].start()
        left = iter([*work, *[None] * processes])
        for _ in range(2 * processes):
            tasks.put(next(left, None))
        running = len(workers)
        while running:
            done = results.get()
            if done is None:
                running -= 1
                continue
            yield done
            tasks.put(next(left, None))
        for worker in workers:
            worker.join()
            if worker.exitcode:
                raise RuntimeError("the tests of values fail on the SQL as it is: run pytest -m values")


def _work(data: Path, tasks: "SimpleQueue[Mutant | None]", results: "SimpleQueue[tuple[Mutant, str] | None]") -> None:
    """Collect the tests of values once, and try mutants until there are no more."""
    server = embedded_postgres.start(data, settings={"fsync": "off", "max_connections": "50"})
    try:
        with roles.own_schemas(server) as database:
            # One server and one set of schemas for all: the tests of values publish nothing.
            embedded_postgres.start = lambda *_args, **_settings: server
            embedded_postgres.stop = lambda *_args: None
            roles.own_schemas = contextmanager(lambda _server: iter([database]))
            _to_nowhere()
            os.chdir(ROOT)
            trial = Trial(tasks, results)
            modules = [str(path) for path in sorted(TESTS.rglob("test_*.py")) if MARK in path.read_text("utf-8")]
            sys.exit(int(pytest.main(["-q", "-p", "no:cacheprovider", *modules], plugins=[trial])))
    finally:
        results.put(None)


def _to_nowhere() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


@dataclass
class Trial:
    """A plugin of pytest that runs the tests as they are collected, once for each mutant."""

    tasks: "SimpleQueue[Mutant | None]"
    results: "SimpleQueue[tuple[Mutant, str] | None]"

    def __post_init__(self) -> None:
        self._read = sql_files.read
        self._reader = ""
        self._readers: defaultdict[str, set[str]] = defaultdict(set)
        self._mutant: Mutant | None = None
        self._refused = False
        sql_files.read = self.read

    def read(self, path: str) -> str:
        """Return what a test reads of a file, and note who read it."""
        self._readers[path].add(self._reader)
        text = self._read(path)
        return self._mutant.apply(text) if self._mutant and self._mutant.path == path else text

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        # What a fixture reads, all tests of its module may depend on.
        self._reader = str(item.path)

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        self._reader = item.nodeid

    def pytest_exception_interact(self, call: pytest.CallInfo[object]) -> None:
        """Remember whether the test failed because PostgreSQL refuses the statement."""
        error = call.excinfo and call.excinfo.value
        while error is not None:
            self._refused |= isinstance(error, psycopg.errors.ProgrammingError | psycopg.errors.DataError)
            error = error.__cause__

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run all tests on the SQL as it is, and then some of them on each mutant."""
        if not self._passes(session, session.items):
            raise pytest.Exit("broken already", returncode=1)
        while mutant := self.tasks.get():
            self.results.put((mutant, self._verdict(session, mutant)))
        return True

    def _verdict(self, session: pytest.Session, mutant: Mutant) -> str:
        readers = self._readers[mutant.path]
        items = [item for item in session.items if {item.nodeid, str(item.path)} & readers]
        if not items:
            return UNREAD
        child = os.fork()
        if child == 0:
            code = 70
            try:
                self._mutant = mutant
                code = 0 if self._passes(session, items) else 2 if self._refused else 1
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code not in VERDICTS:
            raise RuntimeError(f"the tests ended with {code} on {mutant}")
        return VERDICTS[code]

    def _passes(self, session: pytest.Session, items: list[pytest.Item]) -> bool:
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return False
        return True


if __name__ == "__main__":
    main()
