"""Answers that are kept until something is published: many people open the same links.

They are the JSON texts as they were sent. They belong to one state of the tables (`published.Published`), and are
forgotten with it.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

# Bytes of all answers of a state, and of the largest one that is kept: a page of charges is larger than most.
MOST, LARGEST = 16_000_000, 1_000_000


class Answers:
    """The answers of one state by their addresses; those that nobody asked for longest go first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._turns: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def turn(self, address: str) -> Iterator[None]:
        """Let one request at a time work on an address: the others find its answer when their turn comes."""
        with self._lock:
            lock, waiting = self._turns.get(address, (threading.Lock(), 0))
            self._turns[address] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, waiting = self._turns.pop(address)
                if waiting > 1:
                    self._turns[address] = (lock, waiting - 1)

    def get(self, address: str) -> bytes | None:
        """Return the answer to an address, if it is known."""
        with self._lock:
            found = self._known.get(address)
            if found is not None:
                self._known.move_to_end(address)
            return found

    def keep(self, address: str, answer: bytes) -> None:
        """Keep an answer, and let the oldest ones go where there are too many."""
        if len(answer) > LARGEST:
            return
        with self._lock:
            if address not in self._known:
                self._known[address] = answer
                self._size += len(answer)
            while self._size > MOST:
                _, oldest = self._known.popitem(last=False)
                self._size -= len(oldest)
