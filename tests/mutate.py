"""`make mutate`: break the SQL that says what numbers mean, and list the breaks that no test of values notices.

It tries every mutant (`mutants.py`) of every mapping of `include/sql/focus`, of `normalize.sql` and of the checks: in a
copy of `include/sql`, never in place. The tests that it runs are those whose module is marked
`pytest.mark.values("<name>")`, for the files whose names begin with that; tests that compare texts are none of them.

Each worker is a process with a PostgreSQL of its own, and forks one process for each mutant, so that nothing is
imported twice. A mutant that was noticed once is not tried again while its file stays as it is (`.mutate`): a run that
was stopped goes on, and one after a new test tries what is left.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

TESTS = Path(__file__).parent
ROOT = TESTS.parent
sys.path[:0] = [str(TESTS), str(ROOT / "include")]

import pytest  # noqa: E402  after the path is set
from mutants import Mutant, mutants_of  # noqa: E402  likewise

# Forked processes share what is imported by now.
from cloud_costs.database import sql_files  # noqa: E402  likewise, to be shared
from cloud_costs.demo import embedded_postgres  # noqa: E402  likewise, to be shared
from cloud_costs.publishing import load, sync  # noqa: E402, F401  likewise, to be shared

SQL = ROOT / "include" / "sql"
STATE = ROOT / ".mutate" / "noticed.jsonl"
MARK = re.compile(r"mark\.values\(([^)]*)\)")
NOTICED, REFUSED, SURVIVED = "noticed", "refused by PostgreSQL", "survived"


class FirstError:
    """Remembers whether the first test that failed did so because PostgreSQL refuses the statement."""

    refused = False

    def pytest_exception_interact(self, call: pytest.CallInfo[object]) -> None:
        error = call.excinfo and call.excinfo.value
        while error is not None:
            self.refused |= isinstance(error, psycopg.errors.SyntaxError | psycopg.errors.UndefinedFunction)
            self.refused |= isinstance(error, psycopg.errors.ProgrammingError | psycopg.errors.DataError)
            error = error.__cause__


def main() -> None:
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__.partition("\n")[0])
    parser.add_argument("--mapping", action="append", help="files that begin with this: aws_cur, normalize, checks")
    parser.add_argument("--processes", type=int, default=2, help="how many mutants are tried at the same time")
    parser.add_argument("--again", action="store_true", help="try those too that a test noticed before")
    options = parser.parse_args()
    if options.again:
        STATE.unlink(missing_ok=True)
    noticed = _noticed_before()
    tried, survivors, untested = Counter[str](), [], []
    work = []
    for path, text in _files(options.mapping or [""]):
        tests = _tests_of(path)
        if not tests:
            untested.append(path)
            continue
        mutants = mutants_of(path, text)
        left = [(mutant, tests, key) for mutant in mutants if (key := _key(text, mutant)) not in noticed]
        tried[NOTICED] += len(mutants) - len(left)
        work += left
        print(f"{path}: {len(mutants)} mutants, {len(left)} to try with {' '.join(tests)}", flush=True)
    began = time.monotonic()
    with _workshops(options.processes) as workshops, _forking.Pool(options.processes, _take, [workshops]) as pool:
        for number, (mutant, key, verdict) in enumerate(pool.imap_unordered(_try, work), 1):
            tried[verdict] += 1
            if verdict == SURVIVED:
                survivors.append(mutant)
                print(f"survived: {mutant}", flush=True)
            else:
                _remember(key)
            if number % 50 == 0:
                print(f"{number} of {len(work)} in {time.monotonic() - began:.0f} s", flush=True)
        pool.close()
        pool.join()
    print(f"\n{dict(tried)}; no test of values notices {len(survivors)}:")
    for mutant in sorted(survivors, key=lambda one: (one.path, one.start)):
        print(f"  {mutant}")
    for path in untested:
        print(f"  {path}: no test is marked for it")
    sys.exit(1 if survivors or untested else 0)


def _files(wanted: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each file to break; of a check, the wanted name may be `checks`."""
    paths = [*sorted((SQL / "focus").glob("*.sql")), SQL / "normalize.sql", *sorted((SQL / "checks").glob("*.sql"))]
    for path in paths:
        name = path.relative_to(SQL).as_posix()
        if any(name.startswith(one) or path.name.startswith(one) for one in wanted):
            yield name, path.read_text(encoding="utf-8")


