"""Threads: photos read ahead, batches side by side, and the number of threads that torch uses on the CPU."""

import collections
import concurrent.futures
import contextlib
import itertools
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Read = TypeVar("Read")
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


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items, the last one perhaps shorter."""
    items = iter(items)
    while batch := list(itertools.islice(items, size)):
        yield batch


def read_and_pass(
    read: Callable[[Item], Read],
    run: Callable[[list[Read]], Result],
    items: Iterable[Item],
    size: int,
    *,
    core_each: bool,
    workers: int = WORKERS,
) -> Generator[Result, None, None]:
    """What a network makes of items, `size` at a time, in their order; reading and the network work at once.

    Args:
        read: what the network takes of an item, called in threads. run: the network on up to `size` of these.
        core_each: each thread reads a batch and runs the network on it, with one of torch's threads, so that as many
            batches are in work as torch has threads: for a network on the CPU. Threads that share a batch wait for each
            other in every layer, and for the core that reads (benchmarks/extraction.py has what that costs). Otherwise
            threads read ahead of the one that runs the network: for a GPU, or a network with threads of its own.
        workers: threads at most.
    """
    if core_each:
        import torch  # here, so that photos can be read without torch

        workers = min(workers, torch.get_num_threads())
        done = in_threads(lambda batch: run([read(item) for item in batch]), in_batches(items, size), workers)
        with torch_threads(1):
            yield from done
    else:
        with contextlib.closing(in_threads(read, items, workers)) as ready:
            yield from map(run, in_batches(ready, size))


@contextlib.contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Set the number of torch's threads within the block, and restore it afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
