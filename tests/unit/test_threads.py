"""Work in threads: side by side, with answers and errors in the order of the items."""

import threading

import pytest

from cloud_costs.storage.threads import in_threads


def test_items_are_worked_on_at_once_and_answered_in_order():
    second_is_done = threading.Event()

    def work(item: int) -> int:
        if item == 1:
            assert second_is_done.wait(30)
        else:
            second_is_done.set()
        return item * 10

    assert in_threads(work, [1, 2], 2) == [10, 20]
    assert in_threads(work, []) == []


def test_no_more_threads_run_than_asked_for():
    running, most = [], []

    def work(item: int) -> None:
        running.append(item)
        most.append(len(running))
        running.remove(item)

    in_threads(work, range(100), 1)
    assert set(most) == {1}


def test_error_of_the_first_item_is_raised_and_the_rest_never_begins():
    begun = []

    def work(item: int) -> None:
        begun.append(item)
        raise KeyError(item)

    with pytest.raises(KeyError, match="0"):
        in_threads(work, range(10_000), 1)
    assert len(begun) < 10_000
