"""Run tests in several processes: which tests stay together, and which tests run alone on the machine.

`make test` starts six processes. Each of them has its own PostgreSQL and S3 server, so the tests of one do not see
the data of the other. Expensive fixtures are made once for the tests that share them. So all tests of a file stay in
one process, and so do all tests that share an Airflow.
"""

import fcntl
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import randrange
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

# The tests of a folder share one Airflow. Others share the demo's costs.
TOGETHER = {
    "demo": tuple(
        f"tests/integration/test_{name}.py" for name in ("docs_examples", "export_round_trip", "grafana", "questions")
    ),
    "tests/dags": ("tests/dags/",),
    "tests/e2e": ("tests/e2e/",),
}
# All tests that are marked `alone` come last, when the long tests of a whole Airflow are over: each waits for the tests
# of the other processes, and while it waits no other test begins.
ALONE = re.compile(r"^@pytest\.mark\.alone\n(?:@.+\n)*def (test_\w+)", re.MULTILINE)
# Below the ports that Linux gives to outgoing connections: one of those may take a free port before its server does.
PORTS = range(20_000, 32_000)


class Together(LoadFileScheduling):  # type: ignore[misc]
    """A scheduler that gives a process a whole file at a time, or all of `TOGETHER`, in the order of collection.

    Slow folders come first in the alphabet, so the processes end at about the same time.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False
        self.alone = alone_tests(config.rootpath)

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.partition("[")[0] in self.alone:
            return "alone"
        names = (name for name, paths in TOGETHER.items() if nodeid.startswith(paths))
        return next(names, str(super()._split_scope(nodeid)))


class Controller:
    """The hooks of the process that starts the others: it gives them a folder for their locks."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="cloud-costs-tests-")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where the locks are."""
        node.workerinput["locks"] = self.folder

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Together | None:
        """Replace xdist's scheduler for `--dist loadfile`."""
        return Together(config, log) if config.option.dist == "loadfile" else None

    def pytest_unconfigure(self) -> None:
        """Remove the locks."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Worker:
    """The hook of one of several processes: no other test runs beside one that is marked `alone`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Move the tests that are marked `alone` to the end."""
        items.sort(key=lambda item: item.get_closest_marker("alone") is not None)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Run one test under the lock of the machine, shared with other tests or alone."""
        with self._locked(alone=item.get_closest_marker("alone") is not None):
            return (yield)

    @contextmanager
    def _locked(self, alone: bool) -> Iterator[None]:
        with (self.folder / "queue").open("a") as queue, (self.folder / "machine").open("a") as machine:
            # A test that is marked `alone` waits for the machine while it holds the queue. So the other process cannot
            # start its next test, and the wait ends.
            fcntl.flock(queue, fcntl.LOCK_EX)
            fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            fcntl.flock(queue, fcntl.LOCK_UN)
            try:
                yield
            finally:
                # Closing the file would not free the lock where a process that a test forked has the file open too.
                fcntl.flock(machine, fcntl.LOCK_UN)


def alone_tests(root: Path) -> set[str]:
    """Return the ids of the tests that are marked `alone`: the process that starts the others collects no test."""
    return {
        f"{path.relative_to(root).as_posix()}::{name}"
        for path in (root / "tests").rglob("test_*.py")
        for name in ALONE.findall(path.read_text(encoding="utf-8"))
    }


def register(config: pytest.Config) -> None:
    """Let this process know its part when there are several."""
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Worker(Path(config.workerinput["locks"])))
    elif getattr(config.option, "numprocesses", None):
        config.pluginmanager.register(Controller())


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    while True:
        with socket.socket() as probe:
            port = randrange(PORTS.start, PORTS.stop)  # noqa: S311  no secret
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
