import contextlib
import threading
import time

import pytest
import torch

from maskkit.core import parallel


def test_threads_give_results_in_order_and_run_only_a_few_ahead():
    started = []

    def work(item):
        started.append(item)
        time.sleep(0.001 * (item % 3))
        return item * 10

    taken = parallel.in_threads(work, range(100), workers=2)
    assert [next(taken) for _ in range(10)] == [item * 10 for item in range(10)]
    time.sleep(0.1)  # long enough for all 100, if nothing held the threads back
    taken.close()
    assert max(started) < 10 + 2 * 2


def test_an_item_that_fails_in_a_thread_fails_where_it_is_taken():
    taken = parallel.in_threads(lambda item: 1 // item, [2, 1, 0, 1], workers=2)
    assert [next(taken), next(taken)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(taken)


def square_batches(run, core_each):
    """What `run` makes of the squares of 0 to 6, three at a time."""
    return parallel.read_and_pass(lambda item: item**2, run, range(7), 3, core_each=core_each)


@pytest.mark.parametrize("core_each", [False, True])
def test_what_is_read_passes_in_batches_and_in_order(core_each):
    assert list(square_batches(tuple, core_each)) == [(0, 1, 4), (9, 16, 25), (36,)]


def test_batches_are_in_work_side_by_side_with_one_torch_thread_each():
    both = threading.Barrier(2, timeout=10)

    def run(batch):
        if len(batch) == 3:  # the first two batches
            both.wait()
        return torch.get_num_threads()

    with parallel.torch_threads(2):
        assert list(square_batches(run, core_each=True)) == [1, 1, 1]
        assert torch.get_num_threads() == 2


def test_torch_has_its_threads_again_when_the_consumer_stops_early():
    with parallel.torch_threads(2):
        with contextlib.closing(square_batches(tuple, core_each=True)) as passed:
            next(passed)
        assert torch.get_num_threads() == 2


@pytest.mark.parametrize("core_each", [False, True])
def test_a_batch_that_fails_fails_where_it_is_taken(core_each):
    passed = square_batches(lambda batch: 1 // (25 - max(batch)), core_each)
    assert next(passed) == 0
    with pytest.raises(ZeroDivisionError):
        next(passed)
