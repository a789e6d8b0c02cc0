"""How many threads torch's operations use on the CPU."""

import contextlib

import torch


@contextlib.contextmanager
def torch_threads(n):
    """`n` threads within the block; the caller's number comes back."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
