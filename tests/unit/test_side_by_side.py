"""Tests in several processes: one that measures time is alone, and those that need one Airflow stay together."""

import threading
from pathlib import Path

import pytest
from side_by_side import TOGETHER, Worker, alone_tests, free_port

ROOT = Path(__file__).parents[2]


class Running:
    """A test of another process, which runs until it is told to end."""

    def __init__(self, folder: Path, alone: bool) -> None:
        self.began, self.end = threading.Event(), threading.Event()
        self.worker, self.alone = Worker(folder), alone
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with self.worker._locked(self.alone):
            self.began.set()
            assert self.end.wait(60)

    def stop(self) -> None:
        self.end.set()
        self.thread.join()


def test_test_that_is_alone_begins_when_the_others_have_ended_and_holds_up_new_ones(tmp_path: Path) -> None:
    first, second = Running(tmp_path, alone=False), Running(tmp_path, alone=False)
    assert first.began.wait(60)
    assert second.began.wait(60)
    first.stop()
    alone = Running(tmp_path, alone=True)
    assert not alone.began.wait(0.3)
    late = Running(tmp_path, alone=False)
    assert not late.began.wait(0.3)
    second.stop()
    assert alone.began.wait(60)
    assert not late.began.wait(0.3)
    alone.stop()
    assert late.began.wait(60)
    late.stop()


def test_what_stays_together_is_there() -> None:
    paths = [ROOT / path for paths in TOGETHER.values() for path in paths]
    assert [path for path in paths if not path.exists()] == []


def test_free_port_is_none_of_outgoing_connections() -> None:
    assert 20_000 <= free_port() < 32_000


def test_tests_that_are_alone_are_known_by_name(request: pytest.FixtureRequest) -> None:
    marked = {item.nodeid.partition("[")[0] for item in request.session.items if item.get_closest_marker("alone")}
    assert marked <= alone_tests(ROOT)
    assert (
        "tests/integration/test_publish.py::test_reader_who_holds_a_lock_delays_publish_and_nobody_else"
        in alone_tests(ROOT)
    )
