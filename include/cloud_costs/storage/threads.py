"""Requests to object storage, side by side: a request spends nearly all of its time waiting for its answer."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

# Below the ten connections that boto3 keeps for a client.
REQUESTS = 8

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def in_threads(work: Callable[[Item], Answer], items: Iterable[Item], threads: int = REQUESTS) -> list[Answer]:
    """Return what `work` returns for each item, in the order of the items.

    Raises the error of the first item, in that order, that failed. Items that have not begun by then are left out.
    """
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))
