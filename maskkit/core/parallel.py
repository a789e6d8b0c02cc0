"""Work in threads: photos read ahead, and how many threads torch's operations use on the CPU."""

import collections
import concurrent.futures
import contextlib
import itertools
import os

WORKERS = min(16, os.cpu_count() or 1)  # threads that read photos; Pillow lets go of Python while it decodes


def in_threads(function, items, workers=WORKERS):
    """`map` in order, by threads a few items ahead of whoever takes the results: few, so that memory stays flat."""
    items = iter(items)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        waiting = collections.deque(pool.submit(function, item) for item in itertools.islice(items, 2 * workers))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in itertools.islice(items, 1))
        finally:
            pool.shutdown(cancel_futures=True)  # nobody takes the rest: the caller has enough, or an item failed


@contextlib.contextmanager
def torch_threads(n):
    """`n` threads within the block; the caller's number comes back."""
    import torch  # here, so that photos can be read without it

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
