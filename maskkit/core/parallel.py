"""Threads: photos read ahead, and the number of threads that torch uses on the CPU."""

import collections
import concurrent.futures
import contextlib
import itertools
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = min(16, os.cpu_count() or 1)  # threads that read photos; Pillow releases the GIL while it decodes


def in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int = WORKERS
) -> Generator[Result, None, None]:
    """`map` in threads, results in order; only a few items ahead of the consumer, so that memory stays constant."""
    items = iter(items)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        waiting = collections.deque(pool.submit(function, item) for item in itertools.islice(items, 2 * workers))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in itertools.islice(items, 1))
        finally:
            pool.shutdown(cancel_futures=True)  # the caller stopped early, or an item failed


@contextlib.contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Set the number of torch's threads within the block, and restore it afterwards."""
    import torch  # here, so that photos can be read without torch

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