def _tests_of(path: str) -> list[str]:
    """Return the test modules that are marked for a file."""
    found = []
    for module in sorted(TESTS.rglob("test_*.py")):
        mark = MARK.search(module.read_text(encoding="utf-8"))
        names = re.findall(r'"([^"]+)"', mark[1]) if mark else []
        if any(path.startswith(name) or Path(path).name.startswith(name) for name in names):
            found.append(module.relative_to(ROOT).as_posix())
    return found


def _key(text: str, mutant: Mutant) -> str:
    whole = f"{mutant.path}\n{text}\n{mutant.start}\n{mutant.stop}\n{mutant.after}"
    return hashlib.sha256(whole.encode()).hexdigest()


def _noticed_before() -> set[str]:
    return set(json.loads(line) for line in STATE.read_text().splitlines()) if STATE.exists() else set()


def _remember(key: str) -> None:
    STATE.parent.mkdir(exist_ok=True)
    with STATE.open("a", encoding="utf-8") as file:
        file.write(json.dumps(key) + "\n")


_forking = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Workshop:
    """Where a worker breaks things: a copy of the SQL, and a PostgreSQL."""

    folder: Path
    server: embedded_postgres.Server


@contextmanager
def _workshops(count: int) -> "Iterator[multiprocessing.Queue[Workshop]]":
    """Make a workshop for each worker, and clear them away in the end, however it ends."""
    with tempfile.TemporaryDirectory(prefix="cloud-costs-mutate-") as name, ExitStack() as stack:
        queue: multiprocessing.Queue[Workshop] = _forking.Queue()
        for number in range(count):
            folder = Path(name) / str(number)
            shutil.copytree(SQL, folder / "sql")
            stack.callback(embedded_postgres.stop, folder / "postgres")
            server = embedded_postgres.start(folder / "postgres", settings={"fsync": "off", "max_connections": "50"})
            queue.put(Workshop(folder, server))
        yield queue


_workshop: Workshop


def _take(workshops: "multiprocessing.Queue[Workshop]") -> None:
    global _workshop
    _workshop = workshops.get()


def _try(work: tuple[Mutant, list[str], str]) -> tuple[Mutant, str, str]:
    """Return what the tests say of a mutant."""
    mutant, tests, key = work
    broken = _workshop.folder / "sql" / mutant.path
    text = (SQL / mutant.path).read_text(encoding="utf-8")
    broken.write_text(mutant.apply(text), encoding="utf-8")
    try:
        return mutant, key, _run(tests)
    finally:
        broken.write_text(text, encoding="utf-8")


def _run(tests: list[str]) -> str:
    """Run the tests in a forked process, on the copy of the SQL and the worker's PostgreSQL."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = _run_here(tests)
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    verdicts = {0: SURVIVED, 1: NOTICED, 2: REFUSED}
    if code not in verdicts:
        raise RuntimeError(f"pytest ended with {code} on {' '.join(tests)}")
    return verdicts[code]


def _run_here(tests: list[str]) -> int:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sql_files.FOLDER = _workshop.folder / "sql"
    embedded_postgres.start = lambda *_args, **_settings: _workshop.server
    embedded_postgres.stop = lambda *_args: None
    os.chdir(ROOT)
    error = FirstError()
    code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests], plugins=[error]))
    return 2 if code == 1 and error.refused else code


if __name__ == "__main__":
    main()
